"""The server itself: uvicorn around the application, and an end that waits for no stream."""

import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from unveil.errors import MissingLibraryError
from unveil.serve.refusals import ServeError

try:
    import uvicorn
except ImportError as error:
    raise MissingLibraryError("uvicorn", "serve", "the web application") from error

MOST_CONNECTIONS = 256
STOP_S = 1  # for answers that are being written when the server stops
TERMINATED = 143


class _StoppingServer(uvicorn.Server):
    """A server that ends its streams as soon as it is asked to stop."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._end_streams()


class BoundServer:
    """A server that has its port, before anything that takes long is begun."""

    def __init__(self, host: str, port: int) -> None:
        """Bind `host` and `port`; 0 is any free port. Raises `ServeError` if that can't be had."""
        self._options: dict[str, Any] = {"host": host, "port": port}
        # uvicorn itself would log the error and end the process.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        try:
            self._socket = uvicorn.Config(_nothing, log_config=None, **self._options).bind_socket()
        except SystemExit as error:
            got = f"port {port} of {host}, which is in use or not allowed"
            raise ServeError("an address that the server can have", got, "choose another --port") from error
        # A browser that is quicker than the server waits, and isn't refused.
        self._socket.listen()
        self.port: int = self._socket.getsockname()[1]

    def run(self, app: Any, end_streams: Callable[[], None]) -> None:
        """Serve `app` until a signal ends it, which is raised again: Ctrl-C as `KeyboardInterrupt`.

        `end_streams` is called when the server stops.
        """
        config = uvicorn.Config(
            app,
            log_config=None,
            http="h11",
            ws="none",
            lifespan="on",
            proxy_headers=False,  # nobody may say for others who they are
            server_header=False,
            access_log=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=STOP_S,
            **self._options,
        )
        before = signal.signal(signal.SIGTERM, _terminate)
        try:
            _StoppingServer(config, end_streams).run(sockets=[self._socket])
        finally:
            signal.signal(signal.SIGTERM, before)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def _terminate(sig: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the application while only a port is bound."""
