"""The gate around the application: it checks every request before any other code sees it, and bounds its body.

It also sets the security headers of every answer, whoever made it.
"""

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect

from unveil.errors import UnveilError
from unveil.serve.checks import BYTES, RequestCheck, body_kind
from unveil.serve.headers import header_values, secured
from unveil.serve.refusals import RequestError, public_line, status_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)


class SecurityGate:
    """An ASGI application around another one. Websockets are refused, since nothing here needs them."""

    def __init__(self, app: AsgiApp, check: RequestCheck, *, json_bytes: int, upload_bytes: int) -> None:
        """Guard `app`; `json_bytes` and `upload_bytes` are the largest bodies of the two types."""
        self.app, self._check = app, check
        self._json_bytes, self._upload_bytes = json_bytes, upload_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what concerns the server's own start and stop."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        exchange = _Exchange(receive, send, self._limit_of(scope))
        try:
            self._check.check(scope)
            exchange.check_length(scope)
            await self.app(scope, exchange.receive, exchange.send)
        except UnveilError as error:
            await exchange.refuse(status_of(error), str(error))
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception:
            # The traceback is for the terminal of whoever started the server, never for the browser.
            logger.exception("a request failed")
            await exchange.refuse(500, "expected an answer; got an error of the server; see its terminal")

    def _limit_of(self, scope: Message) -> int:
        return self._upload_bytes if body_kind(scope["headers"]) == BYTES else self._json_bytes


class _Exchange:
    """One request and its answer: counts the bytes of the one, and completes the headers of the other."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._read = 0
        self._started = self._refused = self._too_large = False

    def check_length(self, scope: Message) -> None:
        """Refuse a body by the length that its head says, before any of it is read."""
        length = next(iter(header_values(scope["headers"], "content-length")), "0")
        if int(length) > self._limit:
            raise self._too_large_error()

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            self._too_large = True
            raise self._too_large_error()
        return message

    async def send(self, message: Message) -> None:
        if self._too_large and not self._started:  # whatever the application made of the error
            await self.refuse(413, str(self._too_large_error()))
        if self._refused:
            return
        if message["type"] == "http.response.start":
            self._started = True
            message = {**message, "headers": secured(message.get("headers", ()))}
        await self._send(message)

    async def refuse(self, status: int, text: str) -> None:
        """Answer with one line, unless an answer has begun; the connection isn't used again."""
        if self._started:
            return
        self._started = self._refused = True
        body = json.dumps({"error": public_line(text)}).encode("ascii")
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": secured(headers)})
        await self._send({"type": "http.response.body", "body": body})

    def _too_large_error(self) -> RequestError:
        return RequestError(413, f"a body of at most {self._limit} bytes", "a larger one", "send less")
