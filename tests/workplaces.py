"""Servers' folders, images and classifiers for the tests of `serve`: small, and where needed slow on purpose."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

import tiny_runs
from unveil.classifiers import BlackBox, Classifier, Preprocessing, load_classifier
from unveil.images import read_image
from unveil.images.png_encoding import encode_png
from unveil.planted import draw_scene
from unveil.recipes import Recipe
from unveil.records import Run
from unveil.rounds import find_regions
from unveil.serve.jobs import Event, Job, JobRequest, StoredImage, Workplace, recipe_of

# A run of the tiny classifier takes some 20 ms.
TINY_SETTINGS: dict = {
    "attribution.samples": 4,
    "selector": {"kind": "SmoothedThreshold", "size_px": 3, "passes": 2, "min_area_share": 0.002, "max_regions": 3},
    "stop": {"kind": "MaxRounds", "rounds": 3},
    "label_check": False,
    "trust.placements": 9,
}
BOX_SETTINGS: dict = {
    "attribution.masks": 40,
    "stop": {"kind": "MaxRounds", "rounds": 50},
    "label_check": False,
    "selector.min_area_share": 0.0,
}


def picture(seed: int = 5, side: int = 40) -> bytes:
    """A PNG of colored noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 10, 3), dtype=np.uint8)
    return encode_png(pixels)


@cache
def scene_png(seed: int = 200_010) -> bytes:
    """A planted scene as a PNG."""
    return encode_png(np.rint(draw_scene(seed).pixels.transpose(1, 2, 0) * 255).astype(np.uint8))


def tiny(image: StoredImage, **changes) -> JobRequest:
    """A request for the tiny classifier."""
    settings = {**TINY_SETTINGS, **changes.pop("settings", {})}
    if not changes.get("trust", True):
        del settings["trust.placements"]
    return JobRequest(image.id, "tiny", "recommended", settings, **changes)


def boxed(image: StoredImage, **changes) -> JobRequest:
    """A request for a black box: 40 images per round in batches of 8, up to 50 rounds, no trust cards."""
    settings = {**BOX_SETTINGS, **changes.pop("settings", {})}
    return JobRequest(image.id, "gate", "black-box", settings, trust=False, target="class:one", **changes)


class Gate:
    """A black box that counts its batches, and waits in one of them until it is let through."""

    def __init__(self, block_at: int | None = None) -> None:
        self.batches, self.block_at = 0, block_at
        self.threads: set[str] = set()
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.batches += 1
        self.threads.add(threading.current_thread().name)
        if self.batches == self.block_at:
            self.reached.set()
            assert self.opened.wait(60)
        # The center against the rest: rounds find something for a while.
        center = images[:, :, 8:24, 8:24].mean((1, 2, 3))
        return np.stack([4 * center + images.mean((1, 2, 3)), np.zeros(len(images))], axis=1)

    def block_after(self, batches: int) -> None:
        """Wait in a later batch, counted from now on."""
        self.reached.clear()
        self.opened.clear()
        self.block_at = self.batches + batches

    def classifier(self) -> Classifier:
        """The classifier; made once, because making it calls the function."""
        preprocessing = Preprocessing.square(32, (0.0,) * 3, (1.0,) * 3)
        return BlackBox(self, preprocessing, ["one", "other"], returns="logits", name="gate")


def open_workplace(folder: Path, gate: Gate | None = None, **options) -> Workplace:
    """A workplace with the tiny classifier, the planted one, and a gate."""
    makers: dict[str, Callable[[], Classifier]] = {
        "tiny": tiny_runs.classifier,
        "demo": lambda: load_classifier("planted/demo"),
    }
    if gate is not None:
        makers["gate"] = gate.classifier
    return Workplace(folder, makers, **options)


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until something holds; fail if it doesn't in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.005)


def wait_over(workplace: Workplace, job_id: str) -> Job:
    """The job when it is over."""
    wait_for(lambda: workplace.job(job_id).state.is_over)
    return workplace.job(job_id)


def all_events(workplace: Workplace, job_id: str | None = None) -> list[Event]:
    """All events, read in small pieces as a client does."""
    found: list[Event] = []
    while piece := workplace.events(found[-1].id if found else 0, job_id, 7):
        found.extend(piece)
    return found


def reference(
    workplace: Workplace,
    request: JobRequest,
    classifier: Classifier,
    change: Callable[[Recipe], Recipe] = lambda one: one,
) -> Run:
    """What `find_regions` says about the same request, without any server."""
    recipe = change(recipe_of(request))
    image = read_image(workplace.image_path(request.image), channels=classifier.preprocessing.channels)
    image = replace(image, source=workplace.image(request.image).name)
    return find_regions(image, classifier, recipe, trust=request.trust, seed=request.seed)


def plain(value: object) -> object:
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value))
