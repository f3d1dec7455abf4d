"""Judgments and reviews refuse what can't be used."""

import math

import pytest

from judged_runs import SEAL
from unveil.errors import RecordError
from unveil.review import Answer, Judgment, Review

ACCEPT = Judgment(Answer.ACCEPT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"note": "x" * 2001}, "a note of at most 2000 characters; got 2001"),
        ({"time_s": math.nan}, "a time in seconds since 1970; got nan"),
        ({"time_s": -1.0}, "a time in seconds since 1970; got -1.0"),
        ({"time_s": math.inf}, "a time in seconds since 1970; got inf"),
    ],
)
def test_judgments_that_cannot_be_used_are_refused(arguments, message):
    with pytest.raises(RecordError) as raised:
        Judgment(Answer.ACCEPT, **arguments)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("seal", "reviewer", "judgments", "message"),
    [
        ("abc", "", {}, "the seal of a record, 64 hex digits; got 'abc'"),
        (SEAL.upper(), "", {}, "the seal of a record, 64 hex digits"),
        (SEAL, "x" * 201, {}, "a reviewer of at most 200 characters; got 201"),
        (SEAL, "", {"r0.1": ACCEPT}, "ids of regions, such as r2.1; got 'r0.1'"),
        (SEAL, "", {"../r1.1": ACCEPT}, "ids of regions, such as r2.1; got '../r1.1'"),
        (SEAL, "", {"r1.1\n": ACCEPT}, "ids of regions, such as r2.1"),
        (SEAL, "", {f"r1.{number}": ACCEPT for number in range(1, 5002)}, "at most 5000 judgments; got 5001"),
    ],
)
def test_reviews_that_cannot_be_used_are_refused(seal, reviewer, judgments, message):
    with pytest.raises(RecordError) as raised:
        Review(seal, reviewer, judgments)
    assert message in str(raised.value)


def test_a_judgment_is_added_replaced_and_taken_back():
    review = Review(SEAL, "A").with_judgment("r1.1", ACCEPT).with_judgment("t2r3.4", ACCEPT)
    assert list(review.judgments) == ["r1.1", "t2r3.4"]
    changed = review.with_judgment("r1.1", Judgment(Answer.REJECT, "no"))
    assert (changed.judgments["r1.1"].answer, review.judgments["r1.1"]) == (Answer.REJECT, ACCEPT)
    assert list(changed.with_judgment("r1.1", None).judgments) == ["t2r3.4"]
    assert changed.with_judgment("r8.8", None) == changed


def test_the_judgments_of_a_review_cannot_be_changed():
    judgments = {"r1.1": ACCEPT}
    review = Review(SEAL, "A", judgments)
    judgments["r1.2"] = ACCEPT
    assert list(review.judgments) == ["r1.1"]
    with pytest.raises(TypeError):
        review.judgments["r1.2"] = ACCEPT  # type: ignore[index]
