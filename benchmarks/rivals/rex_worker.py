"""Answers one question about one image with ReX, in ReX's own environment; started by `rex.py`.

    python rex_worker.py FOLDER

FOLDER holds model.onnx (normalized pixels to logits), pixels.npy (1, c, h, w) and question.json (label_index, sigmoid,
settings as tables of ReX's TOML file). Written there: explanations.npy (n, h, w), the one from the global maximum of
responsibility first, and answer.json (forward_passes, seconds of the processor).
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Predicting:
    """The function that ReX asks: tensors of images to predictions, each of the leading answer and its confidence.

    A sigmoid label becomes two answers, 1 (yes) with probability p and 0 with 1 − p.
    """

    def __init__(
        self, logits: Callable[[np.ndarray], np.ndarray], label_index: int, sigmoid: bool, prediction: type
    ) -> None:
        self.logits, self.label_index, self.sigmoid, self.prediction = logits, label_index, sigmoid, prediction
        self.forward_passes = 0

    @property
    def target(self) -> int:
        """The answer to be explained."""
        return 1 if self.sigmoid else self.label_index

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities of the answers, a row an image, float64."""
        rows = logits.astype(np.float64)
        if self.sigmoid:
            yes = np.exp(-np.logaddexp(0, -rows[:, self.label_index]))
            return np.stack([1 - yes, yes], axis=1)
        shifted = np.exp(rows - rows.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    def __call__(self, tensors: Any, target: Any = None, raw: bool = False, **_: Any) -> Any:
        rows = self.probabilities(self.logits(tensors.detach().cpu().numpy().astype(np.float32)))
        self.forward_passes += len(rows)
        if raw:
            return rows
        answers = []
        for row in rows:
            leading = int(row.argmax()) if not self.sigmoid else int(row[1] >= 0.5)
            sought = None if target is None else float(row[target.classification])
            answers.append(self.prediction(leading, float(row[leading]), None, target=target, target_confidence=sought))
        return answers


def onnx_logits(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The classifier's logits for normalized pixels, on one thread."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: np.asarray(session.run(None, {name: batch})[0])


def explain(predicting: Predicting, pixels: np.ndarray, settings: dict) -> list[np.ndarray]:
    """MultEX's explanations as (h, w) booleans: a responsibility map, spotlights on it, and of what they find the
    largest choice without overlap, as ReX's own command line keeps it."""
    import torch  # noqa: PLC0415
    from rex_xai.explanation.multi_explanation import (  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
        MultiExplanation,
    )
    from rex_xai.explanation.rex import (  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
        calculate_responsibility,
        predict_target,
    )
    from rex_xai.input.config import (  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
        CausalArgs,
        process_config_dict,
    )
    from rex_xai.input.input_data import Data  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    args = CausalArgs()
    process_config_dict(settings, args)
    args.progress_bar, args.mode = False, "RGB"
    data = Data(None, list(pixels.shape), "cpu", mode="RGB")
    data.data = torch.from_numpy(pixels)
    data.set_mask_value(args.mask_value)
    data.target = predict_target(data, args, predicting)
    if data.target.classification != predicting.target:
        raise ValueError(f"the classifier's answer is {data.target.classification}, not {predicting.target}")
    maps, stats = calculate_responsibility(data, args, predicting)
    if maps.get(predicting.target) is None:  # nothing but the whole image ever sufficed
        return []
    multi = MultiExplanation(maps, predicting, data, args, stats)
    multi.extract()
    choices = multi.separate_by(args.permitted_overlap)
    chosen = sorted(choices[0]) if choices else []
    return [multi.explanations[index].reshape(pixels.shape[1:]).any(0).numpy() for index in chosen]


def main() -> None:
    """Read the question, write the answer."""
    from rex_xai.responsibility.prediction import (  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
        Prediction,
    )

    folder = Path(sys.argv[1])
    question = json.loads((folder / "question.json").read_text())
    pixels = np.load(folder / "pixels.npy", allow_pickle=False)
    logits = onnx_logits(folder / "model.onnx")
    predicting = Predicting(logits, question["label_index"], question["sigmoid"], Prediction)
    started = time.process_time()
    found = explain(predicting, pixels, question["settings"])
    seconds = time.process_time() - started
    shape = (len(found), *pixels.shape[2:])
    np.save(folder / "explanations.npy", np.array(found, bool).reshape(shape))
    (folder / "answer.json").write_text(json.dumps({"forward_passes": predicting.forward_passes, "seconds": seconds}))


if __name__ == "__main__":
    main()
