"""Pages in a frame: what the frame holds and may do, and pictures of few colors that look like the figure."""

import io
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tiny_runs import run
from unveil.images.decoding import decode_file
from unveil.notebook.page import COLORS, DPI, run_picture
from unveil.render import figure_as_png
from unveil.report import make_report_page

HOSTILE = "\"><script>document.title='hacked'</script><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """All tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))


def hostile():
    return replace(run(), source=replace(run().source, name=HOSTILE))


def test_the_frame_holds_the_report_and_may_only_run_its_scripts():
    one = hostile()
    shown = one.show(static=True)
    tags = Tags(shown._repr_html_()).found
    assert [tag for tag, _ in tags] == ["div", "img", "iframe"]
    frame = tags[-1][1]
    assert frame["sandbox"] == "allow-scripts"
    assert frame["srcdoc"] == make_report_page(one)
    assert frame["title"] == tags[1][1]["alt"] == repr(one)


def test_a_picture_of_few_colors_looks_like_the_figure():
    def pixels(png: bytes) -> np.ndarray:
        return decode_file(io.BytesIO(png), "a figure", 1 << 24)[..., :3].astype(int)

    small, large = run_picture(run()), figure_as_png(run().figure(), DPI)
    assert len(np.unique(pixels(small).reshape(-1, 3), axis=0)) <= COLORS
    assert np.abs(pixels(small) - pixels(large)).mean() < 4
    assert len(small) < len(large) / 2


# The policy of a page that allows inline scripts and data, as hosts of notebooks have it, but no other address.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'none'"


@pytest.mark.browser
@pytest.mark.parametrize("name", ["array", HOSTILE])
def test_the_frame_works_under_the_policy_of_a_strict_page(browser, tmp_path, name):
    problems: list[str] = []
    one = replace(run(), source=replace(run().source, name=name))
    page = browser.new_context(offline=True).new_page()
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>host</title>'
    path = tmp_path / "host.html"
    path.write_text(f"<!doctype html>{head}{one.show(static=True)._repr_html_()}", encoding="utf-8")
    page.goto(path.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(".viewer canvas").first.wait_for()
    assert frame.locator("tr[data-region]").count() == len(one.regions)
    assert page.title() == "host"
    assert problems == []
    page.context.close()
