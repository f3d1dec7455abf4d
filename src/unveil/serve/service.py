"""What the routes share: the workplace, the threads, the streams, and who may use them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from unveil.serve.access import Access
from unveil.serve.address import ServedAddress
from unveil.serve.events import EventHub
from unveil.serve.folder_images import FolderImages
from unveil.serve.jobs import Workplace
from unveil.serve.threads import RequestThreads

JSON_BYTES, UPLOAD_BYTES, PIXELS, QUEUE = 4 << 20, 64 << 20, 1 << 26, 64


@dataclass(frozen=True)
class ServeLimits:
    """The limits of a server, as its page shows them.

    Attributes:
        upload_bytes: The largest image file in bytes.
        pixels: The largest number of pixels of an image.
        queue: The largest number of jobs that wait.
        json_bytes: The largest JSON body in bytes.
    """

    upload_bytes: int = UPLOAD_BYTES
    pixels: int = PIXELS
    queue: int = QUEUE
    json_bytes: int = JSON_BYTES


@dataclass(frozen=True, eq=False)
class ServeService:
    """What the routes share.

    Attributes:
        workplace: Images, jobs and the worker.
        folder: Its folder.
        access: Links and sessions.
        address: Where the server listens.
        models: The names of the classifiers that may be chosen, the default first.
        default_recipe: The name of the recipe that a form begins with.
        limits: The limits.
        images: The images of `--images`; None without.
        on_session: Called when a link was used, to print the next one.
        threads: Where everything that waits is done.
        hub: The streams.
        testing: The ids of jobs whose what-ifs are being tested, with how many.
        tasks: What goes on after its request was answered.
    """

    workplace: Workplace
    folder: Path
    access: Access
    address: ServedAddress
    models: tuple[str, ...]
    default_recipe: str = "recommended"
    limits: ServeLimits = field(default_factory=ServeLimits)
    images: FolderImages | None = None
    on_session: Callable[[], object] = lambda: None
    threads: RequestThreads = field(default_factory=RequestThreads)
    hub: EventHub = field(init=False)
    testing: dict[str, int] = field(default_factory=dict)
    tasks: set[asyncio.Task] = field(default_factory=set)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hub", EventHub(self.workplace, self.threads))

    @property
    def hidden(self) -> tuple[Path, ...]:
        """Folders that no message may name."""
        folders = [self.folder, *([] if self.images is None else [self.images.folder])]
        return tuple(one for folder in folders for one in (folder, folder.absolute(), folder.resolve()))

    def keep_on(self, work: Any) -> None:
        """Go on with a coroutine after the request was answered."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        """End streams and tasks."""
        self.hub.close()
        for task in list(self.tasks):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        self.threads.close()


def get_service(request: Request) -> ServeService:
    """The service of the application that a request is for."""
    return request.app.state.service


Service = Annotated[ServeService, Depends(get_service)]
