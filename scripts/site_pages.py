"""Pages of the site that aren't files in `docs/`: a hook of MkDocs.

README, CONTRIBUTING and the like stay at the top of the repository, where people look for them, and become pages; links
between them and `docs/` work in both places. Links to files that aren't pages (code, results) become plain text on the
site. The API reference has one page per module or subpackage of `unveil`, written from its docstrings by mkdocstrings.
"""

import ast
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "unveil"
# Pages at the top of the repository, and what they are called on the site.
TOP = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
API = "api/index.md"
# The order of the guide; pages that aren't named here follow, by name.
FIRST = ("tutorial.md", "guide.md", "models.md", "glossary.md", "recipes.md", "trust.md", "what-if.md", "review.md")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def rooms() -> list[str]:
    """The public modules and subpackages right below `unveil`."""
    return sorted(
        path.stem
        for path in PACKAGE.iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists())
    )


def summary(room: str) -> str:
    """The first line of a module's docstring."""
    path = PACKAGE / f"{room}.py"
    path = path if path.exists() else PACKAGE / room / "__init__.py"
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def front_door() -> dict[str, str]:
    """Every name of `unveil.__all__`, and the room it comes from."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    return {
        alias.name: (node.module or "").removeprefix("unveil.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unveil.")
        for alias in node.names
    }


def api_index() -> str:
    """The page with which the API reference begins."""
    lines = ["# API reference", "", "Names that `import unveil` offers:", "", "| name | module |", "|---|---|"]
    names = sorted(front_door().items())
    lines += [f"| [`unveil.{name}`][unveil.{name}] | [`{room}`]({room}.md) |" for name, room in names]
    lines += ["", "Modules:", "", "| module | content |", "|---|---|"]
    lines += [f"| [`unveil.{room}`]({room}.md) | {summary(room).replace('|', '&#124;')} |" for room in rooms()]
    return "\n".join([*lines, ""])


def in_site(markdown: str, source: str) -> str:
    """A page's text with its links as the site needs them; `source` is its path in the repository."""
    folder = posixpath.dirname(source)
    here = posixpath.dirname(TOP.get(source, source.removeprefix("docs/")))

    def link(match: re.Match[str]) -> str:
        picture, text, target = match.groups()
        path, mark, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return match.group()
        path = posixpath.normpath(posixpath.join(folder, path))
        if not (ROOT / path).exists():
            return match.group()  # left for MkDocs to refuse
        if path not in TOP and not path.startswith("docs/"):
            return text
        page = posixpath.relpath(TOP.get(path, path.removeprefix("docs/")), here or ".")
        return f"{picture}[{text}]({page}{mark}{anchor})"

    parts = re.split(r"(^```.*?^```)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from the top of the repository and the API reference, and lay out the navigation."""
    for source, page in TOP.items():
        if (ROOT / source).exists():
            text = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, page, content=in_site(text, source)))
    files.append(File.generated(config, API, content=api_index()))
    for room in rooms():
        files.append(File.generated(config, f"api/{room}.md", content=f"# unveil.{room}\n\n::: unveil.{room}\n"))
    docs = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    guide = [name for name in FIRST if name in docs] + [name for name in docs if name not in FIRST]
    config.nav = [
        {"Home": TOP["README.md"]},
        {"Guide": guide},
        {"API": [API, *(f"api/{room}.md" for room in rooms())]},
        {"Project": [page for source, page in TOP.items() if source != "README.md" and (ROOT / source).exists()]},
    ]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of the pages in `docs/`."""
    if page.file.generated_by is not None:
        return markdown
    return in_site(markdown, f"docs/{page.file.src_uri}")
