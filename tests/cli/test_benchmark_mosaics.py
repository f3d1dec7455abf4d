"""`unveil benchmark mosaics`: labels found where they are known, kept between calls, and what can't be used in one line."""

import json

import pytest
from colored_photographs import COLORS, SIDE, write_photograph
from commands import RECIPE, Shell

MODEL = """
from colored_photographs import color_network

def make():
    return color_network()
"""
QUICK = RECIPE.replace("rounds = 2", "rounds = 4") + '[fill]\nkind = "Mean"\n'


@pytest.fixture
def words(shell: Shell) -> tuple:
    """A call with a labeled folder, a network whose label is the color, and a quick recipe."""
    for name, color in COLORS.items():
        write_photograph(shell.folder / "photographs" / name.upper() / f"{name}.png", color)
    (shell.folder / "colors.py").write_text(MODEL)
    (shell.folder / "rounds.toml").write_text("trust = false\n" + QUICK)
    return (
        "benchmark",
        "mosaics",
        shell.folder / "photographs",
        *("--model", f"python/{shell.folder / 'colors.py'}:make"),
        *("--half", "all", "--mosaics", 2, "--json", "--out", shell.folder / "out"),
    )


def with_table(shell: Shell, text: str) -> None:
    """Write the table of a labeled folder."""
    (shell.folder / "photographs" / "labels.csv").write_text(text)


def test_rows_are_made_once(shell: Shell, words):
    call = (*words, "--methods", shell.folder / "rounds.toml", "--kinds", "different,pasted")
    code, printed, err = shell(*call)
    assert code == 0, err
    results = json.loads(printed)
    assert json.loads((shell.folder / "out" / "results.json").read_text()) == results
    assert [results[name] for name in ("benchmark", "half", "mosaics", "seed")] == ["mosaics", "all", 2, 0]
    assert results["network"]["grid"] == [SIDE, SIDE]
    assert results["photographs"]["used"] == 6
    assert results["photographs"]["usable"] == {
        "different": {"tested": 6, "tile": 6, "unreadable": 0, "not_predicted": 0},
        "pasted": {"tested": 6, "object": 6, "background": 6, "unreadable": 0, "not_predicted": 0},
    }
    four, pasted = results["rows"]
    assert (four["method"], four["kind"], pasted["kind"]) == ("rounds", "different", "pasted")
    assert (four["labels_present"], four["labels_found"]) == (8, 8)
    assert four["found_by_round"] == [0.25, 0.5, 0.75, 1]
    assert pasted["labels_present"] == 4
    assert pasted["found_by_round"][0] == 0.5, "the background first, which has more pixels"
    assert "different" in err and "rounds" in err
    files = sorted((shell.folder / "out").rglob("*/*.json"))
    assert len(files) == 4
    times = [path.stat().st_mtime_ns for path in files]
    _, again, _ = shell(*call)
    assert json.loads(again)["rows"] == results["rows"]
    assert [path.stat().st_mtime_ns for path in files] == times, "nothing is made twice"


def test_the_reference_comes_first_where_maps_need_it(shell: Shell, words):
    code, printed, err = shell(*words, "--methods", "SmoothGrad", "--mosaics", 1)
    assert code == 0, err
    ours, rival = json.loads(printed)["rows"]
    assert (ours["method"], rival["method"], ours["best_rival"]) == ("recommended", "SmoothGrad", "SmoothGrad")
    assert set(ours["verdicts"]) == {"supported", "weak", "artifact"}


def test_a_table_with_indices_and_halves(shell: Shell, words):
    """Seven photographs: four at even places, of which one has a wrong index and one isn't there."""
    rows = [f"{name.upper()}/{name}.png,{index}" for index, name in enumerate(COLORS)]
    rows = [rows[0], rows[1], rows[2], rows[3], "MAGENTA/magenta.png,0", rows[4], "gone.png,1"]
    with_table(shell, "file,class_index\n" + "\n".join(rows) + "\n")
    code, _, err = shell(*words, "--half", "tuning", "--methods", shell.folder / "rounds.toml")
    assert code == 2
    assert "at least 4 usable photographs" in err and "got 2 whose label" in err
    code, printed, err = shell(*words, "--methods", shell.folder / "rounds.toml")
    assert code == 0, err
    photographs = json.loads(printed)["photographs"]
    assert photographs["left_out"] == {"unreadable": 1, "without one label of the network": 0}
    assert photographs["usable"]["different"] == {"tested": 6, "tile": 5, "unreadable": 0, "not_predicted": 1}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--kinds", "thirty"), "a kind of mosaics among different, shared, nine, pasted; got 'thirty'"),
        (("--kinds", ","), "a kind of mosaics among different"),
        (("--half", "best"), "a half among report, tuning, all; got 'best'"),
        (("--half", "report,tuning"), "a half among report, tuning, all; got 'report,tuning'"),
        (("--methods", "Guesswork"), "a recipe recommended, paper, demo, lrp, black-box"),
        (("--methods", ","), "expected a method; got ','"),
        (("--kinds", "nine"), "at least 9 usable photographs"),
        (("--limit", 3), "; got 3 whose label"),
        (("--half", "report"), "at least 4 usable photographs"),
        (("--seed", -1), "seed of at least 0"),
    ],
)
def test_what_it_does_not_have(shell: Shell, words, more, told):
    code, printed, err = shell(*words, *more)
    assert (code, printed) == (2, "")
    assert told in err
    assert len([line for line in err.splitlines() if "error" in line]) == 1


def test_a_folder_without_labels(shell: Shell, words):
    (shell.folder / "plain").mkdir()
    write_photograph(shell.folder / "plain" / "a.png", (1, 2, 3))
    code, _, err = shell(*words[:2], shell.folder / "plain", *words[3:])
    assert code == 2 and "a folder with one subfolder per label" in err
    (shell.folder / "plain" / "labels.csv").write_text("file,size\na.png,3\n")
    code, _, err = shell(*words[:2], shell.folder / "plain", *words[3:])
    assert code == 2 and "a column of labels (class_index, label, labels, name)" in err
    code, _, err = shell(*words[:2], shell.folder / "gone", *words[3:])
    assert code == 2 and "does not exist" in err
    write_photograph(shell.folder / "other" / "mauve" / "a.png", (1, 2, 3))
    code, _, err = shell(*words[:2], shell.folder / "other", *words[3:])
    assert code == 2 and "a label of the network, such as red" in err


def test_a_stop_keeps_what_is_finished(shell: Shell, words, monkeypatch):
    from unveil.evaluation.mosaics import rows  # noqa: PLC0415

    measure, done = rows._measure, []

    def interrupted(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(measure(*arguments))
        return done[0]

    monkeypatch.setattr(rows, "_measure", interrupted)
    code, _, err = shell(*words, "--methods", shell.folder / "rounds.toml")
    assert code == 130 and "finished mosaics are kept" in err
    kept = json.loads((shell.folder / "out" / "scores" / "different-rounds.json").read_text())["content"]["scores"]
    assert kept == [json.loads(json.dumps(done[0].as_dict()))]
    monkeypatch.setattr(rows, "_measure", measure)
    code, printed, _ = shell(*words, "--methods", shell.folder / "rounds.toml")
    assert code == 0 and json.loads(printed)["rows"][0]["labels_present"] == 8
