"""A planted shortcut, from images to the summary: the letter that a network reads is named, and nothing without it."""

import pytest
from shortcut_archive import CORNER, LABEL, plan_archive, write_scenes

from batch_sets import finished
from unveil.attribution import Gradient, SmoothGrad
from unveil.batch.summary import ArchiveSummary, summarize_archive
from unveil.fills import Mean
from unveil.recipes import Recipe
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.stopping import MaxRounds
from unveil.targets import Predicted

# As few passes through the network as possible; the benchmark uses the recipe of the demo, with trust cards.
RECIPE = Recipe(
    "quick",
    target=Predicted(),
    attribution=SmoothGrad(Gradient(), samples=4),
    selector=SmoothedThreshold(size_px=5, passes=2, threshold=RelativeToMax(0.3)),
    fill=Mean(),
    stop=MaxRounds(2),
    trust=None,
)


def summary_of(folder, *, marked: bool) -> ArchiveSummary:
    samples = write_scenes(folder / "scenes", 42, marked=marked)
    return summarize_archive(finished(plan_archive(folder, samples, RECIPE)))


def test_the_summary_names_the_letter_and_its_label(tmp_path):
    places = summary_of(tmp_path, marked=True).shortcuts
    assert [(place.label, place.where) for place in places] == [(LABEL, CORNER)]
    (place,) = places
    assert place.share > 0.8
    assert place.is_at_margin
    assert place.others_share == pytest.approx(0, abs=0.05)
    assert place.p_value < 1e-6
    assert place.share_if_true is not None


def test_the_summary_says_nothing_of_the_same_scenes_without_the_letter(tmp_path):
    summary = summary_of(tmp_path, marked=False)
    assert summary.places == ()
    assert next(row for row in summary.labels if row.label == LABEL).placed >= 20
