"""The HTML of a page: its templates, its scripts and style, and the policy that allows these and nothing else."""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from unveil.errors import RecordError
from unveil.view import ESCAPES, viewer_code

SCRIPTS = ("rows.js", "table.js", "places.js", "report.js")  # in this order, one module


def render(name: str, **values: Any) -> str:
    """A template with its values; texts are escaped."""
    return _environment().get_template(name).render(**values)


def render_page(
    *, files_beside: bool, template: str = "page.html", scripts: Sequence[str] = SCRIPTS, **values: Any
) -> str:
    """A whole page.

    Args:
        files_beside: Whether the page loads scripts and pictures from files beside it.
        template: The template of the page.
        scripts: Its scripts beside the viewer, as one module.
        values: What the template shows.
    """
    style, script, viewer = read_static("report.css"), "\n".join(map(read_static, scripts)), viewer_code()
    beside = " 'self' file:" * files_beside
    policy = (
        f"default-src 'none'; script-src {_hash(viewer)} {_hash(script)}{beside}; style-src {_hash(style)}; "
        f"img-src data: blob:{beside}; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )
    return render(template, policy=policy, style=style, script=script, viewer=viewer, **values)


def render_still_page(template: str, *, styles: Sequence[str], **values: Any) -> str:
    """A whole page without any script.

    Args:
        template: The template of the page.
        styles: The files of its style, in order.
        values: What the template shows.
    """
    style = "\n".join(map(read_static, styles))
    policy = f"default-src 'none'; style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    return render(template, policy=policy, style=style, **values)


def check_page_name(out: str | Path) -> Path:
    """The path of a page. Raises `RecordError` unless it ends with `.html`."""
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise RecordError("a report whose name ends with .html", path.name, "choose such a name")
    return path


def as_page_text(values: object) -> str:
    """JSON that can stand in any element of a page."""
    return json.dumps(values, separators=(",", ":")).translate(ESCAPES)


def read_static(name: str) -> str:
    """A file of the page that isn't a template."""
    return files("unveil.report").joinpath("static", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=PackageLoader("unveil.report"), autoescape=True, undefined=StrictUndefined)
