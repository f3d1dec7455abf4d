"""`onnx/FILE`: the one door to onnxruntime."""

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from unveil.classifiers.black_box import BlackBox
from unveil.classifiers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Fit, Preprocessing
from unveil.classifiers.sources.base import ModelRequest
from unveil.errors import ClassifierError, MissingLibraryError
from unveil.predictions import Output

FREE = 224  # px, where a file leaves the size open


def build(request: ModelRequest, preprocessing: Preprocessing | None = None, output: Output | None = None) -> BlackBox:
    """An ONNX file with one image input (n, c, h, w) and logits as its first output, on the CPU.

    The file says nothing of its preparation: by default the whole image is squashed onto the input's size and
    normalized as ImageNet networks are (gray: mean .5, deviation .25). Give `preprocessing` for another. Raises
    `ClassifierError`.
    """
    runtime = _onnxruntime()
    path = Path(request.name)
    if request.weights:
        raise ClassifierError(
            "no weights beside an ONNX file", request.weights, "the file holds them: leave --weights out"
        )
    session = _session(runtime, path)
    inputs = session.get_inputs()
    shape = list(inputs[0].shape) if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (1, 3):
        got = ", ".join(f"{one.name} {one.shape}" for one in inputs) or "none"
        raise ClassifierError(
            "one input (n, 1 or 3 channels, height, width)", f"{path}: {got}", "export the classifier alone"
        )
    name, single = inputs[0].name, shape[0] == 1

    def answer(batch: np.ndarray) -> np.ndarray:
        if single:  # exported for one image at a time
            return np.concatenate([session.run(None, {name: one[None]})[0] for one in batch])
        return session.run(None, {name: batch})[0]

    return BlackBox(
        answer,
        preprocessing or _default(shape),
        request.labels,
        output=output or Output.SOFTMAX,
        name=f"onnx/{path.name}",
        fingerprint=_fingerprint(path),
    )


def _fingerprint(path: Path) -> str:
    """SHA-256 of the file, and of the weights that exporters put beside it as NAME.onnx.data."""
    digest = hashlib.sha256(path.read_bytes())
    beside = path.with_name(f"{path.name}.data")
    if beside.is_file():
        digest.update(beside.read_bytes())
    return digest.hexdigest()


def _default(shape: list[Any]) -> Preprocessing:
    crop = tuple(side if isinstance(side, int) and side > 0 else FREE for side in shape[2:])
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if shape[1] == 3 else ((0.5,), (0.25,))
    return Preprocessing(crop, mean, std, max(crop), Fit.SQUASH)


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("onnxruntime", "onnx", "onnx/… models") from error
    return onnxruntime


def _session(runtime: ModuleType, path: Path) -> Any:
    if not path.is_file():
        raise ClassifierError("an ONNX file", f"{path}, which is not a file", "check the path")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its own messages go to the terminal otherwise
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise ClassifierError("a whole ONNX file", f"{path}: {said}", "export it again") from error
