"""Judgments of a person about the regions of a run, kept beside its record."""

import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from unveil.errors import RecordError

MAX_NOTE_CHARS, MAX_REVIEWER_CHARS, MAX_JUDGMENTS = 2000, 200, 5000
LATEST_S = 1e11  # the year 5138, in seconds since 1970
_ID = re.compile(r"(t[1-9]\d{0,5})?r[1-9]\d{0,5}\.[1-9]\d{0,5}")
_SEAL = re.compile(r"[0-9a-f]{64}")


class Answer(StrEnum):
    """What a person says about a region."""

    ACCEPT = "accept"
    REJECT = "reject"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Judgment:
    """A person's judgment of one region.

    Attributes:
        answer: Whether the region is accepted.
        note: A remark, at most 2000 characters.
        time_s: When it was judged, in seconds since 1970.
        blind: Whether verdict and scores of the region were hidden until it was judged.

    Raises `RecordError` for values that can't be used.

    >>> Judgment(Answer.ACCEPT, "the whole ear", time_s=1.7e9).answer
    <Answer.ACCEPT: 'accept'>
    """

    answer: Answer
    note: str = ""
    time_s: float = 0.0
    blind: bool = False

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "answer", Answer(self.answer))
        except ValueError as error:
            got = f"{self.answer!r:.40}"
            raise RecordError("the answer accept, reject or unsure", got, "choose one of these") from error
        _check_text("a note", self.note, MAX_NOTE_CHARS)
        time_s = self.time_s
        if not isinstance(time_s, numbers.Real) or isinstance(time_s, bool) or not 0 <= time_s <= LATEST_S:
            raise RecordError("a time in seconds since 1970", f"{time_s!r:.40}", "give time.time()")
        object.__setattr__(self, "time_s", float(time_s))
        if type(self.blind) is not bool:
            raise RecordError("blind to be true or false", f"{self.blind!r:.40}", "leave it out if it isn't known")


@dataclass(frozen=True)
class Review:
    """The judgments of one person about the regions of one record.

    Attributes:
        record_sha256: The seal of the record, see `record_seal`.
        reviewer: Who judged, at most 200 characters; may be empty.
        judgments: The judgment of each region that was judged, by the region's id, such as "r2.1".

    Raises `RecordError` for values that can't be used.
    """

    record_sha256: str
    reviewer: str = ""
    judgments: Mapping[str, Judgment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.record_sha256, str) or not _SEAL.fullmatch(self.record_sha256):
            raise RecordError("the seal of a record, 64 hex digits", f"{self.record_sha256!r:.80}", "use record_seal")
        _check_text("a reviewer", self.reviewer, MAX_REVIEWER_CHARS)
        if not isinstance(self.judgments, Mapping):
            raise RecordError("judgments by the id of a region", f"{self.judgments!r:.40}", "give a table")
        if len(self.judgments) > MAX_JUDGMENTS:
            raise RecordError(f"at most {MAX_JUDGMENTS} judgments", str(len(self.judgments)), "no run has so many")
        for name, judgment in self.judgments.items():
            if not isinstance(name, str) or not _ID.fullmatch(name):
                raise RecordError("ids of regions, such as r2.1", f"{name!r:.60}", "take them from the view")
            if not isinstance(judgment, Judgment):
                raise RecordError(f"a judgment of {name}", f"{judgment!r:.60}", "make it a Judgment")
        object.__setattr__(self, "judgments", MappingProxyType(dict(self.judgments)))

    def with_judgment(self, region: str, judgment: Judgment | None) -> "Review":
        """The same review with the judgment of the `region` of this id; None takes a `judgment` back."""
        judgments: dict[str, Any] = {**self.judgments, region: judgment}
        return replace(self, judgments={name: one for name, one in judgments.items() if one is not None})

    def as_dict(self) -> dict:
        """The review as plain values: the content of its file."""
        from unveil.review.files import encode_review  # noqa: PLC0415 (it is made of this class)

        return encode_review(self)

    @classmethod
    def from_dict(cls, values: Any) -> "Review":
        """The review of plain `values`. Raises `RecordError`."""
        from unveil.review.files import decode_review  # noqa: PLC0415

        return decode_review(values)


def _check_text(what: str, text: Any, limit: int) -> None:
    if not isinstance(text, str):
        raise RecordError(f"{what} as text", f"{text!r:.40}", "give a text")
    if len(text) > limit:
        raise RecordError(f"{what} of at most {limit} characters", f"{len(text)}", "shorten it")
