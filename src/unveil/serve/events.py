"""Streams of events: any number of them, fed by one thread that waits for the workplace."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from starlette.responses import Response

from unveil.serve.jobs import Event
from unveil.serve.threads import RequestThreads

POLL_S, PING_S, PAGE = 0.5, 15.0, 500
RECENT = 2000  # events that are kept in memory, so that many streams don't read them from the disk again


@runtime_checkable
class EventSource(Protocol):
    """The part of a workplace that streams need."""

    @property
    def last_event(self) -> int:
        """The id of the newest event."""
        ...

    def events(self, after: int, job: str | None = None, limit: int = 1000) -> list[Event]:
        """Events after one, in their order; of one job, if it is given."""
        ...

    def wait_for_events(self, after: int, timeout_s: float) -> bool:
        """Wait until there are events after one; False if there is none in time."""
        ...


class EventHub:
    """Wakes all streams when something happens, and remembers the latest events for them."""

    def __init__(self, workplace: EventSource, threads: RequestThreads) -> None:
        """Begin without a thread."""
        self._workplace, self._threads = workplace, threads
        self._recent: deque[Event] = deque(maxlen=RECENT)
        self._floor = self.newest = workplace.last_event
        self._waiting: set[asyncio.Event] = set()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the thread; to be called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._watch, name="unveil-events", daemon=True)
        self._thread.start()

    @property
    def is_closing(self) -> bool:
        """True once streams have to end."""
        return self._closing.is_set()

    def close(self) -> None:
        """End all streams; from any thread, and more than once."""
        self._closing.set()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    async def after(self, last: int, job: str | None) -> list[Event]:
        """The next events after the one with the id `last`: from memory, or from the disk if it is long ago."""
        if last >= self._floor:
            return [event for event in self._recent if event.id > last and job in (None, event.job)][:PAGE]
        return await self.stored_after(last, job)

    async def stored_after(self, last: int, job: str | None) -> list[Event]:
        """The next events after the one with the id `last`, from the disk."""
        return await self._threads.read(self._workplace.events, last, job, PAGE)

    async def wait(self, after: int) -> None:
        """Return once there is an event after `after`, streams have to end, or it is time for a sign of life."""
        if self.newest > after or self.is_closing:
            return
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            await asyncio.wait_for(news.wait(), PING_S)
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(news)

    def wake(self) -> None:
        """Let all streams look again, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _watch(self) -> None:
        last = self.newest
        while not self.is_closing:
            if not self._workplace.wait_for_events(last, POLL_S):
                continue
            events = self._workplace.events(last, None, PAGE)
            if events and self._loop is not None and not self._loop.is_closed():
                last = events[-1].id
                self._loop.call_soon_threadsafe(self._remember, events)

    def _remember(self, events: list[Event]) -> None:
        for event in events:
            if len(self._recent) == RECENT:
                self._floor = self._recent[0].id
            self._recent.append(event)
        self.newest = events[-1].id
        self._wake()

    def _wake(self) -> None:
        for news in self._waiting:
            news.set()


async def stream_events(
    hub: EventHub, after: int, job: str | None = None, is_over: Callable[[], Awaitable[bool]] | None = None
) -> AsyncIterator[bytes]:
    """The text of a stream: all events after `after`, then new ones as they come.

    Args:
        hub: Where events come from.
        after: The id of the last event that the reader has.
        job: The id of a job, for its events alone.
        is_over: Tells if nothing more will happen; the stream then ends with an event `end`. None for one that goes on.
    """
    yield b"retry: 1000\n\n"
    last = min(after, hub.newest)
    while not hub.is_closing:
        seen = hub.newest
        events = await hub.after(last, job)
        if not events and is_over is not None and await is_over():
            # From the disk: what ended the job may not have reached the memory yet.
            events = await hub.stored_after(last, job)
            if not events:
                yield b"event: end\ndata: {}\n\n"
                return
        if events:
            last = events[-1].id
            yield b"".join(map(event_text, events))
            continue
        last = max(last, seen)
        await hub.wait(last)
        if hub.newest <= last and not hub.is_closing:
            yield b": still here\n\n"


def event_text(event: Event) -> bytes:
    """An event as `text/event-stream` has it: its id, its kind, and its data with the job as JSON in one line."""
    data = json.dumps({"job": event.job, **event.data}, allow_nan=False, separators=(",", ":"))
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n".encode("ascii")


class EventStreamResponse(Response):
    """An answer that is written piece by piece until its source ends or its reader is gone."""

    media_type = "text/event-stream"

    def __init__(self, source: AsyncIterator[bytes], status_code: int = 200) -> None:
        """Stream what `source` yields."""
        super().__init__(status_code=status_code, headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._source = source

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Write the answer. A reader who is gone is noticed at once, not with the next event."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        writing = asyncio.ensure_future(self._write(send))
        leaving = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, leaving):
                task.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)

    async def _write(self, send: Any) -> None:
        async for chunk in self._source:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
