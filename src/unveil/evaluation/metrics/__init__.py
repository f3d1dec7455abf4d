"""The metrics of the field: where a map lies, and what it is worth to the classifier."""
