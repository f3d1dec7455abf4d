"""Which models can be given in which way: networks by ways to give them, and forms of checkpoints by networks.

    python benchmarks/model_matrix.py            prints the tables of docs/models.md
    python benchmarks/model_matrix.py --write    writes them into docs/models.md

A cell is `exact` if the logits and gradients of four random images, one at a time, are those of PyTorch, within 1e-4 of
the largest; `black box` if logits are, and there are no gradients; or `refused` with the reason. The gradients of one
image may differ: where the input of a ReLU is zero but for rounding, either side is right.
The networks are in `matrix_networks.py`, the forms of checkpoints in `matrix_checkpoints.py`.
"""

import argparse
import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx  # noqa: F401 (torch.onnx needs it)
import torch
from matrix_checkpoints import FORMS
from matrix_networks import (
    BY_NAME,
    MEAN,
    NETWORKS,
    SIDE,
    STD,
    Answering,
    make,
    name_model,
    preprocessing_for,
)
from torch import Tensor, nn

import unveil
from unveil.attribution import Gradient
from unveil.errors import UnveilError
from unveil.targets import TargetScore

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
BEGIN, END = "<!-- made by benchmarks/model_matrix.py -->", "<!-- end -->"
TOLERANCE = 1e-4  # of the largest logit or gradient
IMAGES = 4
CPU = {"device": "cpu", "precision": "fp32"}
# Columns of the first table, and the sources that make networks of their own.
WAYS = {
    "object": None,
    "`python/FILE.py:f`": "python",
    "`torchvision/NAME`": "torchvision",
    "`timm/NAME`": "timm",
    "`huggingface/FOLDER`": "huggingface",
    "`onnx/FILE`": None,
    "`torchscript/FILE`": None,
    "`torch.compile`": None,
    "`torch.export`": None,
}
# Columns of the second table.
TRAINED = {
    "`python/FILE.py:f`, convolutions": ("python", "convolutions and batch norm"),
    "`torchvision/resnet18`": ("torchvision", "resnet18"),
    "`timm/test_convnext`": ("timm", "test_convnext"),
    "`huggingface/FOLDER`, ViT": ("huggingface", "ViT"),
}


def give(kind: str, way: str, folder: Path) -> str:
    """The cell of a network that is given in one of the ways."""
    source = WAYS[way]
    if source is None:
        return judge(make("python", kind), lambda: load(kind, way, folder))
    name = kind if source == "python" else BY_NAME.get(kind, {}).get(source)
    if name is None:
        return "– (no such network)"
    network, model = make(source, name), name_model(source, name, folder)
    # A factory makes the network with its weights; a folder also has its preprocessing.
    weights = folder / "weights.pth" if source in ("torchvision", "timm") else None
    if weights is not None:
        torch.save(network.state_dict(), weights)
    preprocessing = None if source == "huggingface" else preprocessing_for(name)
    return judge(network, lambda: unveil.load_classifier(model, weights, preprocessing=preprocessing, **CPU))


def load(kind: str, way: str, folder: Path) -> unveil.Classifier:
    """The classifier of an object, or of an exported file."""
    network, images, preprocessing = make("python", kind), torch.zeros(2, 3, SIDE, SIDE), preprocessing_for(kind)
    shapes = ({0: torch.export.Dim("n")},)
    if way == "`onnx/FILE`":
        torch.onnx.export(network, (images,), folder / "net.onnx", dynamic_shapes=shapes, verbose=False)
        return unveil.load_classifier(f"onnx/{folder / 'net.onnx'}", preprocessing=preprocessing)
    if way == "`torchscript/FILE`":
        # The check fails for torchvision's ViT, which runs other operations without gradients; `judge` compares.
        traced = torch.jit.trace(network, images, strict=False, check_trace=False)
        torch.jit.save(traced, folder / "net.pt")
        return unveil.load_classifier(f"torchscript/{folder / 'net.pt'}", preprocessing=preprocessing, **CPU)
    forms = {
        "object": lambda: network,
        "`torch.compile`": lambda: torch.compile(network),
        "`torch.export`": lambda: torch.export.export(network, (images,), dynamic_shapes=shapes),
    }
    return unveil.load_classifier(forms[way](), preprocessing=preprocessing, **CPU)


def give_checkpoint(form: str, column: str, folder: Path) -> str:
    """The cell of a network with other weights, which a file in one of the forms replaces."""
    source, name = TRAINED[column]
    trained, model = make(source, name), name_model(source, name, folder, seed=1)

    def load_file() -> unveil.Classifier:
        weights = FORMS[form].save(trained, folder)
        return unveil.load_classifier(model, weights, preprocessing=preprocessing_for(name), **CPU)

    return judge(FORMS[form].expected(make(source, name)), load_file)


def judge(network: nn.Module, load: Callable[[], unveil.Classifier]) -> str:
    """`exact`, `black box`, or `refused` with the reason."""
    try:
        classifier = load()
    except UnveilError as error:
        return f"refused: {_short(error.got)}"
    except Exception as error:  # noqa: BLE001 (PyTorch's own exporters refuse some networks)
        return f"– ({type(error).__name__} of PyTorch)"
    grid = classifier.preprocessing.crop
    pixels = torch.rand(IMAGES, 3, *grid, generator=torch.Generator().manual_seed(1))
    logits, gradients = by_pytorch(network, pixels)
    if _agree(logits.mean(0).expand_as(logits), logits):
        return "**the same logits for every image**"
    found = torch.from_numpy(np.stack([row.logits for row in classifier.predict(pixels)]))
    if not _agree(found, logits):
        return "**other numbers**"
    if not classifier.differentiable:
        return "black box"
    signed, _ = Gradient().gradients(classifier, pixels, [TargetScore("", ((0, 1.0),))])
    agreeing = sum(map(_agree, signed[0], gradients))
    return "exact" if agreeing >= IMAGES - 1 else "**other gradients**"


def by_pytorch(network: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and gradients of the first, of one image at a time."""
    rows, gradients = [], []
    for image in pixels.split(1):
        leaf = image.clone().requires_grad_()
        returned = network((leaf - MEAN) / STD)
        row = returned["logits"] if isinstance(returned, dict) else returned
        if isinstance(network, Answering) and torch.allclose(row.sum(), torch.ones(())):
            row = row.log()
        if row.requires_grad:
            row[:, 0].sum().backward()
        rows.append(row.detach())
        gradients.append(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
    return torch.cat(rows), torch.cat(gradients)


def _agree(found: Tensor, expected: Tensor) -> bool:
    error = (found.double() - expected.double()).abs().max()
    return bool(error <= TOLERANCE * expected.double().abs().max())


def _short(text: str) -> str:
    text = re.sub(r"\S*/", "", text)  # the temporary folder
    return text if len(text) <= 90 else f"{re.split('[;,][^;,]*$', text[:89])[0]} …"


def table(head: str, rows: dict[str, list[str]], columns: list[str]) -> str:
    """A table in Markdown."""
    lines = [f"| {head} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def cells(cell: Callable[[str, str, Path], str], rows: list[str], columns: list[str]) -> dict[str, list[str]]:
    """The cells of a table, each made in a folder of its own."""
    made: dict[str, list[str]] = {row: [] for row in rows}
    for row in rows:
        for column in columns:
            with tempfile.TemporaryDirectory() as folder:
                made[row].append(cell(row, column, Path(folder)))
    return made


def tables() -> str:
    """Both tables."""
    ways, trained = list(WAYS), list(TRAINED)
    first = table("network", cells(give, list(NETWORKS), ways), ways)
    second = table("weights in", cells(give_checkpoint, list(FORMS), trained), trained)
    return f"{first}\n\n{second}"


def main() -> None:
    """Print or write the tables."""
    arguments = argparse.ArgumentParser(description="Which models can be given in which way.")
    arguments.add_argument("--write", action="store_true", help="write them into docs/models.md")
    options = arguments.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = tables()
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")
    else:
        print(made)


if __name__ == "__main__":
    main()
