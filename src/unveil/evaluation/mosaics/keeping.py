"""Results that are kept on disk, each with a key of everything it depends on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unveil import __version__
from unveil.atomic import write_text
from unveil.classifiers import Classifier


class Kept:
    """A JSON file with a key; its content is empty if there is no file, or one that is damaged or has another key."""

    def __init__(self, path: Path, key: str) -> None:
        """Read the file at `path`, if it has this key."""
        self.path, self.key = path, key
        self.content: dict[str, Any] = {}
        try:
            there = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, ValueError):
            return
        if isinstance(there, dict) and there.get("key") == key:
            self.content = there["content"]

    def write(self, content: Mapping[str, Any]) -> None:
        """Replace the content in one step. Raises `RecordError`."""
        self.content = dict(content)
        text = json.dumps({"key": self.key, "content": self.content}, indent=1, allow_nan=False)
        write_text(self.path, text + "\n")


def key_of(*parts: Any) -> str:
    """SHA-256 of the version of the package and of parts that JSON can hold."""
    text = json.dumps([__version__, *parts], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def describe_classifier(classifier: Classifier) -> dict[str, Any]:
    """What the predictions of a classifier depend on."""
    return {
        "fingerprint": classifier.fingerprint,
        "output": classifier.output.value,
        "labels": list(classifier.labels),
        "preprocessing": classifier.preprocessing.as_dict(),
        "precision": classifier.precision,
    }
