"""The site is built strictly, has a page for every module and every page of the guide, and fetches nothing."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unveil

ROOT = Path(__file__).parents[1]


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site):
    expected = {"index", "contributing", "changelog", "security", "api/index"}
    expected |= {path.stem for path in (ROOT / "docs").glob("*.md")}
    expected |= {
        f"api/{path.stem}"
        for path in Path(unveil.__file__).parent.iterdir()
        if not path.name.startswith(("_", "py.typed"))
    }
    assert {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")} == expected | {"404"}


def test_every_name_of_the_front_door_has_an_entry_that_the_overview_links_to(site):
    overview = (site / "api/index.html").read_text(encoding="utf-8")
    links = dict(re.findall(r'href="(\w+\.html)#(unveil\.[\w.]+)"', overview))
    targets = re.findall(r'href="(\w+\.html)#(unveil\.[\w.]+)"', overview)
    assert {name.rpartition(".")[2] for _, name in targets} == set(unveil.__all__)
    assert links
    for page, name in targets:
        assert f'id="{name}"' in (site / "api" / page).read_text(encoding="utf-8"), name


def test_links_between_the_readme_and_the_guide_lead_to_pages(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="guide.html"' in home
    assert 'src="pictures/demo.jpg"' in home
    assert "docs/" not in re.sub(r"<code.*?</code>", "", home)


def test_nothing_is_fetched_from_elsewhere(site):
    assert script("check_site").outside(site) == []


@pytest.mark.parametrize(
    ("page", "fetched"),
    [
        ('<script src="https://host/a.js"></script>', True),
        ('<link rel="stylesheet" href="//host/a.css">', True),
        ('<img src="http://host/a.png">', True),
        ('<p style="background: url(https://host/a.png)">', True),
        ('<a href="https://host/">a link</a>', False),
        ('<link rel="canonical" href="https://host/page">', False),
        ('<img src="pictures/a.png"><script src="assets/a.js"></script>', False),
    ],
)
def test_fetches_are_told_from_links(page, fetched, tmp_path):
    (tmp_path / "a.html").write_text(page)
    assert bool(script("check_site").outside(tmp_path)) == fetched


def test_a_style_sheet_with_a_font_from_elsewhere_is_found(tmp_path):
    (tmp_path / "a.css").write_text("@font-face { src: url('https://host/font.woff2') } p { background: url(a.png) }")
    assert script("check_site").outside(tmp_path) == ["a.css: https://host/font.woff2"]
