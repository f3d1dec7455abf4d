"""Scores of methods on planted scenes, where the evidence is known."""
