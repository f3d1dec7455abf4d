"""Names of shards: what isn't one is refused, so that no name can leave the folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unveil.batch.base import parse_name, retry_of, shard_name, split_name
from unveil.errors import BatchError


@given(st.integers(0, 10**8), st.integers(0, 10**5), st.integers(0, 10**8))
def test_names_say_what_they_were_made_of(number, retry, index):
    name = shard_name(number, retry)
    assert parse_name(name) == (name, None)
    assert parse_name(split_name(name, index)) == (name, index)
    assert retry_of(name) == retry == retry_of(split_name(name, index))


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../00012", "00012/..", "0012", "00012.i12", "00012.i000203.i000001", "00012\n", "０００１２"],
)
def test_other_names_are_refused(name):
    with pytest.raises(BatchError, match="the name of a shard"):
        parse_name(name)
