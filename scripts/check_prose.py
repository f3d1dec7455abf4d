"""Check the English of the documentation and of the package: words, spelling, one sentence per line.

Reads Markdown files, and from Python files the docstrings, comments and strings. Code is skipped. Rules about words
are in `styles/Unveil/*.yml`; rules about layout (lines of Markdown) are here.
"""

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
STYLES = ROOT / "styles" / "Unveil"
PENDING = ROOT / "styles" / "pending.txt"
MAX_LINE = 200


@dataclass(frozen=True)
class Rule:
    """One pattern; `message` holds `%s` for what was found and, with a replacement, a second one for that."""

    name: str
    pattern: re.Pattern[str]
    message: str
    replacement: str | None = None

    def findings(self, text: str) -> Iterator[str]:
        """The message for every match in one line."""
        for match in self.pattern.finditer(text):
            found = match.group().strip()
            yield f"{self.name}: {self.message % ((found,) if self.replacement is None else (found, self.replacement))}"


@cache
def rules() -> tuple[Rule, ...]:
    """All rules of `styles/Unveil`. Raises `ValueError` for a kind of rule that isn't known."""
    found = []
    for path in sorted(STYLES.glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        flags = re.IGNORECASE if content.get("ignorecase") else re.NOFLAG
        if content["extends"] == "existence":
            found += [Rule(path.stem, re.compile(raw, flags), content["message"]) for raw in content["raw"]]
        elif content["extends"] == "substitution":
            found += [
                Rule(path.stem, re.compile(rf"(?<![/\w-])(?:{bad})(?!\w)", flags), content["message"], good)
                for bad, good in content["swap"].items()
            ]
        else:
            raise ValueError(f"{path.name}: expected existence or substitution; got {content['extends']}")
    return tuple(found)


def without_code(line: str) -> str:
    """A line without inline code, link targets, addresses and HTML; the words around them stay apart."""
    line = re.sub(r"(`+).+?\1", "CODE", line)
    line = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", line)
    line = re.sub(r"https?://\S+|<[^>]+>", "", line)
    return re.sub(r"\$[^$]+\$", "MATH", line)


def in_words(text: str) -> list[str]:
    """What the rules about words find in one line."""
    return [finding for rule in rules() for finding in rule.findings(without_code(text))]


ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|et al|vs|cf|Fig|Figs|Eq|Sec|No|approx|Dr|etc|resp)\.$")
SENTENCE_END = re.compile(r"[.!?][\"'”’)\]*_]*(?= +[\"'“‘(\[*_]*[A-Z`])")
LINE_END = re.compile(r"[.!?:;…][\"'”’)\]*_`]*$")
STRUCTURE = re.compile(r"^\s*(?:$|#|\||>|[-*+] |\d+\. |<|!\[|:{3}|={3}|-{3}|\[\^?[^\]]+\]:)")
# What a line may begin with before its sentence: marks of items and quotations, and a few words in bold ("**Setup.**").
LEAD = re.compile(r"^\s*(?:[-*+] |\d+\. |> )*(?:\*\*[^*]{1,120}[.:?]\*\* )?")


def in_layout(line: str, after: str) -> Iterator[str]:
    """What is wrong with the layout of one line of Markdown: its length, a second sentence, a hard wrap."""
    if line.lstrip().startswith(("|", "#", "<")):
        return
    text = without_code(LEAD.sub("", line))
    if len(line) > MAX_LINE:
        yield f"Length: {len(line)} characters; expected at most {MAX_LINE}"
    for match in SENTENCE_END.finditer(text):
        if not ABBREVIATIONS.search(text[: match.start() + 1]):
            end = text[max(0, match.start() - 20) : match.end()]
            yield f"Lines: a second sentence after '…{end}'; one sentence per line"
            break
    continued = bool(after.strip()) and not STRUCTURE.match(after)
    if text.strip() and continued and not LINE_END.search(text.rstrip()):
        yield f"Lines: hard wrap after '…{text.rstrip()[-20:]}'; one sentence per line"


def check_markdown(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers and findings of a Markdown page; code blocks, comments and front matter are skipped."""
    text = re.sub(r"<!--.*?-->", lambda match: "\n" * match.group().count("\n"), text, flags=re.DOTALL)
    lines = text.splitlines()
    fence = None
    for number, line in enumerate(lines, 1):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and fence is None:
            fence = mark.group(1)
        elif mark and fence is not None and line.strip() == fence:
            fence = None
        elif fence is None and not mark:
            after = lines[number] if number < len(lines) else ""
            for finding in (*in_words(line), *in_layout(line, "" if re.match(r"\s*[`~]{3}", after) else after)):
                yield number, finding


def check_python(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers and findings of a Python file: docstrings, comments, and strings that hold more than one word."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not re.match(r"# (?:noqa|type:|pyright:)", token.string):
            for finding in in_words(token.string.lstrip("# ")):
                yield token.start[0], finding
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            inside = False
            for offset, line in enumerate(node.value.splitlines()):
                inside = line.lstrip().startswith(">>>") or (inside and bool(line.strip()))
                if not inside:
                    for finding in in_words(line):
                        yield node.lineno + offset, finding


def check(path: Path) -> list[tuple[int, str]]:
    """Sorted findings of one file."""
    text = path.read_text(encoding="utf-8")
    return sorted(set((check_python if path.suffix == ".py" else check_markdown)(text)))


def default_files() -> list[Path]:
    """README and the other pages at the top, docs/, and the package."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md", ":!.github", ":!styles", "src/*.py"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def pending() -> tuple[str, ...]:
    """Files, and folders with a slash at the end, whose findings don't fail the check yet."""
    if not PENDING.exists():
        return ()
    lines = PENDING.read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def is_pending(name: str, waiting: tuple[str, ...]) -> bool:
    """Whether a file, or a folder that holds it, is listed."""
    return any(name == entry or (entry.endswith("/") and name.startswith(entry)) for entry in waiting)


def main() -> int:
    """Print findings; 1 if a file that isn't pending has any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="default: every page and every file of the package")
    parser.add_argument("--counts", action="store_true", help="one line per file instead of one per finding")
    parser.add_argument("--all", action="store_true", help="print and count files listed in styles/pending.txt, too")
    arguments = parser.parse_args()
    waiting = () if arguments.all or arguments.files else pending()
    failures = postponed = files = 0
    for path in arguments.files or default_files():
        name = path.resolve().relative_to(ROOT).as_posix() if path.resolve().is_relative_to(ROOT) else str(path)
        findings = check(path)
        files += 1
        if is_pending(name, waiting):
            postponed += len(findings)
            continue
        failures += len(findings)
        if arguments.counts:
            if findings:
                print(f"{len(findings):5d} {name}")
        else:
            print("".join(f"{name}:{number}: {finding}\n" for number, finding in findings), end="")
    print(
        f"{files} files, {failures} findings" + (f", {postponed} more in files that are pending" if postponed else "")
    )
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
