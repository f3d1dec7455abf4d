"""Forms of checkpoints in the tables of docs/models.md, written by the libraries themselves where they can."""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file
from timm.utils.checkpoint_saver import CheckpointSaver
from timm.utils.model_ema import ModelEmaV3
from torch import nn
from torch.nn.utils import prune
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import StepLR
from torch.optim.swa_utils import AveragedModel

ARGS = argparse.Namespace(lr=0.1, model="net", path=Path("data"))


@dataclass(frozen=True)
class Form:
    """A form of checkpoints.

    Attributes:
        save: Writes a network into a folder, and returns the file.
        expected: The network whose numbers the file holds.
    """

    save: Callable[[nn.Module, Path], Path]
    expected: Callable[[nn.Module], nn.Module] = lambda network: network


def content(build: Callable[[nn.Module], object]) -> Callable[[nn.Module, Path], Path]:
    """How what `build` makes of a network is saved."""

    def save(network: nn.Module, folder: Path) -> Path:
        torch.save(build(network), folder / "weights.pth")
        return folder / "weights.pth"

    return save


def save_safetensors(network: nn.Module, folder: Path) -> Path:
    save_file(network.state_dict(), folder / "weights.safetensors")
    return folder / "weights.safetensors"


def save_torchscript(network: nn.Module, folder: Path) -> Path:
    traced = torch.jit.trace(network, torch.zeros(1, 3, 64, 64), strict=False)
    torch.jit.save(traced, folder / "weights.pt")
    return folder / "weights.pt"


def save_by_timm(network: nn.Module, folder: Path) -> Path:
    """As timm's `train.py` does, with an average of other weights beside the network."""
    average = ModelEmaV3(network)
    average.module.load_state_dict(averaged(network).module.state_dict())
    saver = CheckpointSaver(network, optimizer_of(network), ARGS, average, checkpoint_dir=str(folder))
    saver.save_checkpoint(0, metric=0.5)
    return folder / "last.pth.tar"


def optimizer_of(network: nn.Module) -> Optimizer:
    """An optimizer with a state, which left the network as it was."""
    optimizer = AdamW(network.parameters(), lr=0.0)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    return optimizer


def averaged(network: nn.Module) -> AveragedModel:
    """An average of the network over a training: other weights than its own."""
    average = AveragedModel(network, use_buffers=True)
    with torch.no_grad():
        for parameter in average.parameters():
            parameter.mul_(0.5)
    return average


def half(network: nn.Module) -> nn.Module:
    return copy.deepcopy(network).half()


def lightning(network: nn.Module) -> dict:
    """As Lightning writes a module with the network in `self.model` and a loss with weights."""
    optimizer = optimizer_of(network)
    return {
        "epoch": 3,
        "global_step": 12,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {**_under("model.", network), "loss.weight": torch.ones(5)},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [StepLR(optimizer, 1).state_dict()],
        "hyper_parameters": {"args": ARGS},
    }


def torchvision_script(network: nn.Module) -> dict:
    """As `references/classification/train.py` does, with `--model-ema`."""
    optimizer = optimizer_of(network)
    return {
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": StepLR(optimizer, 1).state_dict(),
        "epoch": 3,
        "args": ARGS,
        "model_ema": averaged(network).state_dict(),
        "scaler": torch.amp.GradScaler("cpu").state_dict(),
    }


def pruned(network: nn.Module) -> dict:
    """With `weight_orig` and `weight_mask` in place of the first layer's weights."""
    network = copy.deepcopy(network)
    layer = next(part for part in network.modules() if isinstance(part, nn.Conv2d))
    prune.l1_unstructured(layer, "weight", amount=0.5)
    return network.state_dict()


def _under(prefix: str, network: nn.Module) -> dict:
    return {f"{prefix}{name}": value for name, value in network.state_dict().items()}


FORMS = {
    "state dict": Form(content(lambda network: network.state_dict())),
    "safetensors": Form(save_safetensors),
    "half precision": Form(content(lambda network: half(network).state_dict()), lambda network: half(network).float()),
    "`torch.compile`": Form(content(lambda network: cast(nn.Module, torch.compile(network)).state_dict())),
    "DataParallel": Form(content(lambda network: nn.DataParallel(network).state_dict())),
    "Lightning": Form(content(lightning)),
    "`args` beside `model`": Form(content(lambda network: {"model": network.state_dict(), "args": ARGS})),
    "timm's training script": Form(save_by_timm),
    "torchvision's training script": Form(content(torchvision_script)),
    "`model_ema` alone": Form(
        content(lambda network: {"model_ema": averaged(network).state_dict(), "epoch": 3}),
        lambda network: averaged(network).module,
    ),
    "`AveragedModel`": Form(
        content(lambda network: averaged(network).state_dict()), lambda network: averaged(network).module
    ),
    "pruned (`weight_orig`)": Form(content(pruned)),
    "TorchScript archive": Form(save_torchscript),
}
