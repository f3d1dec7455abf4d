"""A target of its own for each image: applied, or refused before anything is computed."""

from pathlib import Path

import pytest
from commands import Shell

import unveil
from unveil.errors import TargetError
from unveil.runs import ImageSettings, read_targets
from unveil.targets import Class, Predicted


@pytest.fixture
def table(tmp_path) -> Path:
    return tmp_path / "targets.csv"


def test_rows_belong_to_images_in_any_order(table):
    paths = [table.parent / "a.png", table.parent / "b, c.png", Path("d.png")]
    table.write_text('target,image,threshold,spacing\nclass:dog,d.png,,0.5\n,"b, c.png",0.25,1 2\ncat,a.png,,\n')
    assert read_targets(table, paths) == [
        ImageSettings(Class("cat")),
        ImageSettings(Predicted(0.25), (1.0, 2.0)),
        ImageSettings(Class("dog"), (0.5, 0.5)),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,target\na.png,cat\n", "none for .*b.png"),
        ("image,target\na.png,cat\nb.png,cat\nc.png,cat\n", "row 4, 'c.png', which isn't among"),
        ("image,target\na.png,cat\na.png,dog\nb.png,cat\n", "row 3, 'a.png', which is there twice"),
        ("image,target,color\na.png,cat,1\nb.png,cat,1\n", "image, target, color"),
        ("image\na.png\nb.png\n", "with image"),
        ("image,target\na.png\nb.png,cat\n", "1 in row 2"),
        ("image,target,threshold\na.png,cat,0.5\nb.png,cat,\n", "0.5 for 'cat'"),
        ("image,target,spacing\na.png,cat,wide\nb.png,cat,\n", "row 2 of .*wide"),
        ("image,target,spacing\na.png,cat,-1\nb.png,cat,\n", "got '-1'"),
        ("", "with none"),
    ],
)
def test_what_can_not_be_applied_is_refused(table, content, message):
    table.write_text(content)
    with pytest.raises(TargetError, match=message):
        read_targets(table, [table.parent / "a.png", table.parent / "b.png"])


def test_each_record_has_its_own_target_and_spacing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    shell = Shell(tmp_path, capsys, monkeypatch)
    images = [shell.photograph("a.png"), shell.photograph("b.png", 1)]
    table = shell.folder / "targets.csv"
    words = ("run", *images, *shell.common, "--figure", "none", "--targets", table)
    table.write_text("image,target,spacing\nb.png,dog,0.5 0.25\na.png,cat,\n")
    code, _, err = shell(*words)
    assert code == 0, err
    a, b = (unveil.load_run(shell.folder / "out" / name) for name in "ab")
    assert ({one.target for one in a.rounds[0].maps}, a.source.spacing_mm) == ({"cat"}, None)
    assert ({one.target for one in b.rounds[0].maps}, b.source.spacing_mm) == ({"dog"}, (0.5, 0.25))
    table.write_text("image,target\nb.png,wolf\na.png,cat\n")
    code, _, err = shell(*words, "--out", shell.folder / "new")
    assert (code, (shell.folder / "new").exists()) == (2, False)
    assert "wolf" in err
    assert shell(*words, "--target", "cat")[0] == 2
