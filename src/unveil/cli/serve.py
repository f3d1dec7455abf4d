"""`unveil serve`: the web application."""

import os
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Annotated

import typer

from unveil.atomic import check_folder
from unveil.cli import options, preparation
from unveil.cli.completion import complete_model
from unveil.cli.console import console
from unveil.cli.texts import as_text
from unveil.errors import ClassifierError

if TYPE_CHECKING:
    from unveil.classifiers import Classifier
    from unveil.serve.jobs import Workplace

DEMO_MODEL, DEMO_SCENE = "planted/demo", 100_034
MOST_MODELS = 16
SERVER = "Server"


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A model that may be chosen, as for unveil run; may be repeated.",
            show_default="planted/demo, with a scene",
            autocompletion=complete_model,
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    weights: options.Weights = None,
    labels: options.Labels = None,
    output: options.OutputMeaning = None,
    head: options.Head = None,
    returns: options.ReturnKind = None,
    size: preparation.Size = None,
    channels: preparation.Channels = None,
    mean: preparation.MeanText = None,
    std: preparation.StdText = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder whose images may be chosen besides uploads.",
            show_default="uploads only",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where uploads, jobs and records are kept.",
            show_default="unveil/serve in the user's data",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="IP", help="The address to listen on.", rich_help_panel=SERVER)
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0 for a free one.", rich_help_panel=SERVER)
    ] = 8765,
    host_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name of this machine that browsers may use; may be repeated.",
            show_default="none",
            rich_help_panel=SERVER,
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A file with a token of at least 16 characters, for programs; needed for other addresses.",
            show_default="none",
            rich_help_panel=SERVER,
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.", rich_help_panel=SERVER)
    ] = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
) -> None:
    """Serve the web application: upload images, watch regions come, hide parts by hand, judge, and export.

    It listens on this machine only, and prints a link that opens one session. Ctrl-C ends it; jobs go on when it is
    started again.

    Example: unveil serve --model torchvision/resnet50 --open
    """
    from unveil.serve.access import Access, read_token  # noqa: PLC0415 (torch, fastapi)
    from unveil.serve.address import ServedAddress, check_address  # noqa: PLC0415
    from unveil.serve.application import make_application  # noqa: PLC0415
    from unveil.serve.folder_images import FolderImages  # noqa: PLC0415
    from unveil.serve.jobs import Workplace  # noqa: PLC0415
    from unveil.serve.running import BoundServer  # noqa: PLC0415
    from unveil.serve.service import ServeService  # noqa: PLC0415

    token = None if token_file is None else read_token(token_file)
    names = tuple(name.lower() for name in ([] if host_name is None else host_name))
    check_address(host, names, has_token=token is not None)
    chosen = FolderImages(images) if images is not None else None
    place = default_folder() if folder is None else folder
    check_folder(place)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = {"weights": weights, "labels": labels, "output": output, "head": head, "returns": returns}
    changes = preparation.parse_changes(size, channels, mean, std, None)
    about["preprocessing"] = None if changes.is_empty else changes
    bound = BoundServer(host, port)
    try:
        classifiers = _load(model, about, device, precision)
        address = ServedAddress(host, bound.port, names)
        access = Access(bound.port, token)

        def show_link() -> str:
            link = f"{address.origin}/open?token={access.new_link_token()}"
            console.print(f"open (once): {as_text(link)}", soft_wrap=True, highlight=False)
            return link

        with Workplace(place, classifiers) as workplace:
            if model is None:
                _add_demo_scene(workplace)
            service = ServeService(
                workplace,
                place,
                access,
                address,
                tuple(classifiers),
                default_recipe="demo" if model is None else "recommended",
                images=chosen,
                on_session=show_link,
            )
            app = make_application(service)
            link = show_link()
            with _opened(link) if open_page else nullcontext():
                bound.run(app, service.hub.close)
    finally:
        bound.close()


def default_folder() -> Path:
    """The folder of the server in the user's data, as XDG says."""
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share") / "unveil" / "serve"


def _load(models: list[str] | None, about: dict, device: str, precision: str) -> "dict[str, Callable[[], Classifier]]":
    """The classifiers by name. All are loaded now, so that a wrong name is an error now, and not of the first job."""
    from unveil.classifiers import load_classifier  # noqa: PLC0415 (torch)

    named = [] if models is None else list(dict.fromkeys(models))
    names = named if len(named) else [DEMO_MODEL]
    given = {name: value for name, value in about.items() if value is not None}
    if given and len(names) > 1:
        got = f"{len(names)} models and --{'/--'.join(given)}"
        raise ClassifierError("options about one model", got, "start a server for each, or leave them out")
    if len(names) > MOST_MODELS:
        raise ClassifierError(f"at most {MOST_MODELS} models", str(len(names)), "start several servers")
    loaded = {}
    for name in names:
        console.print(f"[dim]loading {as_text(name)}[/]", soft_wrap=True, highlight=False)
        loaded[name] = load_classifier(name, given.pop("weights", None), **given, device=device, precision=precision)
    return {name: lambda one=one: one for name, one in loaded.items()}


def _add_demo_scene(workplace: "Workplace") -> None:
    """An image to begin with: a scene with known evidence."""
    import numpy as np  # noqa: PLC0415

    from unveil.images.png_encoding import encode_png  # noqa: PLC0415
    from unveil.planted import draw_scene  # noqa: PLC0415

    pixels = draw_scene(DEMO_SCENE).pixels.transpose(1, 2, 0)
    workplace.add_image("planted scene.png", iter([encode_png(np.rint(pixels * 255).astype(np.uint8))]))


@contextmanager
def _opened(link: str) -> Iterator[None]:
    """Open a link in the browser through a file that only the user can read: other users see arguments of programs."""
    number, name = mkstemp(prefix="unveil-", suffix=".html")
    path = Path(name)
    try:
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={link}"><title>unveil</title>')
        webbrowser.open(path.as_uri())
        yield
    finally:
        path.unlink(missing_ok=True)
