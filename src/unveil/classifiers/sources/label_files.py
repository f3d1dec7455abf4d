"""Names of classes, from files and from Python: one name per index from 0 on, in order, or an error."""

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unveil.errors import ClassifierError

LARGEST = 50_000_000  # bytes of a file
FORMS = "one name per line, a JSON list or dictionary, or a CSV table with the columns index and name"
# Where files keep the names: transformers' config.json, torchvision's class_to_idx, COCO, configurations.
JSON_KEYS = ("id2label", "label2id", "class_to_idx", "categories", "names", "labels", "classes")
NAME_COLUMNS = ("name", "label_name", "class_name", "display_name", "label", "category", "class", "description")
INDEX_COLUMNS = ("index", "idx", "id", "class_index", "class_idx", "class_id", "label_index", "label_id", "target")
CONTROL = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories of what isn't a character of a name

Labels = Sequence[str] | Mapping[Any, Any] | str | Path


def read_labels(labels: Labels | None) -> tuple[str, ...] | None:
    """Names in the order of their indices; a text or a path is a file. None stays None.

    - A file has one name per line, or is a JSON list, a JSON dictionary in one of the forms of `order_labels`, a file
      with one of these under `id2label`, `class_to_idx` and the like, or a CSV table.
    - Anything else is ordered and checked by `order_labels`.

    Raises `ClassifierError` for indices that aren't 0 … n − 1, for empty names, and for control characters.
    """
    if not isinstance(labels, str | Path):
        return None if labels is None else order_labels(labels)
    path = Path(labels)
    try:
        return order_labels(_parse(path, _read_text(path)))
    except RecursionError as error:
        raise _unreadable(path, "JSON that is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise _unreadable(path, f"{error.msg} in line {error.lineno}") from error
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    except ClassifierError as error:
        raise ClassifierError(error.expected, f"{path} with {error.got}", error.do) from error


def order_labels(labels: Any) -> tuple[str, ...]:
    """Names in the order of their indices.

    A sequence is in order. A dictionary has names by index (`{0: "cat"}`, also with the index as text), indices by name
    (`{"cat": 0}`), or identifier and name by index (`{"0": ["n02123045", "tabby"]}`).

    >>> order_labels({"dog": 1, "cat": 0})
    ('cat', 'dog')
    """
    if isinstance(labels, set | frozenset):
        raise ClassifierError("labels in their order", "a set, which has none", "give a list")
    if not isinstance(labels, Iterable):
        raise ClassifierError("a list of non-empty label names", type(labels).__name__, "give one name for every index")
    names = _from_mapping(labels) if isinstance(labels, Mapping) else tuple(map(_plain, labels))
    others = [name for name in names if not isinstance(name, str)]
    if others:
        do = "write names as text, in the order of their indices"
        raise ClassifierError("a list of non-empty label names", f"{type(others[0]).__name__} {_short(others[0])}", do)
    empty = [index for index, name in enumerate(names) if not name.strip()]
    if empty or not names:
        got = f"{len(names)} labels, some empty (the first has index {empty[0]})" if empty else "no labels"
        raise ClassifierError("a list of non-empty label names", got, "write one name for every index")
    control = next((name for name in names if any(unicodedata.category(c) in CONTROL for c in name.strip())), None)
    if control is not None:
        do = "take tabs and other control characters out of it"
        raise ClassifierError("label names of printable characters", _short(control), do)
    return tuple(str(name).strip() for name in names)


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise ValueError("a folder")
    if path.suffix.lower() in (".yaml", ".yml"):
        raise ValueError("YAML")
    if path.exists() and path.stat().st_size > LARGEST:
        raise ValueError(f"more than {LARGEST // 10**6} MB")
    content = path.read_bytes()
    # UTF-16 as Windows writes it has a mark at its beginning.
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"text that isn't {encoding.removesuffix('-sig').upper()}") from error


def _parse(path: Path, text: str) -> Any:
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _from_table(text)
    # A list of lines may begin with a bracket too: it's JSON only if all of it is.
    json_like = suffix == ".json" or text.lstrip()[:1] in ("[", "{")
    content = _as_json(text, required=suffix == ".json") if json_like else None
    return _from_lines(text) if content is None else _inside(content)


def _as_json(text: str, *, required: bool) -> list | dict | None:
    """A list or dictionary; None for a text that is neither, unless it has to be."""
    try:
        content = json.loads(text, object_pairs_hook=_without_twins, parse_int=_small)
    except json.JSONDecodeError:
        if required:
            raise
        return None
    if isinstance(content, list | dict):
        return content
    if required:
        raise ValueError(f"a JSON {type(content).__name__} instead of a list or a dictionary")
    return None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the key {_short(twice)} twice")
    return names


def _small(digits: str) -> int:
    if len(digits) > 12:
        raise ValueError("a number too large for an index")
    return int(digits)


def _inside(content: list | dict) -> Any:
    """The part of a JSON file that holds the names."""
    if isinstance(content, dict):
        key = next((key for key in JSON_KEYS if isinstance(content.get(key), list | dict)), None)
        content = content if key is None else content[key]
    if isinstance(content, list) and content and all(isinstance(entry, dict) for entry in content):
        if not all({"id", "name"} <= entry.keys() for entry in content):
            raise ValueError("a list of dictionaries without id and name")
        return _by_index([(entry["id"], entry["name"]) for entry in content])
    return content


def _from_lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if "" in lines:
        # Left out, it would shift all later names.
        raise ValueError(f"an empty line {lines.index('') + 1} in front of others")
    return lines


def _from_table(text: str) -> list[str] | tuple[str, ...]:
    """Names of a CSV table: by its column of indices if it has one, else in the order of its rows."""
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    ragged = next((number for number, row in enumerate(rows, 1) if len(row) != len(rows[0])), None)
    if ragged is not None:
        raise ValueError(f"{len(rows[ragged - 1])} cells in row {ragged} and {len(rows[0])} in row 1")
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    named = [column for column in NAME_COLUMNS if column in header]
    indexed = [column for column in INDEX_COLUMNS if column in header]
    body = rows[1:] if named or indexed else rows
    columns = list(zip(*body, strict=True))
    if not columns:
        raise ValueError(f"a table {'without rows' if rows else 'with the columns of nothing'}")
    numbered = [position for position, cells in enumerate(columns) if all(_index(cell) is not None for cell in cells)]
    if indexed and any(_index(cell) is not None for cell in columns[header.index(indexed[0])]):
        index = header.index(indexed[0])
    else:
        index = next((n for n in numbered if len(columns) > 1), None)
    names = [header.index(column) for column in named if header.index(column) != index]
    names = names or [n for n in range(len(columns)) if n != index]
    if not names or (not named and len(names) > 1):
        raise ValueError(f"a table with the columns {', '.join(header[:6])}")
    if index is None:
        return list(columns[names[0]])
    return _by_index(list(zip(columns[index], columns[names[0]], strict=True)))


def _from_mapping(labels: Mapping[Any, Any]) -> tuple[Any, ...]:
    pairs = [(_plain(key), _plain(value)) for key, value in labels.items()]
    if pairs and all(isinstance(name, str) and isinstance(index, int) for name, index in pairs):
        return _by_index([(index, name) for name, index in pairs])
    if all(_index(index) is None for index, _ in pairs) and all(_index(index) is not None for _, index in pairs):
        return _by_index([(index, name) for name, index in pairs])
    # torchvision's and Keras' class_index: identifier and name.
    return _by_index([(index, name[-1] if isinstance(name, list | tuple) and name else name) for index, name in pairs])


def _by_index(pairs: list[tuple[Any, Any]]) -> tuple[Any, ...]:
    """Names sorted by indices, which have to be 0 … n − 1."""
    wrong = next((index for index, _ in pairs if _index(index) is None), None)
    if wrong is not None:
        raise ClassifierError("labels with their indices", f"{_short(wrong)} in place of an index", f"write {FORMS}")
    names = {_index(index): name for index, name in pairs}
    missing = next((index for index in range(len(pairs)) if index not in names), None)
    if missing is not None:
        got = f"{len(pairs)} labels without index {missing}"
        raise ClassifierError(f"labels with the indices 0 to {len(pairs) - 1}", got, "number them from 0 on, each once")
    return tuple(names[index] for index in range(len(pairs)))


def _index(value: Any) -> int | None:
    """The index that a number or a text is, or None."""
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    return int(text) if isinstance(value, int | str) and text.isascii() and text.isdigit() and len(text) < 10 else None


def _plain(value: Any) -> Any:
    """NumPy's and PyTorch's numbers and texts as Python's."""
    return value.item() if hasattr(value, "item") and not isinstance(value, str | bytes) else value


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]} …"


def _unreadable(path: Path, what: str) -> ClassifierError:
    return ClassifierError("a file with label names", f"{path}: {what}", f"write {FORMS}")
