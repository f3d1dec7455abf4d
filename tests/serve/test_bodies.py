"""JSON bodies that are refused, each in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unveil.serve.bodies import MAX_DEPTH, parse_json

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(1 << 62), 1 << 62)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=9,
)


@given(PLAIN)
def test_plain_values_are_what_the_library_reads(value):
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"NaN", "finite"),
        (b'{"a": Infinity}', "finite"),
        (b"-Infinity", "finite"),
        (b"[1e999]", "finite"),
        (b"1" * 5000, "digits|JSON|bits"),
        (b"18446744073709551616", "63 bits"),
        (b"[" * 100_000, "nesting"),
        (b"[" * 100_000 + b"]" * 100_000, "nesting"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nesting"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nesting"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'"a\\u0000b"', "null character"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "JSON"),
        (b"{'a': 1}", "JSON"),
        (b"[1] 2", "JSON"),
        ("{}".encode("utf-16"), "UTF-8|JSON"),
        (b"\xef\xbb\xbf{}", "JSON|BOM"),
    ],
)
def test_other_texts_are_refused(body, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        parse_json(body)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_deepest_that_is_allowed():
    body = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_json(body) == json.loads(body)
