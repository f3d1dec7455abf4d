"""Data sets on the command line: which one an argument names, which of its samples are taken, and where records go."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from unveil.errors import UnveilError

if TYPE_CHECKING:
    from unveil.datasets import Dataset, Sample

ALL = "all"


class DatasetArgumentError(UnveilError):
    """An argument that names no data set, or a choice that it doesn't have."""


@dataclass(frozen=True)
class Chosen:
    """Samples in the data set's order. `without_boxes`: samples with an error that were passed over because boxes were
    asked for and they have none."""

    samples: tuple["Sample", ...]
    rule: str
    without_boxes: int = 0


def open_argument(text: str, split: str | None = None) -> "Dataset":
    """A data set from `FORM/PATH` as `open_dataset` takes it, or from a path alone, where the form is seen from what
    is there.

    `split`: a split by its name, or `all` for every image; None leaves the data set's default. Raises an `UnveilError`.
    """
    from unveil.datasets import ChestXray14, PascalVoc, StanfordDogs, open_dataset  # noqa: PLC0415

    form, path = _form_and_path(text)
    if split is None:
        return open_dataset(f"{form}/{path}")
    match form:
        case "chestxray14":
            return ChestXray14(path, None if split == ALL else split)
        case "stanford-dogs":
            return StanfordDogs(path, None if split == ALL else split)
        case "voc":
            return PascalVoc(path, split)
    if split == ALL:
        return open_dataset(f"{form}/{path}")
    raise DatasetArgumentError("a data set that has splits", f"--split {split} for {form}/{path}", "leave --split out")


def open_images(text: str, split: str | None = None) -> "Dataset":
    """As `open_argument`, but a folder without subfolders is one of images without labels."""
    from unveil.datasets import open_dataset  # noqa: PLC0415

    form, path = _form_and_path(text)
    is_flat = form == "folder" and path.is_dir() and not any(one.is_dir() for one in path.iterdir())
    return open_dataset(f"images/{path}") if is_flat and split is None else open_argument(text, split)


def _form_and_path(text: str) -> tuple[str, Path]:
    from unveil.datasets.opening import DATASET_FORMS  # noqa: PLC0415

    form, _, rest = text.partition("/")
    if form in DATASET_FORMS and rest and (Path(rest).exists() or not Path(text).exists()):
        return form, Path(rest)
    path = Path(text)
    if path.is_file():
        return "csv", path
    if not path.is_dir():
        raise DatasetArgumentError(
            f"the folder or table of a data set, or FORM/PATH with a form of {', '.join(DATASET_FORMS)}",
            f"{text}, which does not exist",
            "check the path",
        )
    if any(path.glob("Data_Entry_2017*.csv")):
        return "chestxray14", path
    if (path / "Images").is_dir() and (path / "Annotation").is_dir():
        return "stanford-dogs", path
    below = (path, *sorted(path.glob("VOC*")), *sorted(path.glob("VOCdevkit/VOC*")))
    years = [one for one in below if (one / "JPEGImages").is_dir()]
    if len(years) > 1:
        got = ", ".join(str(one) for one in years)
        raise DatasetArgumentError("one year of PASCAL VOC", got, "name the folder of one of them")
    return ("voc", years[0]) if years else ("folder", path)


def choose(dataset: "Dataset", limit: int | None, seed: int, *, with_boxes: bool) -> Chosen:
    """All samples, or the first `limit` of a shuffled order: the same seed gives the same ones, and a larger limit adds
    to them. With `with_boxes` only samples that have boxes are taken."""
    import numpy as np  # noqa: PLC0415

    # One order for every limit, so that records made for a smaller one are kept.
    order = np.random.default_rng(seed).permutation(len(dataset)) if limit is not None else np.arange(len(dataset))
    taken: dict[int, Sample] = {}
    passed = 0
    for place in map(int, order):
        if limit is not None and len(taken) == limit:
            break
        sample = dataset[place]
        if sample.boxes or not with_boxes:
            taken[place] = sample
        else:
            passed += sample.error is not None
    boxes = " that have boxes" if with_boxes else ""
    rule = f"{limit} images{boxes} at random, seed {seed}" if limit is not None else f"all images{boxes}"
    return Chosen(tuple(taken[place] for place in sorted(taken)), rule, passed)


def choose_names(text: str, known: Sequence[str] | None, what: str, *, several: bool = True) -> list[str]:
    """The names that a text lists between commas, each once; `all` for all `known` ones, unless one is asked for.

    `known`: the names that there are; None if any name may be given. Raises `DatasetArgumentError`.
    """
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if text == ALL and several and known is not None:
        return list(known)
    unknown = [] if known is None else [name for name in names if name not in known]
    if unknown or not names or (len(names) > 1 and not several):
        there, do = f"a {what}", "name one"
        if known is not None:
            there, do = f"a {what} among {', '.join(known)}", "choose one of them"
        raise DatasetArgumentError(there, repr(unknown[0] if unknown else text)[:80], do)
    return names


def record_names(ids: Sequence[str]) -> list[str]:
    """The name of a record's folder for each id: its path in safe characters, without the ending. Ids that would share
    a name (also on case-blind disks), or lost something, have a short hash of the id behind it."""
    plain = [_safe(one) for one in ids]
    times = Counter(name.lower() for name, _ in plain)
    return [
        f"{name}-{hashlib.sha256(one.encode(errors='surrogateescape')).hexdigest()[:8]}"
        if changed or times[name.lower()] > 1
        else name
        for one, (name, changed) in zip(ids, plain, strict=True)
    ]


def _safe(name: str) -> tuple[str, bool]:
    path = PurePosixPath(name)
    parts = [*path.parts[:-1], path.stem]
    # A path that leads elsewhere says nothing of use but its end.
    parts = parts if not path.is_absolute() and ".." not in parts else parts[-1:]
    joined = "_".join(parts)
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", joined).lstrip(".")[:100]
    return safe or "image", safe != joined


def read_matches(path: Path | None) -> dict[str, list[str | int]] | None:
    """The file of `--match`: labels of the data set, each with a label of the classifier (a name or an index) or a list
    of them. None for no file."""
    if path is None:
        return None
    form = 'a JSON table such as {"sofa": ["studio couch"], "train": [466, 547]}'
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DatasetArgumentError(form, f"{path}: {error}", "fix the file of --match") from error
    if not isinstance(found, dict):
        raise DatasetArgumentError(form, f"{path} with a {type(found).__name__}", "fix the file of --match")
    lists = {label: one if isinstance(one, list) else [one] for label, one in found.items()}
    for label, names in lists.items():
        if not all(type(name) in (str, int) for name in names):
            raise DatasetArgumentError(form, f"{path} with {names!r} for {label!r}", "fix the file of --match")
    return lists
