"""Judgments of people about the regions of runs, beside the sealed records, and how far verdicts agree with them."""

from unveil.review.agreement import Agreement, AgreementTable, cohen_kappa, compute_agreement
from unveil.review.files import continue_review, load_review, record_seal, review_path, save_review
from unveil.review.judgments import Answer, Judgment, Review
from unveil.review.rows import REVIEW_COLUMNS, judgment_rows, write_judgments

__all__ = [
    "REVIEW_COLUMNS",
    "Agreement",
    "AgreementTable",
    "Answer",
    "Judgment",
    "Review",
    "cohen_kappa",
    "compute_agreement",
    "continue_review",
    "judgment_rows",
    "load_review",
    "record_seal",
    "review_path",
    "save_review",
    "write_judgments",
]
