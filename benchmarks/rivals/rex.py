"""ReX with MultEX (Chockler, Kelly & Kroening; arXiv 2309.14309; PyPI rex-xai) as a rival: run in an environment of its
own, because it wants another numpy. README.md says how to make one.

A question is a folder: the classifier as an ONNX file, the pixels as ReX wants them, and the settings. `rex_worker.py`
answers it with the explanations that MultEX keeps.
"""

import json
import subprocess
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from asking import Answer, Rival
from jaxtyping import Float
from torch import Tensor

from unveil.classifiers import Classifier, TorchClassifier
from unveil.errors import ClassifierError, UnveilError
from unveil.predictions import Output

WORKER = Path(__file__).with_name("rex_worker.py")


class RexError(UnveilError):
    """ReX isn't there, or gave up on a question."""


@dataclass(frozen=True)
class Rex(Rival):
    """ReX 0.4.1 with its own defaults, as its TOML file would set them; lengths in px are multiplied by `scale`.

    `scale` 1 is as published, for images of 224 px; 128/224 gives smaller images the same shares. A label of a sigmoid
    classifier is explained as the answer "yes" (probability ≥ ½), one of a softmax classifier as the leading label: ReX
    calls images sufficient as long as that answer stays, whatever its probability (`confidence` 0 is its default).
    Hidden pixels are 0 after normalization: the mean color.
    """

    name: ClassVar[str] = "rex"
    python: Path
    scale: float = 1.0
    confidence: float = 0.0
    batch_size: int = 64
    seed: int = 0
    limit_s: float = 1800.0
    exported: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def find(self, pixels: Float[Tensor, "c h w"], classifier: Classifier, label_index: int) -> Answer:
        """The explanations of the largest disjoint choice, the one from the global maximum first."""
        if not isinstance(classifier, TorchClassifier):
            raise ClassifierError("a PyTorch classifier, to be written as ONNX", classifier.name, "leave ReX out")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "model.onnx").write_bytes(self._exported(classifier))
            np.save(folder / "pixels.npy", classifier.normalized(pixels[None]).cpu().numpy())
            (folder / "question.json").write_text(json.dumps(self._question(classifier, label_index)))
            self._ask(folder)
            told = json.loads((folder / "answer.json").read_text())
            explanations = list(np.load(folder / "explanations.npy", allow_pickle=False))
        return Answer(explanations, told["forward_passes"], 0, told["seconds"])

    @property
    def settings(self) -> dict:
        """Tables as in ReX's own TOML file."""

        def length(px: int) -> int:
            return max(1, round(px * self.scale))

        return {
            "rex": {"mask_value": 0, "seed": self.seed, "gpu": False, "batch_size": self.batch_size},
            "causal": {"tree_depth": 10, "iters": 20, "min_box_size": length(10), "confidence_filter": 0.0},
            "explanation": {
                "chunk_size": length(10),
                "minimum_confidence_threshold": self.confidence,
                "spatial": {"spatial_initial_radius": length(25), "spatial_radius_eta": 0.2, "no_expansions": 4},
                "multi": {
                    "strategy": "multi",
                    "spotlights": 10,
                    "max_spotlight_budget": 40,
                    "spotlight_objective_function": "none",
                    "permitted_overlap": 0.0,
                },
            },
        }

    def _question(self, classifier: TorchClassifier, label_index: int) -> dict:
        sigmoid = classifier.output is Output.SIGMOID
        return {"label_index": label_index, "sigmoid": sigmoid, "settings": self.settings}

    def _ask(self, folder: Path) -> None:
        # -P: the worker's folder isn't searched for modules, so that none of ours can stand in for one of theirs.
        command = [str(self.python), "-P", str(WORKER), str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=self.limit_s)  # noqa: S603
        except OSError as error:
            raise RexError("a Python that has rex-xai", f"{self.python}: {error.strerror}", "see README.md") from error
        except subprocess.TimeoutExpired as error:
            raise RexError(f"an answer within {self.limit_s:.0f} s", "none", "raise limit_s") from error
        if done.returncode or not (folder / "answer.json").is_file():
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1][:200]
            raise RexError("explanations from ReX", f"exit {done.returncode}: {said}", "see README.md")

    def _exported(self, classifier: TorchClassifier) -> bytes:
        """The classifier as an ONNX file from normalized pixels (n, c, h, w) to logits, n left open."""
        if classifier.fingerprint not in self.exported:
            self.exported[classifier.fingerprint] = export(classifier)
        return self.exported[classifier.fingerprint]


def export(classifier: TorchClassifier) -> bytes:
    """An ONNX file of the classifier's module: normalized pixels (n, c, h, w) to logits (n, labels), n left open."""
    preprocessing = classifier.preprocessing
    example = torch.zeros(2, preprocessing.channels, *preprocessing.crop)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(name) / "model.onnx"
        torch.onnx.export(
            classifier.copy_of_module().cpu(),
            (example,),
            str(path),
            input_names=["pixels"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            external_data=False,
            verbose=False,
        )
        return path.read_bytes()
