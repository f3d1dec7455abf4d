"""Rows of the benchmark: made once, continued, made again when something changes, and refused with the reason."""

import json
from dataclasses import replace

import pytest
from colored_photographs import color_network, photographs

from unveil.attribution import SmoothGrad, Zennit
from unveil.classifiers import TorchClassifier
from unveil.evaluation.coalitions.partition import PartitionShap
from unveil.evaluation.mosaics.kinds import Kind
from unveil.evaluation.mosaics.leading import CoalitionLabels, naming_methods
from unveil.evaluation.mosaics.methods import RecipeNaming
from unveil.evaluation.mosaics.photographs import MosaicError
from unveil.evaluation.mosaics.rows import KindBenchmark, MethodRefusedError, MosaicBenchmark, check_methods
from unveil.fills import Mean
from unveil.recipes import Recipe
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.stopping import MaxRounds

SELECTOR = SmoothedThreshold(size_px=5, passes=1, threshold=RelativeToMax(0.3))
QUICK = Recipe(
    "quick", attribution=SmoothGrad(samples=2), selector=SELECTOR, fill=Mean(), stop=MaxRounds(4), trust=None
)
METHODS = (RecipeNaming("quick", QUICK), naming_methods()["GradCAM"])


class Measured:
    """Rows of one kind, with the number of images that went through the network."""

    def __init__(self, folder, monkeypatch) -> None:
        self.folder, self.images = folder, 0
        self.photographs = tuple(photographs(folder / "photographs"))
        logits = TorchClassifier.logits

        def counted(classifier, pixels):
            self.images += len(pixels)
            return logits(classifier, pixels)

        monkeypatch.setattr(TorchClassifier, "logits", counted)

    def passes_of(self, method: str) -> int:
        """What was kept for the first mosaic."""
        kept = json.loads((self.folder / "out" / "scores" / f"different-{method}.json").read_text())
        return kept["content"]["scores"][0]["passes"]

    def __call__(self, *, mosaics=2, seed=0, methods=METHODS, known=None, kind=Kind.DIFFERENT) -> list[dict]:
        self.images = 0
        classifier = color_network()
        benchmark = MosaicBenchmark(classifier, known or self.photographs, mosaics, seed, self.folder / "out")
        return KindBenchmark(benchmark, kind, lambda what, done, total: None).rows(methods)


@pytest.fixture
def measured(tmp_path, monkeypatch) -> Measured:
    """Rows in a folder of their own."""
    return Measured(tmp_path, monkeypatch)


def test_rows(measured):
    """Rounds find one color each; the rival names the four leading labels, which are the four colors."""
    ours, rival = measured()
    assert (ours["method"], ours["kind"], rival["method"]) == ("quick", "different", "GradCAM")
    assert (ours["labels_present"], ours["labels_found"], ours["labels_invented"]) == (8, 8, 0)
    assert ours["found_by_round"] == [0.25, 0.5, 0.75, 1]
    assert ours["found_share"] == 1 and ours["found_share_95"] == [1, 1]
    assert (rival["labels_present"], rival["labels_invented"]) == (8, 0)
    assert ours["best_rival"] == "GradCAM"
    assert ours["more_than_best_rival"] == ours["found_share"] - rival["found_share"]
    assert "best_rival" not in rival


def test_passes_are_counted_and_given_to_coalition_methods(measured):
    """Each round is 2 samples forward and backward, and the views of the image before and after it.

    One image that is predicted at first and one after each of four rounds make 5; 4 · (2 + 2) passes are gradients.
    """
    pytest.importorskip("shap", exc_type=ImportError)
    ours, rival = measured(mosaics=1, methods=(METHODS[0], CoalitionLabels(PartitionShap())))
    assert ours["passes"] == measured.passes_of("quick") == 4 * (2 + 2) + 5
    assert ours["passes"] + 1 <= rival["passes"] <= ours["passes"] + 2


def test_nothing_is_computed_twice(measured):
    first = measured()
    assert measured.images > 0
    assert measured() == first
    assert measured.images == 0
    assert measured(mosaics=1)[0]["labels_present"] == 4
    assert measured.images == 0, "fewer mosaics are the first ones"
    # One mosaic more: what is there is kept, so that it costs less than the first two.
    files = sorted((measured.folder / "out" / "scores").glob("*.json"))
    before = [json.loads(path.read_text())["content"]["scores"] for path in files]
    assert measured(mosaics=3)[0]["labels_present"] == 12
    after = [json.loads(path.read_text())["content"]["scores"] for path in files]
    assert [scores[:2] for scores in after] == before and {len(scores) for scores in after} == {3}


@pytest.mark.parametrize("change", ["seed", "photographs", "recipe", "damage"])
def test_what_changes_makes_new_scores(measured, change):
    measured(mosaics=1)
    arguments = {"mosaics": 1}
    match change:
        case "seed":
            arguments["seed"] = 1
        case "photographs":
            arguments["known"] = measured.photographs[1:]
        case "recipe":
            recipe = replace(QUICK, attribution=SmoothGrad(samples=3))
            arguments["methods"] = (RecipeNaming("quick", recipe), METHODS[1])
        case "damage":
            for path in (measured.folder / "out" / "scores").glob("*.json"):
                path.write_text('{"key": ')
    measured(**arguments)
    assert measured.images > 0
    measured(**arguments)
    assert measured.images == 0


def test_a_method_that_fails_says_why_and_the_others_go_on(measured):
    refused = RecipeNaming("odd", replace(QUICK, attribution=Zennit("Odd")))
    ours, odd, rival = measured(mosaics=1, methods=(METHODS[0], refused, METHODS[1]))
    assert ours["labels_found"] == 4 and "labels_found" in rival
    assert set(odd) == {"method", "kind", "refused"}
    assert "Odd" in odd["refused"]
    measured(mosaics=1, methods=(METHODS[0], refused, METHODS[1]))
    assert measured.images == 0
    with pytest.raises(MethodRefusedError, match="Odd"):
        measured(mosaics=1, methods=(refused, METHODS[1]))


def test_too_few_photographs(measured):
    with pytest.raises(MosaicError, match="at least 9 usable photographs .*nine, tile.*; got 6 whose label"):
        measured(kind=Kind.NINE)


def test_methods_have_different_names():
    with pytest.raises(MosaicError, match="'Quick' twice"):
        check_methods((RecipeNaming("Quick", QUICK), RecipeNaming("quick", QUICK)))
    check_methods(METHODS)
