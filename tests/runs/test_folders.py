"""Names of folders: safe on every file system, readable, and made of the path alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unveil.runs.folders import folder_names, hashed_name, stem_name

STEMS = st.text(max_size=200).map(lambda text: text.replace("/", "_").replace("\0", "_"))


@given(st.lists(STEMS, min_size=1, max_size=6))
@example(["con", "CON", "con ", "con.", "Aux.tar"])
@example(["x" * 300, "x" * 299, "\udce9", "\udce8"])
def test_names_are_safe_and_different(stems):
    """No separator, no control character, no dot at either end, and short enough for any file system."""
    paths = [Path("x") / f"{number}" / f"{stem}.png" for number, stem in enumerate(stems)]
    names = folder_names(paths)
    assert len({name.casefold() for name in names}) == len(stems)
    for name in names:
        assert name.isprintable()
        assert not set(name) & set('/\\:*?"<>|$ ')
        assert not name.startswith(".")
        assert not name.endswith(".")
        assert 0 < len(name.encode()) <= 120
        assert name.upper().partition(".")[0] not in ("CON", "PRN", "AUX", "NUL", "COM1", "LPT9")


PATHS = [Path("a/dog.jpg"), Path("b/dog.png"), Path("c/DOG.tif"), Path("a/犬.png"), Path("ä b.nii.gz")]


@given(st.permutations(PATHS), st.data())
def test_names_belong_to_the_path_whatever_the_order(paths, data):
    names = dict(zip(paths, folder_names(paths), strict=True))
    assert (names[Path("a/犬.png")], names[Path("ä b.nii.gz")]) == ("犬", "ä_b")
    assert names == dict(zip(PATHS, folder_names(PATHS), strict=True))
    # In a part of the call, each has one of two names.
    part = data.draw(st.lists(st.sampled_from(paths), min_size=1))
    for path, name in zip(part, folder_names(part), strict=True):
        assert name in (stem_name(path), hashed_name(path))


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("Röntgen Thorax ä", "Röntgen_Thorax_ä"),
        ("हिन्दी", "हिन्दी"),
        ("a  b__c", "a_b__c"),
        ("line\nbreak", "line_break"),
        ("[red]x[", "_red_x_"),
        ("-dash", "-dash"),
        ("latin\udce9", "latin_"),
        ("o\u0308", "ö"),
        ("com1", "com1_"),
        ("lpt9.old", "lpt9_.old"),
        ("comic", "comic"),
        ("..", "image"),
    ],
)
def test_letters_and_marks_are_kept_and_everything_else_becomes_a_line(stem, name):
    assert stem_name(Path(f"x/{stem}.png")) == name


def test_one_file_has_one_name():
    assert hashed_name(Path("a/../dog.png")) == hashed_name(Path("dog.png")) == hashed_name(Path("dog.png").absolute())
    assert hashed_name(Path("a/dog.png")) != hashed_name(Path("b/dog.png"))
    assert folder_names([Path("dog.png"), Path("a/../dog.png")]) == ["dog", "dog"]


def test_a_name_is_the_same_in_a_locale_without_letters(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from unveil.runs.folders import folder_names, hashed_name\n"
        "(name,) = folder_names([Path(sys.argv[1])]); os.mkdir(name); os.mkdir(hashed_name(Path(sys.argv[1])))"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    path = tmp_path / "犬.png"
    subprocess.run([sys.executable, "-c", code, str(path)], env={**os.environ, **plain}, cwd=tmp_path, check=True)
    assert {folder.name for folder in tmp_path.iterdir()} == {"犬", hashed_name(path)}
