"""The brush: what is drawn over the image are the strokes, and they survive everything but being undone."""

import json

import numpy as np
import pytest

from serve_pages import draw, settle_bench, stage_pixels, stage_place

pytestmark = pytest.mark.browser
KEPT = "(job) => JSON.parse(localStorage.getItem(`unveil strokes ${job}`) ?? '[]')"


def strokes_of(page, job: str) -> list[dict]:
    return page.evaluate(KEPT, job)


def source_grid(page, side: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Where the middle of each pixel of the stage lies on the image: y, x."""
    height, width = stage_pixels(page).shape[:2]
    scale = min(width, height) / side
    y = (np.arange(height) + 0.5 - (height - side * scale) / 2) / scale
    x = (np.arange(width) + 0.5 - (width - side * scale) / 2) / scale
    return np.meshgrid(y, x, indexing="ij")


def near_path(grid: tuple[np.ndarray, np.ndarray], points: list, width: float) -> np.ndarray:
    """The points at most half a width away from a path."""
    place = np.stack(grid, axis=-1)
    nearest = np.full(grid[0].shape, np.inf)
    path = [np.array(point) for point in points]
    for first, last in zip(path, path[1:] or path, strict=False):
        along = last - first
        share = np.clip(((place - first) @ along) / max(along @ along, 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(place - first - share[..., None] * along, axis=-1))
    return nearest <= width / 2


def within(grid: tuple[np.ndarray, np.ndarray], points: list) -> np.ndarray:
    """The points that a closed path winds around, by the crossings of a ray."""
    inside = np.zeros(grid[0].shape, bool)
    y, x = grid
    for (y0, x0), (y1, x1) in zip(points, [*points[1:], points[0]], strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return inside


def test_what_is_drawn_are_the_strokes(visit, finished_job):
    page = visit(f"#job={finished_job}")
    settle_bench(page)
    page.keyboard.press("b")
    draw(page, [(30, 30), (50, 90), (90, 70)])
    draw(page, [(100, 20)])
    page.keyboard.press("l")
    draw(page, [(70, 10), (70, 40), (110, 40), (110, 10), (75, 10)])
    page.keyboard.press("]")
    page.keyboard.press("e")
    draw(page, [(20, 60), (110, 60)])
    page.keyboard.press("v")
    page.mouse.move(5, 5)
    shown = stage_pixels(page)
    page.get_by_role("button", name="Look", exact=True).click()
    page.mouse.move(5, 5)
    drawn = np.abs(shown - stage_pixels(page)).max(axis=2) > 0

    strokes = strokes_of(page, finished_job)
    assert [stroke["kind"] for stroke in strokes] == ["brush", "brush", "lasso", "eraser"]
    grid = source_grid(page)
    expected = np.zeros(grid[0].shape, bool)
    for stroke in strokes:
        if stroke["kind"] == "lasso":
            expected |= within(grid, stroke["points"])
        elif stroke["kind"] == "brush":
            expected |= near_path(grid, stroke["points"], stroke["width_px"])
        else:
            expected &= ~near_path(grid, stroke["points"], stroke["width_px"])
    assert expected.mean() > 0.02
    assert (drawn & expected).sum() / (drawn | expected).sum() >= 0.97


def test_points_are_where_the_pointer_was(visit, finished_job):
    page = visit(f"#job={finished_job}")
    settle_bench(page)
    page.keyboard.press("b")
    draw(page, [(64, 32), (64, 96)])
    (stroke,) = strokes_of(page, finished_job)
    ends = np.array([stroke["points"][0], stroke["points"][-1]])
    assert np.abs(ends - [[64, 32], [64, 96]]).max() <= 0.75  # the mouse is at whole pixels of the screen


def test_strokes_survive_tools_zoom_rounds_and_a_reload(visit, finished_job):
    page = visit(f"#job={finished_job}")
    settle_bench(page)
    page.keyboard.press("b")
    draw(page, [(40, 40), (60, 60)])
    before = strokes_of(page, finished_job)
    for key in ("l", "e", "v", "+", "+", "ArrowRight", "s", "o", "a"):
        page.keyboard.press(key)
        assert strokes_of(page, finished_job) == before
    page.reload()
    settle_bench(page)
    assert strokes_of(page, finished_job) == before
    page.keyboard.press("b")
    draw(page, [(80, 80), (90, 90)])
    assert strokes_of(page, finished_job)[:1] == before
    page.keyboard.press("Control+z")
    assert strokes_of(page, finished_job) == before


def test_a_drawing_is_still_in_its_place_when_zoomed(visit, finished_job):
    """A dot at the middle of the view stays there, and grows as the image does."""
    page = visit(f"#job={finished_job}")
    settle_bench(page)
    page.keyboard.press("b")
    draw(page, [(64, 64)])
    page.keyboard.press("v")
    page.mouse.move(5, 5)

    def size() -> int:
        page.get_by_role("button", name="What if").first.click()
        shown = stage_pixels(page)
        page.get_by_role("button", name="Look", exact=True).click()
        drawn = np.abs(shown - stage_pixels(page)).max(axis=2) > 0
        middle = np.argwhere(drawn).mean(axis=0) - (np.array(drawn.shape) - 1) / 2
        assert np.abs(middle).max() <= 1.5
        return int(drawn.sum())

    first = size()
    page.locator(".stage canvas").focus()
    page.keyboard.press("+")
    assert size() / first == pytest.approx(1.4**2, rel=0.05)


def test_sixty_steps_can_be_undone_and_done_again(visit, finished_job):
    page = visit(f"#job={finished_job}")
    settle_bench(page)
    page.keyboard.press("b")
    for step in range(60):
        page.mouse.click(*stage_place(page, 20 + step, 20 + step))
    all_of_them = strokes_of(page, finished_job)
    assert len(all_of_them) == 60
    for left in range(59, -1, -1):
        page.keyboard.press("Control+z")
        assert len(strokes_of(page, finished_job)) == left
    assert page.get_by_role("button", name="Undo").is_disabled()
    for _ in range(60):
        page.keyboard.press("Control+y")
    assert strokes_of(page, finished_job) == all_of_them
    page.get_by_role("button", name="Clear").click()
    assert strokes_of(page, finished_job) == []
    page.get_by_role("button", name="Undo").click()
    assert strokes_of(page, finished_job) == all_of_them


def test_the_server_gets_the_strokes_and_shows_them_again(visit, page_server, new_job):
    page = visit(f"#job={new_job}")
    settle_bench(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("r")
    page.keyboard.press("b")
    draw(page, [(40, 40), (60, 60)])
    drawn = strokes_of(page, new_job)
    assert drawn[0] == {"kind": "region", "region": "r1.1"}
    page.keyboard.press("Enter")
    page.locator(".asked li", has_text="p = ").wait_for()
    (entry,) = page_server.client.get(f"/api/jobs/{new_job}/what-ifs").json()
    sent = [
        {key: value for key, value in stroke.items() if value is not None}
        for stroke in entry["what_if"]["drawing"]["strokes"]
    ]
    assert json.loads(json.dumps(sent)) == drawn
    page.get_by_role("button", name="Clear").click()
    page.locator(".asked button").click()
    assert [stroke["kind"] for stroke in strokes_of(page, new_job)] == ["region", "brush"]
    row = page.locator(".changes tr.target td").all_inner_texts()
    change = entry["what_if"]["score_after"] - entry["what_if"]["score_before"]
    assert row[-1].replace("\N{MINUS SIGN}", "-") == f"{change:+.2f}"
