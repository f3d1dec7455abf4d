"""What all of an archive's modules share: the result of a shard, and the names of shards."""

import re
from dataclasses import dataclass

from unveil.errors import BatchError

_NAME = re.compile(r"(?P<base>[0-9]{5,9}|retry-[0-9]{3,6}-[0-9]{5,9})(\.i(?P<item>[0-9]{6,9}))?")


@dataclass(frozen=True)
class Outcome:
    """What became of a shard.

    Attributes:
        shard: Its name.
        done: The number of items with a run.
        failed: The number of items that failed; they have a row with the reason.
        seconds: How long it took; 0 if it was there already.
        kept: Whether it was there already.
    """

    shard: str
    done: int
    failed: int
    seconds: float
    kept: bool = False


def shard_name(number: int, retry: int = 0) -> str:
    """The name of a shard from its number, and from the number of the retry that it belongs to (0: none).

    >>> shard_name(12), shard_name(3, retry=1)
    ('00012', 'retry-001-00003')
    """
    return f"{number:05d}" if not retry else f"retry-{retry:03d}-{number:05d}"


def split_name(shard: str, index: int) -> str:
    """The name of the shard of a single item that is split off another.

    >>> split_name("00012", 203)
    '00012.i000203'
    """
    return f"{shard}.i{index:06d}"


def parse_name(name: str) -> tuple[str, int | None]:
    """The planned shard that a name belongs to, and the index of the item that it was split off for, or None.

    Raises `BatchError` for anything that isn't the name of a shard, such as a path.

    >>> parse_name("00012.i000203"), parse_name("retry-001-00003")
    (('00012', 203), ('retry-001-00003', None))
    """
    match = _NAME.fullmatch(name)
    if match is None or not name.isascii():
        raise BatchError("the name of a shard, such as 00012", repr(name)[:60], "take it from Archive.missing()")
    return match["base"], None if match["item"] is None else int(match["item"])


def retry_of(shard: str) -> int:
    """The number of the retry that a shard belongs to; 0 if it was planned in the first place.

    >>> retry_of("00012.i000203"), retry_of("retry-002-00003")
    (0, 2)
    """
    return int(shard.split("-")[1]) if shard.startswith("retry-") else 0
