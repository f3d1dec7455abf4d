"""Check that a built site fetches nothing from elsewhere when it is read: no script, style, font or image."""

import argparse
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

OUTSIDE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
# Attributes that a browser follows by itself; `href` of a link element only, since people click on an `a`.
FETCHED = {"src", "srcset", "data", "poster"}
# Addresses that are named, not fetched.
NAMED_ONLY = {"canonical", "alternate", "license", "author"}


class Sources(HTMLParser):
    """What a page fetches from other hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses of one element."""
        values = {name: value or "" for name, value in attrs}
        fetched = [value for name, value in values.items() if name in FETCHED]
        if tag == "link" and values.get("rel", "") not in NAMED_ONLY:
            fetched.append(values.get("href", ""))
        self.outside += [f"<{tag}> {value}" for value in fetched if OUTSIDE.match(value)]
        self.outside += [f"<{tag}> style: {url}" for url in imported(values.get("style", ""))]


def imported(style: str) -> Iterator[str]:
    """Addresses on other hosts in a style sheet."""
    for url in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)", style):
        if OUTSIDE.match(url):
            yield url


def outside(folder: Path) -> list[str]:
    """Every fetch from elsewhere, with the file it is in."""
    found = []
    for page in sorted(folder.rglob("*.html")):
        sources = Sources()
        sources.feed(page.read_text(encoding="utf-8"))
        found += [f"{page.relative_to(folder)}: {source}" for source in sources.outside]
    for sheet in sorted(folder.rglob("*.css")):
        found += [f"{sheet.relative_to(folder)}: {url}" for url in imported(sheet.read_text(encoding="utf-8"))]
    return found


def main() -> int:
    """Print what is fetched; 1 if there is anything, or no page at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the built site")
    folder = parser.parse_args().folder
    pages = len(list(folder.rglob("*.html")))
    found = outside(folder)
    print("\n".join([*found, f"{pages} pages, {len(found)} fetches from elsewhere"]))
    return int(bool(found) or pages == 0)


if __name__ == "__main__":
    sys.exit(main())
