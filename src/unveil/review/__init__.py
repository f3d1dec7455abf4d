"""Judgments of people about the regions of runs, beside the sealed records, and how far verdicts agree with them."""

from unveil.review.judgments import Answer, Judgment, Review

__all__ = ["Answer", "Judgment", "Review"]
