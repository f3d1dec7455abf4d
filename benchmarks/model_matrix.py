"""Which models can be given in which way: a table of kinds of networks, forms of checkpoints and ways to give them.

    python benchmarks/model_matrix.py            prints the tables of docs/models.md
    python benchmarks/model_matrix.py --write    writes them into docs/models.md

A cell is `exact` if logits (and gradients, where the classifier has them) are those of PyTorch for four random images,
within 1e-4 of the largest; `black box` if logits are, and there are no gradients; or `refused` with the reason.
"""

import argparse
import re
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx  # noqa: F401 (torch.onnx needs it)
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

import unveil
from unveil.attribution import Gradient
from unveil.errors import UnveilError
from unveil.targets import TargetScore

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
SIDE, CLASSES = 64, 5
PREPROCESSING = unveil.Preprocessing.square(SIDE, (0.5,) * 3, (0.25,) * 3)
BEGIN, END = "<!-- made by benchmarks/model_matrix.py -->", "<!-- end -->"


class Viewing(nn.Module):
    """A network that views its features, which need to be contiguous."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 6, 5, stride=4), nn.Linear(6 * 15 * 15, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).relu()
        return self.last(x.view(x.size(0), -1))


class Answering(nn.Module):
    """A network that returns its logits in some form."""

    def __init__(self, form: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.network, self.form = convolutional(), form

    def forward(self, x: Tensor) -> object:
        return self.form(self.network(x))


def convolutional() -> nn.Sequential:
    """Two convolutions, one with a batch norm."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, CLASSES)).eval()


def pruned() -> nn.Module:
    network = convolutional()
    prune.l1_unstructured(network[0], "weight", amount=0.5)
    network(torch.zeros(1, 3, SIDE, SIDE))
    return network


def normed() -> nn.Module:
    network = convolutional()
    parametrizations.weight_norm(network[3])
    return network


def quantized() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(convolutional(), {nn.Linear}, dtype=torch.qint8)


def vit() -> nn.Module:
    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(SIDE, 16, 2, 2, 32, 64, num_classes=CLASSES).eval()
    nn.init.normal_(network.get_submodule("heads.head").get_parameter("weight"))
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convolutions and batch norm": convolutional,
    "`x.view(len(x), -1)` behind convolutions": Viewing,
    "torchvision's ResNet": lambda: torchvision.models.resnet18(num_classes=CLASSES).eval(),
    "torchvision's ViT": vit,
    "timm's ConvNeXt": lambda: timm.create_model("convnext_atto", num_classes=CLASSES).eval(),
    "weight norm": normed,
    "pruned": pruned,
    "int8 (dynamic)": quantized,
    "dictionary with `logits`": lambda: Answering(lambda z: {"logits": z, "features": z * 2}),
    "softmax inside": lambda: Answering(lambda z: z.softmax(1)),
    "dropout that ignores `eval()`": lambda: Answering(lambda z: nn.functional.dropout(z, 0.5, training=True)),
    "indices of classes": lambda: Answering(lambda z: z.argmax(1)),
}
WAYS = ("object", "factory", "`torch.compile`", "TorchScript", "`torch.export`", "ONNX")
CHECKPOINTS = (
    "state dict",
    "safetensors",
    "Lightning",
    "`torch.compile`",
    "DataParallel",
    "with `args`",
    "TorchScript",
)


def make(name: str) -> nn.Module:
    """The network of this name, with the same random weights at every call."""
    torch.manual_seed(0)
    return NETWORKS[name]().eval()


def give(name: str, way: str, folder: Path) -> unveil.Classifier:
    """The classifier of a network that is given in one of the ways."""
    network, images = make(name), torch.zeros(2, 3, SIDE, SIDE)
    options = {"preprocessing": PREPROCESSING, "device": "cpu", "precision": "fp32"}
    if way == "factory":
        text = f"from model_matrix import make as build\n\ndef make():\n    return build({name!r})\n"
        (folder / "net.py").write_text(text, encoding="utf-8")
        return unveil.load_classifier(f"python/{folder / 'net.py'}:make", **options)
    if way == "ONNX":
        batch = torch.export.Dim("n")
        torch.onnx.export(network, (images,), folder / "net.onnx", dynamic_shapes=({0: batch},), verbose=False)
        return unveil.load_classifier(f"onnx/{folder / 'net.onnx'}", preprocessing=PREPROCESSING)
    forms = {
        "object": lambda: network,
        "`torch.compile`": lambda: torch.compile(network),
        "TorchScript": lambda: torch.jit.trace(network, images, strict=False),
        "`torch.export`": lambda: torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim("n")},)),
    }
    return unveil.load_classifier(forms[way](), **options)


def write_checkpoint(network: nn.Module, form: str, folder: Path) -> Path:
    """The weights of a network in one of the forms in which training scripts keep them."""
    state, path = network.state_dict(), folder / "weights.pth"
    if form == "safetensors":
        save_file(state, folder / "weights.safetensors")
        return folder / "weights.safetensors"
    if form == "TorchScript":
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 3, SIDE, SIDE)), path)
        return path
    contents = {
        "state dict": state,
        "Lightning": {
            "state_dict": {**{f"model.{name}": value for name, value in state.items()}, "loss.weight": torch.ones(5)},
            "epoch": 3,
        },
        "`torch.compile`": {f"_orig_mod.{name}": value for name, value in state.items()},
        "DataParallel": {f"module.{name}": value for name, value in state.items()},
        "with `args`": {"model": state, "args": argparse.Namespace(lr=0.1, path=Path("data"))},
    }
    torch.save(contents[form], path)
    return path


def judge(build: Callable[[], nn.Module], load: Callable[[], unveil.Classifier]) -> str:
    """`exact`, `black box`, or `refused` with the reason."""
    try:
        classifier = load()
    except UnveilError as error:
        return f"refused: {_short(error.got)}"
    except Exception as error:  # noqa: BLE001 (PyTorch's own exporters refuse some networks)
        return f"– ({type(error).__name__} of PyTorch)"
    pixels = torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    logits, gradients = by_pytorch(build(), pixels)
    got = np.stack([row.probabilities for row in classifier.predict(pixels)])
    expected = logits.softmax(1).detach().double().numpy()
    if not np.allclose(got, expected, atol=1e-4 * np.abs(expected).max()):
        return "**other numbers**"
    if not classifier.differentiable:
        return "black box"
    signed, _ = Gradient().gradients(classifier, pixels, [TargetScore("", ((0, 1.0),))])
    error = float((signed[0] - gradients).abs().max() / gradients.abs().max())
    return "exact" if error < 1e-3 else "**other gradients**"


def by_pytorch(network: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and gradients of the first, of one image at a time."""
    rows, gradients = [], []
    for image in pixels.split(1):
        leaf = image.clone().requires_grad_()
        returned = network((leaf - 0.5) / 0.25)
        row = returned["logits"] if isinstance(returned, dict) else returned
        if isinstance(network, Answering) and torch.allclose(row.sum(), torch.ones(())):
            row = row.log()
        if row.requires_grad:
            row[:, 0].sum().backward()
        rows.append(row.detach())
        gradients.append(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
    return torch.cat(rows), torch.cat(gradients)


def _short(text: str) -> str:
    text = re.sub(r"\S*/", "", text)  # the temporary folder
    return text if len(text) <= 60 else f"{text[:57]}…"


def table(head: str, rows: dict[str, list[str]], columns: tuple[str, ...]) -> str:
    """A table in Markdown."""
    lines = [f"| {head} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def tables() -> str:
    """Both tables."""
    networks, checkpoints = {}, {}
    for name in NETWORKS:
        cells = []
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                cells.append(judge(partial(make, name), partial(give, name, way, place)))
        networks[name] = cells
    for form in CHECKPOINTS:
        with tempfile.TemporaryDirectory() as folder:
            path = write_checkpoint(convolutional(), form, Path(folder))
            untrained = nn.Sequential(*[type(part)(*_arguments(part)) for part in convolutional()])
            cell = judge(
                convolutional,
                lambda path=path, untrained=untrained: unveil.load_classifier(
                    untrained, path, preprocessing=PREPROCESSING, device="cpu", precision="fp32"
                ),
            )
        checkpoints[form] = [cell]
    return f"{table('network', networks, WAYS)}\n\n{table('weights in', checkpoints, ('--weights FILE',))}"


def _arguments(part: nn.Module) -> tuple:
    match part:
        case nn.Conv2d():
            return part.in_channels, part.out_channels, part.kernel_size, part.stride
        case nn.BatchNorm2d():
            return (part.num_features,)
        case nn.Linear():
            return part.in_features, part.out_features
        case nn.AdaptiveAvgPool2d():
            return (part.output_size,)
        case _:
            return ()


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
