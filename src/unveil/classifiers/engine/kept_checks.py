"""Keeps the results of the precision check between processes: it takes as long as twelve gradients.

A check depends on the network, the machine and the versions alone, so its result is kept under a key of all of them, in
a small file in the user's cache folder: `$UNVEIL_CACHE`, or else `unveil` in `$XDG_CACHE_HOME` or in `~/.cache`. An
empty `UNVEIL_CACHE` keeps nothing. A file that can't be read, or that holds anything else, counts as none.
"""

import hashlib
import json
import os
import platform
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any, TypeGuard

import torch

from unveil import __version__
from unveil.atomic import written_atomically
from unveil.classifiers.base import Classifier
from unveil.classifiers.engine import precision
from unveil.classifiers.engine.precision import PrecisionCheck
from unveil.errors import RecordError

VARIABLE, FILE = "UNVEIL_CACHE", "precision.json"
MAX_KEPT, MAX_BYTES = 200, 100_000


def cache_folder() -> Path | None:
    """The folder of what is kept between processes; None if nothing is to be kept."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unveil"
    except RuntimeError:
        return None


def check_key(classifier: Classifier) -> str | None:
    """SHA-256 of everything that the precision check of a classifier depends on.

    The network enters with its weights and with its output for a synthetic image, which changes with its code. None for
    a classifier without such an output.
    """
    if classifier.probe is None:
        return None
    device = classifier.device
    parts = [
        __version__,
        torch.__version__,
        *(precision.SAMPLES, precision.NOISE, precision.BOX_PX, precision.SHARE, precision.PROBES),
        platform.node(),
        torch.backends.cpu.get_cpu_capability(),
        torch.get_num_threads(),
        torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        classifier.fingerprint,
        repr(classifier.preprocessing),
        *classifier.probe.logits,
        classifier.probe.norm,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def recall_check(key: str | None) -> PrecisionCheck | None:
    """The result that was kept under a key; None if there is none."""
    folder = cache_folder()
    if key is None or folder is None:
        return None
    shares = _read(folder / FILE).get(key)
    return PrecisionCheck(*shares) if _are_shares(shares) else None


def keep_check(key: str | None, check: PrecisionCheck) -> None:
    """Keep a result, and the `MAX_KEPT` - 1 latest of the others. A folder that can't be written to keeps nothing."""
    folder = cache_folder()
    if key is None or folder is None:
        return
    path = folder / FILE
    kept = {other: shares for other, shares in _read(path).items() if other != key and _are_shares(shares)}
    kept = dict([*kept.items(), (key, list(astuple(check)))][-MAX_KEPT:])
    with suppress(RecordError), written_atomically(path, "a check", with_folders=True) as part:
        part.write_text(json.dumps(kept), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _are_shares(shares: Any) -> TypeGuard[list[float]]:
    """True for three numbers in [0, 1], the values of a check."""
    return isinstance(shares, list) and len(shares) == 3 and all(type(one) is float and 0 <= one <= 1 for one in shares)
