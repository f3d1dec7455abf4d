"""`unveil` finds every region of an image that a classifier relies on, and says how far each can be trusted.

    import unveil

    classifier = unveil.load_classifier("torchvision/resnet50", "IMAGENET1K_V2")
    run = unveil.find_regions("dog.jpg", classifier)
    run.figure("dog.png")

Names and modules are imported when first used, so that `import unveil` doesn't import torch.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from unveil.classifiers import Classifier, Preprocessing, TorchClassifier, load_classifier
    from unveil.errors import UnveilError
    from unveil.images import Image, read_image
    from unveil.masks import Mask
    from unveil.recipes import Recipe
    from unveil.records import Region, Round, Run
    from unveil.rounds import find_regions, finish_run, iter_rounds, start_run
    from unveil.runs import run_images
    from unveil.store import load_run
    from unveil.targets import Class, Margin, Predicted, Top
    from unveil.what_if import Drawing, ask_what_if

_ROOMS = {
    "classifiers": ("Classifier", "Preprocessing", "TorchClassifier", "load_classifier"),
    "errors": ("UnveilError",),
    "images": ("Image", "read_image"),
    "masks": ("Mask",),
    "recipes": ("Recipe",),
    "records": ("Region", "Round", "Run"),
    "rounds": ("find_regions", "finish_run", "iter_rounds", "start_run"),
    "runs": ("run_images",),
    "store": ("load_run",),
    "targets": ("Class", "Margin", "Predicted", "Top"),
    "what_if": ("Drawing", "ask_what_if"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Class",
    "Classifier",
    "Drawing",
    "Image",
    "Margin",
    "Mask",
    "Predicted",
    "Preprocessing",
    "Recipe",
    "Region",
    "Round",
    "Run",
    "Top",
    "TorchClassifier",
    "UnveilError",
    "ask_what_if",
    "find_regions",
    "finish_run",
    "iter_rounds",
    "load_classifier",
    "load_run",
    "read_image",
    "run_images",
    "start_run",
]


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(import_module(f"unveil.{_ROOM_OF[name]}"), name)
    # A module that nobody has imported yet, as in `import unveil; unveil.recipes.paper()`.
    if not name.startswith("_") and find_spec(f"unveil.{name}") is not None:
        return import_module(f"unveil.{name}")
    raise AttributeError(f"module 'unveil' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
