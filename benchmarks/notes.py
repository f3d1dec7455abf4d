"""What a long measurement has made so far, in a file, so that a call that was stopped can go on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Key = tuple[str | int, ...]


class Notes:
    """Items as they are made, one line of JSON each: `[*key, item]`. Without a file nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        self._known: dict[Key, Any] = {tuple(key): item for *key, item in map(json.loads, lines)}

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def find_or_make(self, key: Key, make: Callable[[], Any]) -> Any:
        """The item that is noted, else a new one."""
        if key not in self._known:
            # Through JSON either way, so that what is read back is the same.
            line = json.dumps([*key, make()])
            self._known[key] = json.loads(line)[-1]
            if self._path is not None:
                with self._path.open("a") as file:
                    file.write(line + "\n")
        return self._known[key]
