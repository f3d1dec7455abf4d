"""Names of classes in every usual form of file; what could shift or lose one is refused."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unveil.classifiers import load_classifier
from unveil.classifiers.sources.label_files import order_labels, read_labels
from unveil.errors import ClassifierError

NAMES = ("tench", "great white shark", "Ödem, links")
KERAS = {str(index): [f"n0{index}", name] for index, name in enumerate(NAMES)}
TABLE = 'index,name\n1,great white shark\n0,tench\n2,"Ödem, links"\n'

FILES = {
    "lines.txt": "\n".join(NAMES),
    "with an end.txt": "\n".join(NAMES) + "\n\n \n",
    "Windows.txt": "\ufeff" + "\r\n".join(NAMES) + "\r\n",
    "list.json": json.dumps(NAMES),
    "list.txt": json.dumps(NAMES),
    "by index.json": json.dumps({"2": NAMES[2], "0": NAMES[0], "1": NAMES[1]}),
    "class_to_idx.json": json.dumps({name: index for index, name in reversed(list(enumerate(NAMES)))}),
    "texts.json": json.dumps({name: str(index) for index, name in enumerate(NAMES)}),
    "config.json": json.dumps({"model_type": "vit", "id2label": dict(enumerate(NAMES)), "label2id": {"x": 0}}),
    "class_index.json": json.dumps(KERAS),
    "categories.json": json.dumps({"categories": [{"id": index, "name": NAMES[index]} for index in (2, 0, 1)]}),
    "wrapped.json": json.dumps({"epoch": 3, "class_to_idx": {name: index for index, name in enumerate(NAMES)}}),
    "table.csv": TABLE,
    "semicolons.csv": TABLE.replace(",", ";").replace("Ödem; links", "Ödem, links"),
    "tabs.tsv": "name\tid\ngreat white shark\t1\ntench\t0\nÖdem, links\t2\n",
    "classes.csv": 'class,display_name,count\n1,great white shark,7\n0,tench,7\n2,"Ödem, links",9\n',
    "without header.csv": 'tench,0\n"Ödem, links",2\ngreat white shark,1\n\n',
    "names.csv": 'name\ntench\ngreat white shark\n"Ödem, links"\n',
    "identifiers.csv": 'id,name\n/m/1,tench\n/m/2,great white shark\n/m/3,"Ödem, links"\n',
}


@pytest.mark.parametrize("name", FILES)
def test_every_form_gives_the_names_in_order(name, tmp_path):
    (tmp_path / name).write_text(FILES[name], encoding="utf-8", newline="")
    assert read_labels(tmp_path / name) == NAMES
    assert read_labels(str(tmp_path / name)) == NAMES


def test_windows_writes_utf_16(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(NAMES), encoding="utf-16")
    assert read_labels(tmp_path / "a.txt") == NAMES


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"cat\n\ndog\n", "an empty line 2 in front of others; write one name per line, a JSON list"),
        ("a.txt", b"\ncat\ndog", "an empty line 1"),
        ("a.txt", b"", "no labels"),
        ("a.txt", b"cat\ndo\x1b[2Jg\n", r"label names of printable characters; got .*a.txt with 'do\\x1b\[2Jg'; take"),
        ("a.txt", b"cat\tdog\n", r"got .*a.txt with 'cat\\tdog'"),
        ("a.txt", b"\xff\xfe\xfa", "text that isn't UTF-16"),
        ("a.txt", "Ödem".encode("latin-1"), "text that isn't UTF-8"),
        ("a.json", b"[" * 100_000, "JSON that is nested too deeply"),
        ("a.txt", b"[" * 100_000, "JSON that is nested too deeply"),
        ("a.json", b'["a", ', "Expecting value in line 1"),
        ("a.json", b'"cat"', "a JSON str instead of a list or a dictionary"),
        ("a.json", b'["a", ""]', r"2 labels, some empty \(the first has index 1\)"),
        ("a.json", b'["a", 3]', "non-empty label names; got .*a.json with int 3; write names as text"),
        ("a.json", b'["a", null]', "NoneType None"),
        ("a.json", b'{"1": "a", "2": "b"}', "indices 0 to 1; got .*a.json with 2 labels without index 0; number them"),
        ("a.json", b'{"a": 0, "b": 0}', "2 labels without index 1"),
        ("a.json", b'{"a": 0, "a": 1}', "the key 'a' twice"),
        ("a.json", b'{"a": true, "b": 1}', "True in place of an index"),
        ("a.json", b'{"a": "b", "c": "d"}', "'a' in place of an index"),
        ("a.json", b'{"a": 1000000000000000000000000}', "a number too large for an index"),
        ("a.json", b'[{"id": 0}]', "without id and name"),
        ("a.json", b'{"0": {"deep": 1}}', "dict"),
        ("a.json", b"{}", "no labels"),
        ("a.csv", b"index,name\n0,cat\n2,dog\n", "2 labels without index 1"),
        ("a.csv", b"index,name\n0,cat\n0,dog\n", "2 labels without index 1"),
        ("a.csv", b"index,name\n0,cat\nx,dog\n", "'x' in place of an index"),
        ("a.csv", b"index,name\n0,cat\n1,dog,wolf\n", "3 cells in row 3 and 2 in row 1"),
        ("a.csv", b"index,name\n0,cat\n\n1,dog\n", "0 cells in row 3"),
        ("a.csv", b"this,that\ncat,dog\n", "a table with the columns this, that"),
        ("a.csv", b"index,name\n0,\n1,dog\n", "some empty"),
        ("a.csv", b"", "columns of nothing"),
        ("a.csv", b"index,name\n", "a table without rows"),
        ("a.csv", b'index,name\n0,"cat\n', "unexpected end of data"),
        ("a.yaml", b"names: [a, b]", "YAML; write one name per line"),
    ],
)
def test_what_could_shift_or_lose_a_name_is_refused(name, content, told, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ClassifierError, match=told) as error:
        read_labels(tmp_path / name)
    assert str(error.value).replace(str(tmp_path), "").isprintable()
    assert len(str(error.value)) < 600


def test_no_file_and_no_labels(tmp_path):
    with pytest.raises(ClassifierError, match="a file with label names; got .*none.txt: No such file or directory"):
        read_labels(tmp_path / "none.txt")
    with pytest.raises(ClassifierError, match="a folder"):
        read_labels(tmp_path)
    assert read_labels(None) is None


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a", "b"], ("a", "b")),
        (("a", "b"), ("a", "b")),
        (np.array(["a", "b"]), ("a", "b")),
        ({0: "a", 1: "b"}, ("a", "b")),
        ({"1": "b", "0": "a"}, ("a", "b")),
        ({"b": 1, "a": 0}, ("a", "b")),
        ({"b": np.int64(1), "a": torch.tensor(0)}, ("a", "b")),
        ({"0": 0, "1": 1}, ("0", "1")),
        ({"7": 0, "3": 1}, ("7", "3")),
        ({0: ("n1", "a"), 1: ("n2", "b")}, ("a", "b")),
        ((name for name in "ab"), ("a", "b")),
        (["crane", "crane"], ("crane", "crane")),
        ([" a ", "b"], ("a", "b")),
    ],
)
def test_labels_from_python(labels, expected):
    result = order_labels(labels)
    assert result == expected
    assert all(type(name) is str for name in result)


@pytest.mark.parametrize(
    "labels", [{"a", "b"}, [0, 1], 5, [], {}, ["a", ""], [b"a"], {1: "a", 2: "b"}, {0: 0, 1: 1.5}, [None]]
)
def test_labels_from_python_that_have_no_order_or_name(labels):
    with pytest.raises(ClassifierError, match="labels|label names"):
        order_labels(labels)


@given(
    st.lists(st.text("abcdefghij .,-äß犬", min_size=1).filter(str.strip), min_size=1, unique_by=str.strip), st.randoms()
)
def test_all_dictionaries_of_the_same_names_agree(names, random):
    names = [name.strip() for name in names]
    pairs = list(enumerate(names))
    random.shuffle(pairs)
    assert order_labels(dict(pairs)) == order_labels({name: index for index, name in pairs}) == tuple(names)
    assert order_labels({str(index): ["id", name] for index, name in pairs}) == tuple(names)


def test_a_classifier_takes_dictionaries_and_files(tmp_path):
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    (tmp_path / "config.json").write_text(FILES["config.json"], encoding="utf-8")
    mapping = {name: index for index, name in enumerate(NAMES)}
    for labels in (mapping, dict(enumerate(NAMES)), tmp_path / "config.json"):
        assert load_classifier(module, labels=labels).labels == NAMES
    with pytest.raises(ClassifierError, match="labels"):
        load_classifier(module, labels={"a": 0, "b": 1})
