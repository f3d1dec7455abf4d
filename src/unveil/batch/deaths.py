"""How often shards and items took their worker with them, kept across calls."""

import contextlib
import json
from pathlib import Path

from unveil.atomic import write_text

MOST_DEATHS = 2
_NAME = "deaths.json"


class DeathCounts:
    """Deaths of workers per shard, in `deaths.json` beside the shards.

    It is only a hint: without it, or with one that can't be read, shards are tried again as if they were new.
    """

    def __init__(self, folder: Path) -> None:
        """Read what earlier calls counted."""
        self._path = folder / _NAME
        self._counts: dict[str, int] = {}
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            self._counts = {str(shard): int(count) for shard, count in dict(told).items()}
        except (OSError, ValueError, TypeError):
            return

    def of(self, shard: str) -> int:
        """How many workers died on a shard."""
        return self._counts.get(shard, 0)

    def add(self, shard: str) -> int:
        """Count one death more, and return the sum. Raises `RecordError` if it can't be written."""
        self._counts[shard] = self.of(shard) + 1
        write_text(self._path, json.dumps(self._counts, indent=1, sort_keys=True) + "\n")
        return self._counts[shard]

    def clear(self) -> None:
        """Forget all, because nothing is left to do."""
        self._counts = {}
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
