"""Draw the pictures of the README and the docs that need nothing from outside.

python scripts/draw_pictures.py            # into docs/pictures
"""

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes  # noqa: TID251
from matplotlib.colors import to_rgb  # noqa: TID251
from matplotlib.figure import Figure  # noqa: TID251
from PIL import Image as Pillow  # noqa: TID251 (a sheet of arrays, written once)
from scipy import ndimage

from unveil import Class, Image, Recipe, Region, find_regions, load_classifier
from unveil.attribution import GuidedBackprop, SmoothGrad
from unveil.context import RunContext
from unveil.planted import Scene, draw_scene
from unveil.planted.scenes.suites import SUITES, suite_scene
from unveil.recipes import demo, paper
from unveil.records.trust import TrustCard
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.render.contours import draw_contour
from unveil.render.marks import VERDICT_COLORS
from unveil.render.parts import COLORS, FAINT, NEUTRAL, hide_axes
from unveil.render.style import INK, figure_style
from unveil.trust.placement import random_placements

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SCENE = 100_019  # four signs of one class, and several things that mean nothing
SUITE_SEEDS = range(860_020, 860_022)
YELLOW = (1.0, 0.9, 0.1)
ORANGE = COLORS[0]
# The paper's settings for scenes of 128 px. With a fixed class, rounds go on after it is no longer predicted.
PAPER_128 = replace(
    paper(),
    attribution=SmoothGrad(GuidedBackprop(), samples=8, noise=0.15),
    selector=SmoothedThreshold(size_px=5, passes=3, threshold=RelativeToMax(0.3)),
    target=Class("oak"),
)
# Without a label check, every test is made; with it, the label decides the verdict of this region.
ALL_TESTS = replace(demo(), label_check=None)
# Inches of the sheet of trust cards: a picture, the field of drops, the texts, the gap between columns.
SIDE, FIELD, TEXTS, GAP, ROW = 1.95, 2.5, 1.6, 0.12, 2.62


def main() -> None:
    """The figure of the demo, the sheet of suites and two trust cards, at a size for a page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    scene = draw_scene(SCENE)
    image = Image.from_array(scene.pixels, source=f"planted scene {SCENE}")
    run = find_regions(image, load_classifier("planted/demo"), "demo")
    run.figure().savefig(FOLDER / "demo.jpg", dpi=120, pil_kwargs={"quality": 85})
    _draw_suites()
    _draw_trust_cards()


def _draw_suites() -> None:
    """Five suites per row, two scenes of each, one above the other, with a line around every cue."""
    columns = [np.concatenate([_outlined(suite_scene(suite, seed)) for seed in SUITE_SEEDS]) for suite in SUITES]
    rows = [np.concatenate(columns[begin : begin + 5], axis=1) for begin in range(0, len(columns), 5)]
    sheet = np.concatenate([np.pad(row, ((0, 12), (0, 0), (0, 0)), constant_values=1.0) for row in rows])
    Pillow.fromarray(np.round(sheet[:-12] * 255).astype(np.uint8)).save(FOLDER / "suites.jpg", quality=78)


def _outlined(scene: Scene) -> np.ndarray:
    """Twice as large, with a line around every cue, in a white frame."""
    pixels = np.kron(scene.pixels.transpose(1, 2, 0), np.ones((2, 2, 1), np.float32))
    for cue in scene.cues:
        inside = np.kron(cue.inside, np.ones((2, 2), bool))
        near, nearer = (np.asarray(ndimage.binary_dilation(inside, iterations=px)) for px in (3, 2))
        pixels[np.logical_and(near, np.logical_not(nearer))] = YELLOW
    return np.pad(pixels, ((2, 2), (2, 2), (0, 0)), constant_values=1.0)


@dataclass(frozen=True, eq=False)
class CardPicture:
    """What one row of the sheet of trust cards shows; `drops` are those of the region's shape at `places`."""

    title: str
    pixels: Float[np.ndarray, "h w 3"]
    region: Region
    card: TrustCard
    erased: Bool[np.ndarray, "h w"]
    places: tuple[Bool[np.ndarray, "h w"], ...]
    drops: tuple[float, ...]


def _card_picture(title: str, image: Image, recipe: Recipe, number: int) -> CardPicture:
    """Run the image, and evaluate the placements of a region's card once more."""
    classifier = load_classifier("planted/demo", precision="fp32")
    run = find_regions(image, classifier, recipe)
    region = run.regions[number]
    card = run.trust.cards[number]  # type: ignore[union-attr] (both recipes make cards)
    (found,) = (one for one in run.rounds if any(region is other for other in one.regions))
    context = RunContext.create(image, classifier, recipe)
    inside, erased, taken = (mask.to_array() for mask in (region.model_mask, found.erased, found.erased_after))
    places = random_placements(inside, taken, f"{context.stream}/null", card.placements)
    masked = [context.masked.render(context.masked.view(erased | place)) for place in places]
    predictions = classifier.predict(torch.stack(masked))
    label = classifier.labels.index(region.target)
    drops = tuple(region.score_before - float(one.logits[label]) for one in predictions)
    return CardPicture(title, image.pixels.transpose(1, 2, 0), region, card, erased, places, drops)


def _draw_trust_cards() -> None:
    """A supported region and an artifact: the region, its shape at random places, the drops, and the verdict."""
    scene, other = draw_scene(SCENE), draw_scene(200_002)
    eight_bit = np.round(scene.pixels.transpose(1, 2, 0) * 255).astype(np.uint8)
    rows = (
        _card_picture("The second of four poppies", Image.from_array(eight_bit), ALL_TESTS, 1),
        _card_picture("A region along the rim of an erased area", Image.from_array(other.pixels), PAPER_128, 3),
    )
    with figure_style():
        figure = Figure(figsize=(9.5, ROW * len(rows) + 0.1), facecolor="white")
        for number, row in enumerate(rows):
            _draw_card(figure, figure.get_figheight() - 0.5 - ROW * number, row)
    _write_small(figure, FOLDER / "trust-card.png")


def _draw_card(figure: Figure, top: float, row: CardPicture) -> None:
    """One row of the sheet; `top` in inches is the upper edge of its pictures."""
    width, height = figure.get_figwidth(), figure.get_figheight()
    lefts = [GAP, 2 * GAP + SIDE, 7.5 * GAP + 2 * SIDE + GAP, 10.5 * GAP + 2 * SIDE + FIELD]
    heads = ("the region", f"its shape at {len(row.places)} random places", "drop of the score", "trust card")
    figure.text(GAP / width, (top + 0.27) / height, row.title, fontsize=9, weight="bold", va="bottom")
    for left, head in zip(lefts, heads, strict=True):
        figure.text(left / width, (top + 0.06) / height, head, fontsize=7.5, color=FAINT, va="bottom")
    boxes = [
        figure.add_axes((left / width, (top - SIDE) / height, size / width, SIDE / height))
        for left, size in zip(lefts, (SIDE, SIDE, FIELD, TEXTS), strict=True)
    ]
    inside = row.region.model_mask.to_array()
    for axes in boxes[:2]:
        _show_erased(axes, row)
    for place in row.places:
        draw_contour(boxes[1], place, "white", 1.5, 0.55)
        draw_contour(boxes[1], place, INK, 0.6, 0.9)
    for axes in boxes[:2]:
        draw_contour(axes, inside, "black", 2.4, 0.85)
        draw_contour(axes, inside, ORANGE, 1.5, 1.0)
    _draw_drops(boxes[2], row)
    _draw_numbers(boxes[3], row)


def _show_erased(axes: Axes, row: CardPicture) -> None:
    """The image, with what was erased before in white."""
    hide_axes(axes)
    shown = np.clip(0.12 + 0.88 * (0.8 * row.pixels + 0.2 * row.pixels.mean(2, keepdims=True)), 0, 1)
    shown[row.erased] = 0.25 * shown[row.erased] + 0.75
    axes.imshow(shown, interpolation="lanczos")
    draw_contour(axes, row.erased, "white", 0.7, 0.9)


def _draw_drops(axes: Axes, row: CardPicture) -> None:
    """Three strips of drops: the region's, with other fills, and at random places."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(NEUTRAL)
    axes.tick_params(colors=FAINT, labelsize=7, length=2, pad=2)
    values = (0.0, row.region.drop, *row.drops, *row.card.fill_drops)
    margin = 0.08 * (max(values) - min(values))
    axes.set(yticks=[], ylim=(-0.75, 2.6), xlim=(min(values) - margin, max(values) + margin))
    axes.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
    axes.axvline(row.region.drop, color=ORANGE, linewidth=0.9, linestyle=(0, (3, 2)), zorder=0)
    drops = sorted(row.drops)
    heights = _swarm(drops, (max(values) - min(values)) / 40)
    axes.scatter(drops, heights, s=13, color=INK, alpha=0.55, linewidth=0)
    fills = row.card.fill_drops
    axes.scatter(fills, [1] * len(fills), s=24, marker="D", facecolor="none", edgecolor=ORANGE, linewidth=1.1)
    axes.scatter([row.region.drop], [2], s=60, color=ORANGE, edgecolor="black", linewidth=0.6, zorder=3)
    for height, text in enumerate(("at random\nplaces", f"with {len(fills)}\nother fills", "this region")):
        style = {"ha": "right", "va": "center", "fontsize": 7.5, "transform": axes.get_yaxis_transform()}
        axes.text(-0.03, height, text, **style)


def _swarm(values: Sequence[float], width: float) -> list[float]:
    """Heights that keep dots of about the same value apart, alternating above and below 0, within ±0.52."""
    counts: dict[int, int] = {}
    steps = []
    for value in values:
        cell = round(value / width)
        count = counts[cell] = counts.get(cell, -1) + 1
        steps.append((count + 1) // 2 * (1 if count % 2 else -1))
    scale = min(0.11, 0.52 / max(1, *map(abs, steps)))
    return [scale * step for step in steps]


def _draw_numbers(axes: Axes, row: CardPicture) -> None:
    """The verdict and the numbers it rests on."""
    region, card = row.region, row.card
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.text(0, 1, str(card.verdict), fontsize=13, weight="bold", color=VERDICT_COLORS[card.verdict], va="top")
    lines = (
        ("drop", f"{region.drop:+.2f}"),
        ("q-value", "–" if card.q_value is None else f"{card.q_value:.2f}"),
        ("fill agreement", f"{card.fill_agreement:.0%}"),
        ("boundary share", "–" if card.boundary_share is None else f"{card.boundary_share:.0%}"),
        ("rim share", f"{region.rim_share:.0%}"),
        ("Shapley value", "–" if card.shapley_value is None else f"{card.shapley_value:+.2f}"),
    )
    for number, (name, value) in enumerate(lines):
        height = 0.78 - 0.105 * number
        axes.text(0, height, name, fontsize=7.5, color=FAINT, va="top")
        axes.text(1, height, value, fontsize=7.5, va="top", ha="right")


def _write_small(figure: Figure, path: Path) -> None:
    """A PNG of 256 colors; those of texts and lines, and their mixtures with white, are kept as they are."""
    content = io.BytesIO()
    figure.savefig(content, dpi=150, format="png")
    picture = Pillow.open(content).convert("RGB")
    inks = [np.array(to_rgb(ink)) for ink in (*VERDICT_COLORS.values(), ORANGE, INK)]
    tints = [255 * (1 - share / 9 * (1 - ink)) for ink in inks for share in range(1, 10)]
    free = 255 - len(tints)
    others = (picture.quantize(free).getpalette() or [])[: 3 * free]
    palette = Pillow.new("P", (1, 1))
    palette.putpalette([255, 255, 255, *np.round(tints).astype(int).ravel().tolist(), *others])
    picture.quantize(palette=palette, dither=Pillow.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
