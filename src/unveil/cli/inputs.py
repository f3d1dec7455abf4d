"""Checks of files given on the command line, before anything that takes long."""

from collections.abc import Sequence
from pathlib import Path

from unveil.errors import ImageError


def check_images(paths: Sequence[Path]) -> None:
    """Raise one `ImageError` unless every path is a file that can be opened; the content isn't read."""
    problems = [(path, problem) for path in paths if (problem := _problem(path))]
    if not problems:
        return
    path, problem = problems[0]
    got = f"the folder {path}" if path.is_dir() else f"{path}, which {problem}"
    more = f", and {len(problems) - 1} more paths of {len(paths)} that can't be read" if len(problems) > 1 else ""
    do = "name the files in it, such as FOLDER/*.png" if path.is_dir() else "check the path"
    raise ImageError("an image file", got + more, do)


def _problem(path: Path) -> str | None:
    """What keeps a path from being read as a file."""
    try:
        if not path.exists():
            return "is a link to nothing" if path.is_symlink() else "does not exist"
        if not path.is_file():
            return "is no file"
        with path.open("rb"):
            return None
    except (OSError, ValueError) as error:
        return f"can't be opened ({getattr(error, 'strerror', None) or error})"
