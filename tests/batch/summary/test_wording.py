"""Places in words, for boxes all over an image."""

import pytest

from unveil.batch.summary.wording import format_p, place_words


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0.0, 0.0, 0.1, 0.1), "upper left corner"),
        ((0.1, 0.8, 0.2, 0.95), "upper right corner"),
        ((0.9, 0.0, 1.0, 0.2), "lower left corner"),
        ((0.85, 0.85, 1.0, 1.0), "lower right corner"),
        ((0.2, 0.2, 0.42, 0.42), "upper left"),
        ((0.0, 0.4, 0.1, 0.6), "upper edge"),
        ((0.2, 0.3, 0.4, 0.7), "upper part"),
        ((0.4, 0.9, 0.6, 1.0), "right edge"),
        ((0.4, 0.1, 0.6, 0.4), "left part"),
        ((0.4, 0.45, 0.6, 0.55), "center"),
        ((0.0, 0.1, 1.0, 0.95), "most of the image"),
        ((0.0, 0.0, 1.0, 0.1), "left edge"),
    ],
)
def test_a_box_has_words(box, words):
    assert place_words(box) == words


def test_p_values_are_written_without_a_zero_in_front():
    assert format_p(0.5) == "p = .5"
    assert format_p(0.0101) == "p = .01"
    assert format_p(1.0) == "p = 1"
