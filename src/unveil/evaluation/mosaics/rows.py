"""Rows of the mosaic benchmark: one per kind and method, from scores of single mosaics that are kept on disk."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from unveil.classifiers import Classifier, load_classifier
from unveil.classifiers.engine.passes import counting_passes
from unveil.errors import DiskFullError, UnveilError
from unveil.evaluation.mosaics.drawing import MosaicCanvas
from unveil.evaluation.mosaics.keeping import Kept, describe_classifier, key_of
from unveil.evaluation.mosaics.kinds import ROLES, Kind, PhotographPool
from unveil.evaluation.mosaics.methods import NamingMethod
from unveil.evaluation.mosaics.photographs import MosaicError, Photograph, hash_photographs
from unveil.evaluation.mosaics.pool import Mosaic, draw_mosaic, find_pool, keep_pool
from unveil.evaluation.mosaics.scoring import MosaicScore, compare_found, score_mosaic, summarize_mosaics

OnStep = Callable[[str, int, int], None]
SCORE_FORMAT = 2  # scores that were kept before passes were counted are made again


@dataclass(frozen=True, eq=False)
class MosaicBenchmark:
    """What is measured.

    Attributes:
        classifier: The network, with its own preprocessing.
        photographs: The photographs of one half.
        mosaics: The number of mosaics of each kind.
        seed: The seed of mosaics, noise and intervals.
        folder: Where pools and scores are kept.
    """

    classifier: Classifier
    photographs: tuple[Photograph, ...]
    mosaics: int
    seed: int
    folder: Path

    @cached_property
    def canvas(self) -> MosaicCanvas:
        """The grid of the network. Raises `MosaicError` for a network of volumes."""
        return MosaicCanvas(self.classifier.preprocessing)

    @cached_property
    def unscaled(self) -> Classifier:
        """The network with a preprocessing that leaves a mosaic as it is drawn."""
        return load_classifier(self.classifier, preprocessing=self.canvas.unscaled)

    @cached_property
    def key(self) -> str:
        """The key of what all results depend on: the network and the photographs."""
        return key_of(describe_classifier(self.classifier), hash_photographs(self.photographs))


class KindBenchmark:
    """The mosaics of one kind; a pool is searched and a mosaic drawn once a score needs it."""

    def __init__(self, benchmark: MosaicBenchmark, kind: Kind, on_step: OnStep) -> None:
        """`on_step` is called with what is done, and how much of it."""
        self.benchmark, self.kind, self.on_step = benchmark, kind, on_step
        self._mosaics: dict[int, Mosaic] = {}

    @cached_property
    def pool(self) -> PhotographPool:
        """The usable photographs, found once and kept."""
        own = self.benchmark
        path = own.folder / "pools" / f"{self.kind.value}.json"
        return keep_pool(
            path,
            key_of(own.key, self.kind.value, *(role.value for role in ROLES[self.kind])),
            own.photographs,
            lambda: find_pool(
                own.unscaled,
                own.canvas,
                self.kind,
                own.photographs,
                lambda done, total: self.on_step(f"{self.kind.value}: photographs", done, total),
            ),
        )

    def mosaic(self, number: int) -> Mosaic:
        """Draw the mosaic of a number; each is drawn once."""
        if number not in self._mosaics:
            own = self.benchmark
            drawn = draw_mosaic(own.unscaled, own.canvas, self.kind, self.pool, own.seed, number)
            self._mosaics[number] = drawn
        return self._mosaics[number]

    def rows(self, methods: Sequence[NamingMethod]) -> list[dict[str, Any]]:
        """One row per method; the first method is the reference of those that need one.

        A method that the network doesn't support has a row with the reason as `refused`. Raises `UnveilError` if the
        reference fails.
        """
        reference, *_ = methods
        scores: dict[str, list[MosaicScore]] = {}
        rows = []
        for method in methods:
            row = {"method": method.title, "kind": self.kind.value}
            try:
                scores[method.title] = self._scores(method, reference, scores.get(reference.title))
            except MethodRefusedError as refused:
                if method is reference:
                    raise
                rows.append({**row, "refused": str(refused)})
            else:
                rows.append({**row, **summarize_mosaics(scores[method.title], self.benchmark.seed)})
        rivals = [method.title for method in methods if method.needs_reference and method.title in scores]
        if rivals:
            rows[0] |= _lead(scores, reference.title, rivals, self.benchmark.seed)
        return rows

    def _scores(
        self, method: NamingMethod, reference: NamingMethod, known: Sequence[MosaicScore] | None
    ) -> list[MosaicScore]:
        own = self.benchmark
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", method.title).lstrip(".")
        depends = [method.settings, reference.settings if method.needs_reference else None]
        kept = Kept(
            own.folder / "scores" / f"{self.kind.value}-{name}.json",
            key_of(own.key, self.kind.value, own.seed, SCORE_FORMAT, *depends),
        )
        if "refused" in kept.content:
            raise MethodRefusedError(*kept.content["refused"])
        scores = [MosaicScore.from_dict(table) for table in kept.content.get("scores", ())]
        for number in range(len(scores), own.mosaics):
            self.on_step(f"{self.kind.value}: {method.title}", number, own.mosaics)
            mosaic = self.mosaic(number)
            compared = known[number] if method.needs_reference and known is not None else None
            try:
                scores.append(_measure(own, method, mosaic, compared))
            except DiskFullError:
                raise
            except UnveilError as error:
                refused = [error.expected, error.got, error.do]
                kept.write({"refused": refused})
                raise MethodRefusedError(*refused) from error
            kept.write({"scores": [one.as_dict() for one in scores]})
        self.on_step(f"{self.kind.value}: {method.title}", own.mosaics, own.mosaics)
        return scores[: own.mosaics]


class MethodRefusedError(UnveilError):
    """A method that doesn't support the network."""


def check_methods(methods: Sequence[NamingMethod]) -> None:
    """Raise `MosaicError` unless all names differ (also where the case of letters doesn't count)."""
    names = [method.title.lower() for method in methods]
    twice = next((method.title for method in methods if names.count(method.title.lower()) > 1), None)
    if twice is not None:
        raise MosaicError("methods with different names", f"{twice!r} twice", "rename the file of a recipe")


def _measure(
    benchmark: MosaicBenchmark, method: NamingMethod, mosaic: Mosaic, reference: MosaicScore | None
) -> MosaicScore:
    # Made once per network and kept, so not counted.
    benchmark.unscaled.for_averaging()
    _ = benchmark.unscaled.probe
    began = time.monotonic()
    with counting_passes() as count:
        regions = method.find(benchmark.unscaled, mosaic, benchmark.seed, reference)
    return score_mosaic(mosaic, regions, time.monotonic() - began, count.total)


def _lead(scores: dict[str, list[MosaicScore]], reference: str, rivals: Sequence[str], seed: int) -> dict[str, Any]:
    """How much more the reference finds than the rival that finds most."""
    best = max(rivals, key=lambda name: sum(len(one.found) for one in scores[name]))
    lead = compare_found(scores[reference], scores[best], seed)
    return {"best_rival": best, **lead.as_dict("more_than_best_rival")}
