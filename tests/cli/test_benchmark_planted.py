"""`unveil benchmark planted`: a row a method and network, kept between calls, with what doesn't work named."""

import json
import math
import statistics

import pytest
from commands import Shell

SMALL = ("benchmark", "planted", "--scenes", 1, "--suites", "usual,absent", "--json")


def test_rows_are_made_once(shell: Shell):
    words = (*SMALL, "--networks", "convnet-max", "--methods", "GuidedBackprop", "--out", shell.folder / "out")
    code, printed, err = shell(*words)
    assert code == 0, err
    results = json.loads(printed)
    ours, guided = results["rows"]
    assert [(row["method"], row["network"], row["head"]) for row in results["rows"]] == [
        ("recommended", "convnet", "max"),
        ("GuidedBackprop", "convnet", "max"),
    ]
    for row in (ours, guided):
        assert list(row)[3:9] == [
            "recall",
            "recall_equal_area",
            "precision",
            "false_region_rate",
            "rim_rate",
            "seconds",
        ]
        assert row["trials_without_evidence"] == 4
        assert row["recall"] == row["recall_by_round"][-1]
        assert set(row["by_suite"]) <= {"usual", "absent"}
    assert guided["rim_rate"] in (0, None), "a single map has no earlier round"
    if ours["cues"]:
        assert guided["ahead"] == pytest.approx(ours["recall"] - guided["recall_equal_area"])
    assert json.loads((shell.folder / "out" / "results.json").read_text()) == results
    files = sorted((shell.folder / "out" / "rows").glob("*.json"))
    times = [path.stat().st_mtime_ns for path in files]
    _, again, _ = shell(*words)
    assert json.loads(again)["rows"] == results["rows"]
    assert [path.stat().st_mtime_ns for path in files] == times, "nothing is made twice"
    # A damaged row is made again, and so is one with other settings.
    files[0].write_text("{")
    shell(*words)
    assert json.loads(files[0].read_text())["row"]["recall"] == guided["recall"]
    shell(*words, "--seed", 1)
    assert [path.stat().st_mtime_ns for path in files] != times


def test_coalition_methods_get_the_passes_of_the_rounds(shell: Shell):
    """For questions with regions their own, and the median for the four without evidence, where rounds end at once."""
    pytest.importorskip("shap", exc_type=ImportError)
    words = ("--networks", "convnet-max", "--methods", "PartitionSHAP", "--out", shell.folder / "out")
    code, printed, err = shell(*SMALL, *words)
    assert code == 0, err
    ours, partition = json.loads(printed)["rows"]
    took = json.loads((shell.folder / "out" / "rows" / "convnet-max-recommended.json").read_text())["took"]
    pairs = list(zip(took["passes"], took["areas"], strict=True))
    assert ours["passes"] == sum(passes for passes, _ in pairs) / len(pairs)
    own = [passes for passes, area_px in pairs if area_px]
    assert own and len(own) < len(pairs)
    wanted = sum(own) + (len(pairs) - len(own)) * math.ceil(statistics.median(own))
    # The explainer asks in pairs, so that the last batch of a question may have one image more.
    assert wanted <= partition["passes"] * len(pairs) <= wanted + len(pairs)
    assert partition["ahead"] == pytest.approx(ours["recall"] - partition["recall_equal_area"])


def test_a_method_that_does_not_work_on_a_network_says_why(shell: Shell):
    recipe = shell.folder / "guided.toml"
    _, text, _ = shell("recipe", "show", "paper")
    recipe.write_text(text.replace("samples = 50", "samples = 2"))
    words = ("--networks", "vit-max", "--methods", recipe, "--out", shell.folder / "out")
    code, printed, err = shell(*SMALL, *words)
    assert code == 0, err
    ours, guided = json.loads(printed)["rows"]
    assert ours["recall"] is not None or ours["cues"] == 0
    assert (guided["method"], guided["recall"], guided["precision"]) == ("guided", None, None)
    assert "GELU" in guided["refused"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--networks", "alexnet-max"), "a network among convnet-max"),
        (("--suites", "meadow"), "a suite among usual, many"),
        (("--methods", "Guesswork"), "a recipe recommended, paper, demo, lrp, black-box"),
    ],
)
def test_what_it_does_not_have(shell: Shell, words, told):
    code, _, err = shell("benchmark", "planted", *words, "--out", shell.folder / "out")
    assert code == 2
    assert told in " ".join(err.split())
