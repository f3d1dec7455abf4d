"""Networks of the tables in docs/models.md: small ones with random weights, and those that a library makes by name."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import timm
import torch
import torchvision
import transformers
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

import unveil

Network = TypeVar("Network", bound=nn.Module)
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

SIDE, CLASSES = 64, 5
MEAN, STD = 0.5, 0.25
STAGES = {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 24, 32, 48]}
TRANSFORMER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
CONFIGURATIONS = {  # of networks of transformers
    "ResNet": {**STAGES, "embedding_size": 16, "layer_type": "basic"},
    "ConvNext": STAGES,
    "ViT": {**TRANSFORMER, "image_size": SIDE, "patch_size": 16},
}
# Networks of libraries whose input has another size than SIDE.
SIDES = {"vit_b_32": 224, "test_vit": 160}


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
    layers = [nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU()]
    return randomized(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, CLASSES)))


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


def small_vit() -> nn.Module:
    return randomized(torchvision.models.VisionTransformer(SIDE, 16, 2, 2, 32, 64, num_classes=CLASSES))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convolutions and batch norm": convolutional,
    "`x.view(len(x), -1)` behind convolutions": Viewing,
    "ResNet": lambda: make("torchvision", "resnet18"),
    "ConvNeXt": lambda: make("timm", "test_convnext"),
    "ViT": small_vit,
    "ViT of transformers": lambda: make("huggingface", "ViT"),
    "weight norm": normed,
    "pruned": pruned,
    "int8 (dynamic)": quantized,
    "dictionary with `logits`": lambda: Answering(lambda z: {"logits": z, "features": z * 2}),
    "softmax inside": lambda: Answering(lambda z: z.softmax(1)),
    "dropout that ignores `eval()`": lambda: Answering(lambda z: nn.functional.dropout(z, 0.5, training=True)),
    "indices of classes": lambda: Answering(lambda z: z.argmax(1)),
}
# Networks of these kinds that libraries make by a name, or from a folder.
BY_NAME: dict[str, dict[str, str]] = {
    "ResNet": {"torchvision": "resnet18", "timm": "test_resnet", "huggingface": "ResNet"},
    "ConvNeXt": {"torchvision": "convnext_tiny", "timm": "test_convnext", "huggingface": "ConvNext"},
    "ViT": {"torchvision": "vit_b_32", "timm": "test_vit", "huggingface": "ViT"},
    "ViT of transformers": {"huggingface": "ViT"},
}


def make(source: str, name: str, seed: int = 0) -> nn.Module:
    """The network of this name, with the same random weights at every call with the same seed."""
    torch.manual_seed(seed)
    match source:
        case "torchvision":
            return randomized(torchvision.models.get_model(name, weights=None, num_classes=CLASSES))
        case "timm":
            return randomized(timm.create_model(name, num_classes=CLASSES))
        case "huggingface":
            config = getattr(transformers, f"{name}Config")(**CONFIGURATIONS[name], num_labels=CLASSES)
            return randomized(getattr(transformers, f"{name}ForImageClassification")(config))
        case _:
            return NETWORKS[name]().eval()


def randomized(network: Network) -> Network:
    """The network in evaluation mode, with random numbers in every tensor, so that none can be left out unseen."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=(2 / parameter[0].numel()) ** 0.5)
            else:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
        for name, buffer in network.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(torch.rand_like(buffer), alpha=0.2)
    return network.eval()


def name_model(source: str, name: str, folder: Path, seed: int = 0) -> str:
    """What `--model` is told for a network; factories and folders of transformers are written first."""
    match source:
        case "python":
            text = f"from matrix_networks import make\n\n\ndef build():\n    return make('python', {name!r}, {seed})\n"
            (folder / "net.py").write_text(text, encoding="utf-8")
            return f"python/{folder / 'net.py'}:build"
        case "huggingface":
            size = {"height": SIDE, "width": SIDE}
            processor = transformers.ViTImageProcessor(size=size, image_mean=[MEAN] * 3, image_std=[STD] * 3)
            processor.save_pretrained(folder / "network")
            cast(transformers.PreTrainedModel, make(source, name, seed)).save_pretrained(folder / "network")
            return f"huggingface/{folder / 'network'}"
        case _:
            return f"{source}/{name}"


def preprocessing_for(name: str) -> unveil.Preprocessing:
    """Pixels on the grid that a network takes."""
    return unveil.Preprocessing.square(SIDES.get(name, SIDE), (MEAN,) * 3, (STD,) * 3)
