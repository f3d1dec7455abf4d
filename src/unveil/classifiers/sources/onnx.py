"""`onnx/FILE` or `onnx/FILE:OUTPUT`: the only module that imports onnxruntime."""

import hashlib
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from unveil.classifiers.black_box import BlackBox
from unveil.classifiers.engine.precision import probe_pixels
from unveil.classifiers.outputs import ClassifierWarning
from unveil.classifiers.sources.base import ModelRequest
from unveil.classifiers.sources.onnx_graph import OnnxGraph, read_onnx_graph
from unveil.classifiers.sources.onnx_input import OnnxInput, read_inputs
from unveil.classifiers.sources.onnx_output import choose_output, output_rows, read_meaning
from unveil.errors import ClassifierError, MissingLibraryError, first_line

# What onnxruntime writes before a message: a code, the file, a line in its own sources and the function there.
PREFIXES = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:)?"
    r"(/\S+\.(cc|h):\d+ [^()]*\(([^()]|\([^()]*\))*\)( const)?( \[[^]]*\])? )?"
)


class OnnxNetwork:
    """An ONNX file that runs: images in, one row of numbers per image and output out.

    Batches have the size that the file asks for. A file that fails on two images, but not on one, gets them one by one.
    """

    def __init__(self, session: Any, images: OnnxInput) -> None:
        """Run once on two images; raises whatever onnxruntime raises."""
        self.images, self._session, self._batch = images, session, images.batch
        self.outputs = [output.name for output in session.get_outputs()]
        if self._batch is None and not self._takes_two():
            self._batch = 1
            self.rows(self.probes()[:2], self.outputs)

    def probes(self) -> np.ndarray:
        """Images that differ as much as possible, normalized: noise, two as in nature, gray, black and white."""
        preprocessing = self.images.preprocessing
        shape = (preprocessing.channels, *preprocessing.crop)
        noise = torch.from_numpy(np.random.default_rng(0).random(shape, np.float32))
        natural = [probe_pixels(preprocessing, number) for number in range(2)]
        plain = [torch.full(shape, level) for level in (0.5, 0.0, 1.0)]
        return preprocessing.normalize(torch.stack([noise, *natural, *plain])).numpy()

    def rows(self, images: np.ndarray, outputs: Sequence[str]) -> list[np.ndarray | None]:
        """A row per image (n, c, h, w) from each of these outputs; None from an output of something else."""
        size = self._batch or len(images)
        parts = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            values = self._session.run(list(outputs), {self.images.name: self.images.to_feed(filled)})
            parts.append([output_rows(value, size) for value in values])
        return [
            None if any(rows is None for rows in each) else np.concatenate(each)[: len(images)]
            for each in zip(*parts, strict=True)
        ]

    def _takes_two(self) -> bool:
        try:
            return any(rows is not None for rows in self.rows(self.probes()[:2], self.outputs))
        except Exception:  # noqa: BLE001 (onnxruntime has no class of its own for this)
            return False


def build(request: ModelRequest) -> BlackBox:
    """An ONNX file with one image input and one row of logits or probabilities per image, on the CPU.

    Images go in as the file says: channels first or last, float32, float16, float64 or uint8, one, some or any number
    at a time. The file says nothing of their preprocessing: by default the whole image is squashed onto the input's
    size and normalized as ImageNet networks are (other than 3 channels: mean .5, deviation .25; uint8: 0 … 255). Give
    `preprocessing` for another.

    Several outputs with one row per image: the one that is named (`onnx/FILE:OUTPUT`), that alone fits the labels, or
    that is called logits. Probabilities are noticed (`onnx_output.read_meaning`) and reported with a warning. Raises
    `ClassifierError`.
    """
    runtime = _onnxruntime()
    path, wanted = _split(request.name)
    if request.head is not None:
        if wanted:
            got = f"{wanted} and {request.head}"
            raise ClassifierError(f"one output of {path}", got, "name it once, behind the file or as the head")
        wanted = request.head
    if request.weights is not None:
        raise ClassifierError(
            "no weights beside an ONNX file", request.weights, "the file holds them: leave --weights out"
        )
    session, graph = _session(runtime, path), read_onnx_graph(path)
    network = _network(session, read_inputs(session.get_inputs(), str(path), request.preprocessing), path)
    probes = network.probes()
    rows = dict(zip(network.outputs, network.rows(probes, network.outputs), strict=True))
    shown = ", ".join(f"{one.name} {one.type} {one.shape}" for one in session.get_outputs())
    chosen = choose_output(rows, wanted, request.labels, f"{path} with the outputs {shown}")
    returns, meaning, reason = request.returns, request.output, ""
    if returns is None:
        last = graph.last_operations(chosen)
        returns, meaning, reason = read_meaning(np.asarray(rows[chosen]), last, request.output, str(path))
    if reason:
        warnings.warn(
            f"the rows of {path} are {reason}: taken as probabilities, not as logits", ClassifierWarning, stacklevel=2
        )

    def answer(batch: np.ndarray) -> np.ndarray:
        return np.asarray(network.rows(batch, [chosen])[0])

    several = sum(values is not None for values in rows.values()) > 1
    return BlackBox(
        answer,
        network.images.preprocessing,
        request.labels,
        output=meaning,
        returns=returns,
        name=f"onnx/{path.name}:{chosen}" if several else f"onnx/{path.name}",
        fingerprint=_fingerprint(path, graph, chosen if several else ""),
    )


def _split(name: str) -> tuple[Path, str]:
    """The file, and the name of the output behind it, which may hold colons itself (`Identity:0`)."""
    if not Path(name).is_file():
        for place in (index for index, character in enumerate(name) if character == ":"):
            if Path(name[:place]).is_file():
                return Path(name[:place]), name[place + 1 :]
    return Path(name), ""


def _network(session: Any, ways: list[OnnxInput], path: Path) -> OnnxNetwork:
    """The first way to feed the file that it runs with."""
    errors = []
    for images in ways:
        try:
            return OnnxNetwork(session, images)
        except Exception as error:  # noqa: BLE001 (onnxruntime has no class of its own for this)
            errors.append(error)
    shape = "x".join(map(str, (ways[0].preprocessing.channels, *ways[0].preprocessing.crop)))
    raise ClassifierError(
        f"{path} to take images of {shape}", _said(errors[0]), "give a preprocessing with its size and channels"
    ) from errors[0]


def _fingerprint(path: Path, graph: OnnxGraph, output: str) -> str:
    """SHA-256 of the file, of the files with weights that it names, and of the output where it has several."""
    digest = hashlib.sha256()
    for file in (path, *(path.parent / location for location in sorted(graph.locations))):
        if not file.resolve().is_relative_to(path.parent.resolve()):
            raise ClassifierError(f"weights beside {path}", str(file), "keep them in one folder, and export it again")
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    digest.update(output.encode())
    return digest.hexdigest()


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
        said = _said(error)
        missing = sorted(
            location for location in read_onnx_graph(path).locations if not (path.parent / location).is_file()
        )
        if missing:
            raise ClassifierError(f"the weights of {path}", f"no file {missing[0]} beside it", "copy both") from error
        do = "export it again"
        if re.search(r"IR version|opset", said, re.IGNORECASE):
            do = "update onnxruntime, or export it with an older opset"
        elif "NotImplemented" in type(error).__name__:
            do = "export it in float32"
        raise ClassifierError("a whole ONNX file", f"{path}: {said}", do) from error


def _said(error: Exception) -> str:
    """The first line of a message, without the places in onnxruntime's own sources."""
    return PREFIXES.sub("", first_line(error, None))[:240]
