"""The table of many runs: its order, its counts, and what became of the first label."""

import io
from dataclasses import replace

import numpy as np
from commands import Shell
from rich.console import Console

from labeled_runs import three_labels
from tiny_runs import run
from unveil.cli.overview import overview_table, summarize_run
from unveil.predictions import Output, Prediction
from unveil.records import Verdict


def judged(*verdicts: Verdict, drop: float = 1.0):
    """A run of `three_labels` with as many regions as verdicts, each of this drop."""
    made = three_labels()
    card = run().trust.cards[0]
    regions = tuple(replace(made.regions[0], score_before=drop, score_after=0.0) for _ in verdicts)
    rounds = (replace(made.rounds[0], regions=regions),)
    cards = tuple(replace(card, verdict=verdict) for verdict in verdicts)
    return replace(made, rounds=rounds, trust=replace(run().trust, cards=cards, games=()))


def printed(*runs) -> list[str]:
    console = Console(width=120, file=io.StringIO())
    console.print(overview_table([summarize_run(made, f"image-{place}") for place, made in enumerate(runs)], 120))
    return console.file.getvalue().splitlines()


def test_the_worst_verdict_comes_first_and_then_the_smallest_drop():
    supported, weak, artifact = Verdict.SUPPORTED, Verdict.WEAK, Verdict.ARTIFACT
    lines = printed(
        judged(supported),
        judged(weak, supported),
        replace(three_labels(), rounds=()),
        judged(supported, artifact, supported),
        judged(weak, drop=0.25),
        judged(artifact, drop=-1.0),
    )
    assert [line.split()[0] for line in lines[1:]] == [f"image-{place}" for place in (5, 3, 4, 1, 0, 2)]
    assert lines[2].split()[1:5] == ["artifact", "3", "2", "1"]
    assert lines[6].split()[1:4] == ["no", "region", "0"]


def test_the_first_label_and_what_took_its_place():
    made = judged(Verdict.SUPPORTED)
    for logits, first, last in (
        ([0.0, np.log(3), -50.0], "cat 96% → 25%", "dog 75%"),
        ([np.log(4), 0.0, -50.0], "cat 96% → 80%", ""),
    ):
        rounds = (replace(made.rounds[0], after=Prediction(np.array(logits), Output.SOFTMAX)),)
        overview = summarize_run(replace(made, rounds=rounds), "a")
        assert (overview.first, overview.last) == (first, last)


def test_a_call_of_several_images_ends_with_the_table(shell: Shell):
    images = [shell.photograph(f"{name}.png", seed) for seed, name in enumerate("abc")]
    code, _, err = shell("run", *images, *shell.common, "--figure", "none")
    assert code == 0
    table = err[err.index("image  ") :]
    assert sorted(line.split()[0] for line in table.splitlines()[1:4]) == ["a.png", "b.png", "c.png"]
    _, out, _ = shell("show", shell.folder / "out")
    ends = [line.split()[1:] for line in table.splitlines()]
    assert [line.split()[1:] for line in out.splitlines()] == ends
    _, _, err = shell("run", images[0], *shell.common, "--figure", "none")
    assert "worst verdict" not in err
