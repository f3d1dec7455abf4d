"""`unveil models`: lists the models that `--model` can name."""

from typing import Annotated

import typer

from unveil.cli.console import console, write_json, write_result
from unveil.errors import MissingLibraryError


def models(
    text: Annotated[
        str, typer.Argument(metavar="[FILTER]", help="Part of a name, such as torchvision or resnet.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """List the models that --model can name."""
    from unveil.classifiers.sources import planted, timm, torchvision, torchxrayvision  # noqa: PLC0415 (seconds of imports)

    found = [f"planted/{name}" for name in planted.names()]
    for source, door in (("torchvision", torchvision), ("timm", timm), ("torchxrayvision", torchxrayvision)):
        try:
            found += [f"{source}/{name}" for name in door.names()]
        except MissingLibraryError as error:
            console.print(f"without those of {source}: {error.do}", markup=False)
    found = [name for name in found if text.lower() in name.lower()]
    if as_json:
        write_json(found)
        return
    for name in found:
        write_result(name)
    if text.lower().startswith("huggingface"):
        _show_huggingface()
        return
    files = "python/FILE.py:FACTORY, torchscript/FILE, onnx/FILE, chexnet/FILE"
    own = f"{files}; and huggingface/NAME (see: unveil models huggingface)"
    console.print(f"{len(found)} models; and your own: {own}", markup=False)


def _show_huggingface() -> None:
    """What can follow `huggingface/`: names of the hub aren't listed, because that needs the network."""
    from unveil.classifiers.sources import huggingface  # noqa: PLC0415 (seconds of imports)

    write_result("huggingface/NAME      a model of the hub, such as huggingface/google/vit-base-patch16-224")
    write_result("huggingface/FOLDER    a folder that save_pretrained wrote, with the image processor")
    try:
        kinds = ", ".join(huggingface.architectures())
    except MissingLibraryError as error:
        console.print(f"without the names of architectures: {error.do}", markup=False)
    else:
        console.print(f"image classifiers with weights in safetensors, of these architectures: {kinds}", markup=False)
