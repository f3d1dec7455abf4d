"""Draw the pictures of the README and the docs that need nothing from outside.

python scripts/draw_pictures.py            # into docs/pictures
"""

import argparse
from pathlib import Path

from unveil import Image, find_regions, load_classifier
from unveil.planted import draw_scene

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SCENE = 100_019  # four signs of one class, and several things that mean nothing


def main() -> None:
    """The demo's figure, at a size for a page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    scene = draw_scene(SCENE)
    image = Image.from_array(scene.pixels, source=f"planted scene {SCENE}")
    run = find_regions(image, load_classifier("planted/demo"), "demo")
    run.figure().savefig(FOLDER / "demo.jpg", dpi=130, pil_kwargs={"quality": 85})


if __name__ == "__main__":
    main()
