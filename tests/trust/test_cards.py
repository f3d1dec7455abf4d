"""Cards of whole runs on classifiers whose evidence is known in closed form; and the parts that make them."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cubes
from tiny_runs import RECIPES, classifier, differences, image
from toys import SIDE, Additive, Strongest, square, toy, white
from unveil.attribution import Gradient, GuidedBackprop, Occlusion, SmoothGrad
from unveil.classifiers import TorchClassifier
from unveil.errors import RecipeError
from unveil.fills import Constant, SoftEdge
from unveil.images import Image
from unveil.masked import MaskedClassifier
from unveil.recipes import Recipe, TrustSettings, paper
from unveil.records import Run, TrustCard, Verdict
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.rounds import find_regions, finish_run, iter_rounds, start_run
from unveil.saliency import MaxAbs
from unveil.stopping import Explained, MaxRounds, NotSignificant, StopKind
from unveil.store import load_run
from unveil.targets import Class
from unveil.trust.placement import random_placements
from unveil.trust.randomization import LAST_WEIGHTS, randomize_last_layers

SQUARES = [(2, 3, 6), (20, 8, 8), (30, 30, 10)]
WEIGHTS = [[0.05, 0.03, 0.02], [0.0, 0.01, 0.0]]
GRAYS = TrustSettings(fills=(Constant(0.0), Constant(0.2), Constant(0.4)), samples=0)


def recipe(**settings) -> Recipe:
    """A region is exactly where the gradient is, erased to black."""
    exact = SmoothedThreshold(size_px=1, passes=1, threshold=RelativeToMax(0.9), split=True)
    known = {"attribution": Gradient(), "magnitude": MaxAbs(), "selector": exact, "fill": Constant(0.0), "trust": GRAYS}
    return Recipe(**{**known, "target": Class("a"), **settings})


def cards(module: nn.Module, **settings) -> tuple[Run, tuple[TrustCard, ...]]:
    run = find_regions(white(), toy(module), recipe(**settings))
    return run, run.trust.cards


# ---- one region


def test_every_value_of_a_card_in_closed_form():
    """One square that counts: erasing it to gray g takes (1 − g) of it; its rim is 4·(side − 1) of side² pixels."""
    run, (card,) = cards(Additive([(20, 8, 8)], [[0.03], [0.0]], [-1.0, 0.0]), stop=MaxRounds(1))
    worth = 0.03 * 3 * 64
    assert card.necessity == pytest.approx(worth, rel=1e-4)
    assert (card.sufficiency, card.baseline) == (pytest.approx(worth - 1, rel=1e-4), pytest.approx(-1))
    assert (card.placements, card.p_value, card.p_holm, card.q_value) == (39, 1 / 40, 1 / 40, 1 / 40)
    np.testing.assert_allclose(card.fill_drops, [worth, 0.8 * worth, 0.6 * worth], rtol=1e-4)
    assert card.fill_agreement == pytest.approx(0.6, rel=1e-4)
    assert card.boundary_share == pytest.approx(4 * 7 / 64, rel=1e-4)
    assert card.shapley_value == pytest.approx(worth, rel=1e-4)
    assert (card.randomized_overlap, card.randomized_rank_correlation) == (None, None)
    assert card.verdict is Verdict.SUPPORTED
    assert card.reason == "its drop is larger than at all 39 other places tried, and other fills agree (60%)"
    # Once each: the region alone, everything erased, 39 placements, some of them at the same place, two more grays
    # (black is the run's own fill), and the boundary. The original and the image without the region were predicted by
    # the loop already.
    inside = run.regions[0].model_mask.to_array()
    places = random_placements(inside, inside, f"{run.seed}/{run.source.sha256}/null", 39)
    distinct = {place.tobytes() for place in places}
    assert run.trust.passes == 2 + len(distinct) + 2 + 1


def test_the_boundary_test_uses_a_hard_edge_and_erases_other_regions():
    """Of two squares the stronger decides: with its rim gone (a third of its pixels) the weaker takes over, and all of
    the small drop has gone. With the weaker erased as well it is a third."""
    squares, weights = [(4, 4, 10), (30, 30, 10)], [[0.03, 0.029], [0.0, 0.0]]
    run, result = cards(Strongest(squares, weights, [0.0, 0.0]), stop=MaxRounds(2), fill=SoftEdge(Constant(0.0), 3))
    assert np.array_equal(run.regions[0].model_mask.to_array(), square(*squares[0]))
    assert run.regions[0].drop == pytest.approx(0.001 * 300, rel=1e-3)
    for card in result:
        assert card.boundary_share == pytest.approx(36 / 100, rel=1e-3)
        assert card.verdict is Verdict.SUPPORTED


class Seen(nn.Module):
    """logit_a = value(pixels) − nothing, with a gradient of 1 in a square: so that a region is found where we want."""

    def __init__(self, inside: np.ndarray) -> None:
        super().__init__()
        self.inside = nn.Parameter(torch.from_numpy(inside).float())

    def value(self, gray: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        shown = ((x - x.detach()) * self.inside).sum((1, 2, 3))
        value = self.value(x.detach().mean(1))
        return torch.stack([value + shown, torch.zeros_like(value)], 1)


class Edges(Seen):
    """Every edge within 2 px of the square costs its height: whatever darkens the square lowers the score."""

    def value(self, gray: Tensor) -> Tensor:
        near = nn.functional.max_pool2d(self.inside[None], 5, 1, 2)[0]
        across = (gray.diff(dim=2).abs() * near[:, 1:]).sum((1, 2))
        return -across - (gray.diff(dim=1).abs() * near[1:]).sum((1, 2))


class Inside(Seen):
    """Only the middle of the square counts."""

    def value(self, gray: Tensor) -> Tensor:
        rim = nn.functional.max_pool2d(1 - self.inside[None], 5, 1, 2)[0]
        return (gray * (1 - rim)).sum((1, 2))


@pytest.mark.parametrize("fills", [(Constant(0.0), Constant(0.2), Constant(0.4)), (Constant(1.0),)])
def test_an_effect_of_edges_is_not_supported_and_one_of_the_inside_is(fills):
    """Edges: with only the rim erased there are two edges, of 40 and 32 px, instead of one of 40. A white fill leaves
    no edge, so the drop depends on the fill: an artifact. Where the grays agree, it is at least no support."""
    trust = TrustSettings(fills=fills, samples=0)
    _, (edges,) = cards(Edges(square(20, 8, 10)), stop=MaxRounds(1), trust=trust)
    assert edges.boundary_share == pytest.approx(72 / 40)
    assert edges.p_value == 1 / (1 + edges.placements)
    assert edges.fill_agreement == pytest.approx(0 if fills == (Constant(1.0),) else 0.6)
    assert edges.verdict is (Verdict.ARTIFACT if fills == (Constant(1.0),) else Verdict.WEAK)
    assert "erasing only its boundary lowers the score 1.8 times as much" in edges.reason
    _, (inside,) = cards(Inside(square(20, 8, 10)), stop=MaxRounds(1))
    assert (inside.boundary_share, inside.verdict) == (0, Verdict.SUPPORTED)


def test_a_rim_of_what_was_erased_is_an_artifact():
    """A classifier that likes the surroundings of a black hole: its second region is the ring around the first, and
    erasing that only makes a larger ring."""

    class Holes(Additive):
        def forward(self, x):
            hole = (x.mean(1, keepdim=True) < 0.5).float()
            near = nn.functional.max_pool2d(hole, 5, 1, 2) - hole
            return super().forward(x) + torch.stack([(near * x).sum((1, 2, 3)) * 0.1, torch.zeros(len(x))], 1)

    module = Holes([(20, 8, 8)], [[0.5], [0.0]], [0.0, 0.0])
    run, (cue, rim) = cards(module, stop=MaxRounds(2))
    assert run.regions[1].is_rim
    assert rim.verdict is Verdict.ARTIFACT
    assert (
        rim.reason
        == "100% of its saliency lies along the rim of what was erased before; erasing it doesn't lower the score"
    )
    assert cue.verdict is not Verdict.ARTIFACT
    # The same null ends a run: of the second round nothing is significant.
    stopped = find_regions(white(), toy(module), recipe(stop=MaxRounds(5) | NotSignificant()))
    assert (stopped.stop.kind, len(stopped.rounds)) == (StopKind.NOT_SIGNIFICANT, 2)
    assert stopped.stop.text == "no region of round 2 is significant: p = 1.00, above 0.1"


class Mixed(Additive):
    """Evidence for, evidence against, and a likeness for dark holes: regions of all verdicts."""

    def forward(self, x: Tensor) -> Tensor:
        dark = nn.functional.avg_pool2d((x.mean(1, keepdim=True) < 0.5).float(), 5, 1, 2)
        return super().forward(x) + torch.stack([0.3 * dark.sum((1, 2, 3)), torch.zeros(len(x))], 1)


@pytest.mark.parametrize("fills", [(Constant(0.0), Constant(0.2)), (Constant(1.0),)])
@pytest.mark.parametrize(
    "module",
    [
        Additive(SQUARES, WEIGHTS, [0.0, 0.0]),
        Strongest(SQUARES, WEIGHTS, [0.0, 0.0]),
        Mixed(SQUARES, [[0.05, -0.03, 0.02], [0.0] * 3], [0.0, 0.0]),
        Edges(square(20, 8, 10)),
        Inside(square(20, 8, 10)),
    ],
    ids=["additive", "strongest", "mixed", "edges", "inside"],
)
def test_tests_that_are_left_out_would_change_no_verdict(module, fills):
    trust = TrustSettings(fills=fills, samples=0)
    run, some = cards(module, stop=MaxRounds(4), trust=trust)
    full_run, all_ = cards(module, stop=MaxRounds(4), trust=dataclasses.replace(trust, adaptive=False))
    assert [card.verdict for card in some] == [card.verdict for card in all_]
    assert all(card.fill_agreement is not None for card in all_)
    for region, card in zip(run.regions, some, strict=True):
        open_ = region.drop > 0 and card.p_value is not None
        assert (card.placements > 0) == open_
        assert (card.fill_agreement is not None) == (open_ and (card.p_value or 1.0) <= trust.alpha)
    skipped = sum(card.fill_agreement is None for card in some)
    assert (run.trust.passes < full_run.trust.passes) == (skipped > 0)


def test_a_region_that_raises_the_score_is_tested_no_further():
    """Its evidence is against the class: p = 1 without a placement, and the others are corrected for it as well."""
    run, some = cards(Additive(SQUARES[1:], [[0.05, -0.05], [0.0] * 2], [0.0, 0.0]), stop=MaxRounds(1))
    against = [card for region, card in zip(run.regions, some, strict=True) if region.drop <= 0]
    assert against
    assert {(card.placements, card.p_value, card.verdict) for card in against} == {(0, 1.0, Verdict.WEAK)}
    (other,) = [card for card in some if card not in against]
    assert other.q_value == pytest.approx(2 * other.p_value)


def test_a_run_continues_while_regions_are_significant():
    run, _ = cards(Additive(SQUARES, WEIGHTS, [0.0, 0.0]), stop=MaxRounds(3) | NotSignificant(0.1, 20))
    assert run.stop.kind is StopKind.MAX_ROUNDS


# ---- the network that forgets


class Gate(nn.Module):
    """logits = W · Σ pixels of a square: where to look isn't among the weights, only what it means."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("inside", torch.from_numpy(square(20, 8, 8)).float())
        self.linear = nn.Linear(1, 2)
        nn.init.constant_(self.linear.weight, 0.1)

    def forward(self, x):
        return self.linear((x * self.inside).sum((1, 2, 3))[:, None] / 10)


def test_maps_survive_only_if_the_last_weights_do_not_matter():
    """Weights of a white noise say where to look: drawn anew, they say something else, and maps are unrelated."""
    _, (gate,) = cards(Gate(), stop=MaxRounds(1), trust=dataclasses.replace(GRAYS, samples=4, adaptive=False))
    assert (gate.randomized_overlap, gate.randomized_rank_correlation) == (1, pytest.approx(1))

    class Everywhere(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            rng = torch.Generator().manual_seed(1)
            self.weight = nn.Parameter(torch.randn((2, 3 * SIDE * SIDE), generator=rng))

        def forward(self, x):
            return x.flatten(1) @ self.weight.T

    settings = {"selector": SmoothedThreshold(size_px=5, passes=1, threshold=RelativeToMax(0.9))}
    _, (noise,) = cards(
        Everywhere(), stop=MaxRounds(1), trust=dataclasses.replace(GRAYS, samples=4, adaptive=False), **settings
    )
    assert noise.randomized_overlap is not None
    assert noise.randomized_overlap < 0.5
    assert abs(noise.randomized_rank_correlation) < 0.5  # not 0: towards the grid's edges both smoothed maps fade


def test_only_the_last_weights_of_a_copy_are_drawn_anew():
    requested = classifier()
    before = {name: weight.clone() for name, weight in requested.copy_of_module().state_dict().items()}
    torch_state = torch.random.get_rng_state()
    other = randomize_last_layers(requested, "key")
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    after, others = (one.copy_of_module().state_dict() for one in (requested, other))
    assert requested.fingerprint != other.fingerprint == randomize_last_layers(requested, "key").fingerprint
    for name, weight in before.items():
        assert torch.equal(after[name], weight)
        changed = weight.ndim >= 2
        assert torch.equal(others[name], weight) != changed
        if changed:
            assert others[name].std() == pytest.approx(weight.std().item(), rel=0.2)
    assert sum(weight.ndim >= 2 for weight in before.values()) <= LAST_WEIGHTS


def test_only_gradients_and_smoothgrad_are_randomized():
    all_tests = TrustSettings(adaptive=False)
    guided = SmoothGrad(GuidedBackprop(), samples=50)
    assert all_tests.randomized_method(GuidedBackprop()) == GuidedBackprop()
    assert all_tests.randomized_method(guided) == SmoothGrad(GuidedBackprop(), samples=8)
    assert all_tests.randomized_method(SmoothGrad(samples=4)) == SmoothGrad(samples=4)
    assert all_tests.randomized_method(Occlusion()) is None
    assert TrustSettings(samples=0, adaptive=False).randomized_method(Gradient()) is None


def test_plain_gradients_are_randomized_only_where_everything_is_tested():
    assert TrustSettings().randomized_method(SmoothGrad()) is TrustSettings().randomized_method(Gradient()) is None
    assert TrustSettings().randomized_method(SmoothGrad(GuidedBackprop())) is not None


# ---- whole runs


@pytest.mark.parametrize("name", ["guided, joint, top 2", "plain, separate tracks", "no noise, a margin"])
def test_cards_do_not_depend_on_the_batch_size_nor_change_the_classifier(name):
    requested = classifier()
    weights = {key: one.clone() for key, one in requested.copy_of_module().state_dict().items()}
    runs = [find_regions(image(), requested, RECIPES[name], seed=7, batch_size=size) for size in (8, 8, 3)]
    assert len(runs[0].trust.cards) == len(runs[0].regions) > 0
    assert differences(runs[0].trust, runs[1].trust) == []
    for card, other in zip(runs[0].trust.cards, runs[2].trust.cards, strict=True):
        assert (card.verdict, card.p_value, card.placements) == (other.verdict, other.p_value, other.placements)
        assert card.necessity == pytest.approx(other.necessity, rel=1e-3, abs=1e-5)
        assert (card.shapley_value or 0.0) == pytest.approx(other.shapley_value or 0.0, rel=1e-3, abs=1e-5)
        assert (
            (card.randomized_overlap is None)
            == (card.randomized_rank_correlation is None)
            == (other.randomized_overlap is None)
        )
    for key, one in requested.copy_of_module().state_dict().items():
        assert torch.equal(one, weights[key])


def test_cards_of_a_volume():
    """max(strong, weak): half of the weaker's worth is the stronger's as well, and each stands in for the other."""
    run = find_regions(
        Image.from_array(cubes.volume(), axes="d h w"),
        cubes.classifier(),
        dataclasses.replace(
            cubes.RECIPE, trust=TrustSettings(placements=19, fills=(Constant(0.0), Constant(0.1)), samples=2)
        ),
    )
    strong, weak = (cubes.GAIN * brightness * cubes.CUBE**3 for brightness in (0.9, 0.6))
    (game,) = run.trust.games
    np.testing.assert_allclose(game.shares, [strong - weak / 2, weak / 2], rtol=1e-4)
    assert game.interactions[0][1] == pytest.approx(-weak, rel=1e-4)
    # Of 5³ voxels all but 3³ are rim; of the weaker cube, which touches the grid's edge, all but 3·3·4.
    for card, worth, inner in zip(run.trust.cards, (strong, weak), (27, 36), strict=True):
        assert card.sufficiency == pytest.approx(worth - cubes.BIAS, rel=1e-4)
        assert (card.placements, card.p_value) == (19, 1 / 20)
        assert card.boundary_share == pytest.approx(1 - inner / 125, rel=1e-4)
        assert card.verdict is Verdict.SUPPORTED


def test_without_regions_there_are_no_cards_and_no_predictions():
    blind = find_regions(image(), classifier(blind=True), RECIPES["no region"])
    assert (blind.trust.cards, blind.trust.games, blind.trust.passes) == ((), (), 0)


def test_cards_can_be_left_out():
    module = Additive(SQUARES, WEIGHTS, [0.0, 0.0])
    run = find_regions(white(), toy(module), recipe(stop=MaxRounds(1)), trust=False)
    assert run.trust is None
    assert run.recipe["trust"] is False
    assert Recipe.from_dict(run.recipe) == recipe(stop=MaxRounds(1), trust=None)


class Counting(TorchClassifier):
    """Keeps every image that it predicts; gradients aren't counted."""

    def predict(self, pixels, batch_size=8):
        images = self.__dict__.setdefault("images", [])
        images += [one.numpy().tobytes() for one in pixels.detach()]
        return super().predict(pixels, batch_size)


def counting(module: nn.Module) -> Counting:
    return Counting(module, toy(Gate()).preprocessing, ("a", "b"))


def test_no_view_is_predicted_twice():
    classifier_ = counting(Additive(SQUARES, WEIGHTS, [0.0, 0.0]))
    masked = MaskedClassifier(classifier_, torch.ones(3, SIDE, SIDE), Constant(0.0), "stream", 4)
    areas = [square(*one) for one in SQUARES]
    views = [masked.view(area, fill) for area in areas for fill in (None, Constant(0.0), Constant(0.5))]
    nothing = [masked.view(np.zeros((SIDE, SIDE), bool), fill) for fill in (None, Constant(0.5))]
    masked.evaluate([*views, *nothing, *views])
    predictions = masked.predict(views)
    assert masked.passes == len(classifier_.images) == len(set(classifier_.images)) == 3 * 2 + 1
    # The same as without the cache, in the order of the views.
    for view, prediction in zip(views, predictions, strict=True):
        (alone,) = TorchClassifier.predict(classifier_, masked.render(view)[None])
        np.testing.assert_allclose(prediction.logits, alone.logits, rtol=1e-5)


class Doubled(Gate):
    """Another precision, which can be told from the first: its logits are twice as large."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_views_that_are_only_compared_have_a_classifier_and_a_cache_of_their_own():
    exact, other = counting(Gate()), counting(Doubled())
    other._module.load_state_dict(exact._module.state_dict())
    masked = MaskedClassifier(exact, torch.ones(3, SIDE, SIDE), Constant(0.0), "stream", 4, other)
    view = masked.view(square(*SQUARES[0]))
    (prediction,), (compared,) = masked.predict([view]), masked.compared.predict([view])
    np.testing.assert_allclose(compared.logits, 2 * prediction.logits, rtol=1e-5)
    masked.compared.evaluate([view])
    assert (len(exact.images), len(other.images), masked.passes, masked.compared.passes) == (1, 1, 2, 1)
    assert MaskedClassifier(exact, masked.pixels, Constant(0.0), "stream", 4, exact).compared.classifier is exact


def test_records_hold_exact_scores_and_tests_compare_within_one_precision(monkeypatch):
    """The other form has logits twice as large: scores, ratios and p-values stay; the drops of other fills are its own."""
    module = Additive(SQUARES, WEIGHTS, [0.0, 0.0])
    other = toy(module)
    monkeypatch.setattr(other, "logits", lambda pixels: 2 * TorchClassifier.logits(other, pixels))
    exact_run, exact_cards = cards(module, stop=MaxRounds(3))
    monkeypatch.setattr(Gradient, "comparing_classifier", lambda self, classifier: other)
    run, some = cards(module, stop=MaxRounds(3))
    assert [region.drop for region in run.regions] == [region.drop for region in exact_run.regions]
    for mine, exact in zip(some, exact_cards, strict=True):
        kept = ("necessity", "sufficiency", "baseline", "p_value", "q_value", "verdict", "shapley_value")
        assert [getattr(mine, name) for name in kept] == [getattr(exact, name) for name in kept]
        assert (mine.fill_agreement, mine.boundary_share) == pytest.approx((exact.fill_agreement, exact.boundary_share))
        np.testing.assert_allclose(mine.fill_drops, 2 * np.array(exact.fill_drops), rtol=1e-4)


def test_a_whole_run_predicts_no_image_twice():
    """Loop, a stop that needs placements, a stop that needs a blank image, and the trust cards share one cache."""
    classifier_ = counting(Additive(SQUARES, WEIGHTS, [0.0, 0.0]))
    chosen = recipe(stop=MaxRounds(3) | NotSignificant(0.1, 20) | Explained(0.99), fill=Constant(0.1))
    context = start_run(white(), classifier_, chosen)
    assert len(list(iter_rounds(context))) == 3
    before = context.masked.passes
    run = finish_run(context)
    # The record adds the output for one fixed image.
    assert context.masked.passes + 1 == len(classifier_.images) == len(set(classifier_.images))
    assert run.trust.passes == context.masked.passes - before > 0


# ---- records and settings


def test_a_record_without_cards_is_loaded_without_cards(tmp_path):
    run = find_regions(white(), toy(Gate()), recipe(stop=MaxRounds(1)), trust=False)
    run.save(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["trust"] is None
    assert load_run(tmp_path / "run") == run
    assert run.card(run.regions[0]) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"placements": 0}, "1 to 10000 placements"),
        ({"alpha": 1.0}, "alpha between 0 and 1"),
        ({"max_players": 9}, "max_players from 0 to 8"),
        ({"samples": 1}, "0 samples, or 2 to 10000"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        TrustSettings(**settings)
    if settings.keys() <= {"placements", "alpha"}:
        with pytest.raises(RecipeError, match=message):
            NotSignificant(**settings)


def test_recipes_with_and_without_cards_as_toml():
    mine = dataclasses.replace(
        paper(), trust=TrustSettings(placements=9, fills=(Constant(0.5),)), stop=MaxRounds(2) | NotSignificant()
    )
    assert Recipe.from_toml(mine.to_toml()) == mine
    none = dataclasses.replace(paper(), trust=None)
    assert "trust = false" in none.to_toml()
    assert Recipe.from_toml(none.to_toml()) == none
    assert Recipe.from_toml('name = "x"').trust == TrustSettings()
    with pytest.raises(RecipeError, match=r"recipe\.trust\.placements to be int"):
        Recipe.from_toml('[trust]\nplacements = "many"')
    with pytest.raises(RecipeError, match="to be a table"):
        Recipe.from_toml("trust = true")
