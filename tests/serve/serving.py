"""An application with a session, to be called without a server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serve.asgi import Answer, send_request
from unveil.serve.access import Access
from unveil.serve.address import ServedAddress
from unveil.serve.application import make_application
from unveil.serve.jobs import Workplace
from unveil.serve.service import ServeLimits, ServeService
from workplaces import open_workplace, wait_over

HOST, ORIGIN = "127.0.0.1:8765", "http://127.0.0.1:8765"
PAGE = [("host", HOST), ("origin", ORIGIN), ("sec-fetch-site", "same-origin")]
JSON, BYTES = ("content-type", "application/json"), ("content-type", "application/octet-stream")


class Page:
    """A browser with a session at an application."""

    def __init__(self, service: ServeService) -> None:
        self.service, self.app = service, make_application(service)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.heads = self.new_heads()

    def new_heads(self) -> list[tuple[str, str]]:
        """The headers of another browser."""
        access = self.service.access
        session = access.open_session(access.new_link_token())
        return [*PAGE, ("cookie", f"{access.cookie_name}={session}")]

    def __call__(
        self, method: str, path: str, body: Any = None, heads: list | None = None, raw: bytes | None = None
    ) -> Answer:
        content = raw if body is None else json.dumps(body).encode()
        sent = [] if content is None else [JSON, ("content-length", str(len(content)))]
        return self.send(method, path, [*self.heads, *sent, *(heads or [])], [content or b""])

    def send(self, method: str, path: str, heads: list, body: list | None = None) -> Answer:
        """Send a request in the loop of the application, which goes on afterwards."""
        return self.run(send_request(self.app, method, path, heads, body))

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(120)

    def close(self) -> None:
        self.run(self.service.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def get(self, path: str) -> Any:
        answer = self("GET", path)
        assert answer.status == 200, answer.body
        return answer.json()

    def upload(self, content: bytes, name: str = "image.png") -> Answer:
        heads = [*self.heads, BYTES, ("content-length", str(len(content)))]
        half = len(content) // 2
        return self.send("POST", f"/api/images?name={name}", heads, [content[:half], content[half:]])

    @property
    def workplace(self) -> Workplace:
        return self.service.workplace

    def finish(self, request: Any) -> str:
        """The id of a job, when it is over."""
        return wait_over(self.workplace, self.workplace.submit(request).id).id


@contextmanager
def opened_page(
    folder: Path, *, images: Any = None, limits: ServeLimits | None = None, **options: Any
) -> Iterator[Page]:
    """An application with the classifiers of `workplaces`."""
    with open_workplace(folder, **options) as workplace:
        service = ServeService(
            workplace,
            folder,
            Access(8765),
            ServedAddress(),
            ("tiny", "demo"),
            images=images,
            limits=limits or ServeLimits(),
        )
        page = Page(service)
        try:
            yield page
        finally:
            page.close()
