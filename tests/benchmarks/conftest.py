"""The rivals are scripts, not a package: their folders are put where imports are looked for, and their shapes are checked too."""

import sys
from pathlib import Path

from jaxtyping import install_import_hook

FOLDER = Path(__file__).parents[2] / "benchmarks" / "rivals"
sys.path[:0] = [str(FOLDER), str(FOLDER.parent)]
install_import_hook(["notes", *(path.stem for path in FOLDER.glob("*.py"))], "checking.check")
