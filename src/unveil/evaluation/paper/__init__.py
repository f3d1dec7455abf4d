"""The paper's experiment on a data set: drops, labels that appear and vanish, boxes hit, and baselines."""
