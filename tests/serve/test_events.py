"""Streams of events without a server: order, replay, and their ends."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from serve.asgi import run_alone
from unveil.serve import events as room
from unveil.serve.events import EventHub, EventStreamResponse, event_text, stream_events
from unveil.serve.jobs import Event
from unveil.serve.threads import RequestThreads


@dataclass
class Log:
    """A workplace that has events only."""

    known: list[Event] = field(default_factory=list)
    reads: int = 0

    @property
    def last_event(self) -> int:
        return self.known[-1].id if self.known else 0

    def events(self, after: int, job: str | None = None, limit: int = 1000) -> list[Event]:
        self.reads += 1
        return [event for event in self.known if event.id > after and job in (None, event.job)][:limit]

    def wait_for_events(self, after: int, timeout_s: float) -> bool:
        import time  # noqa: PLC0415

        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self.last_event <= after:
            time.sleep(0.002)
        return self.last_event > after

    def add(self, job: str, kind: str = "round") -> None:
        self.known.append(Event(self.last_event + 1, job, kind, {"n": 1}))


def ids(text: bytes) -> list[int]:
    return [int(line[4:]) for line in text.decode().splitlines() if line.startswith("id: ")]


async def read_until(stream, last: int) -> list[int]:
    found = []
    async for chunk in stream:
        found += ids(chunk)
        if found and found[-1] >= last:
            return found
    return found


def in_hub(log: Log, work) -> None:
    async def main() -> None:
        hub = EventHub(log, RequestThreads())
        hub.start()
        try:
            await asyncio.wait_for(work(hub), 60)
        finally:
            hub.close()

    run_alone(main())


def test_old_events_then_new_ones_in_order_and_each_once():
    log = Log()
    for _ in range(1200):
        log.add("a")

    async def work(hub: EventHub) -> None:
        async def write() -> None:
            for _ in range(300):
                log.add("a")
                if log.last_event % 50 == 0:
                    await asyncio.sleep(0.005)

        readers = [asyncio.ensure_future(read_until(stream_events(hub, start), 1500)) for start in (0, 700, 1199)]
        await write()
        assert [await reader for reader in readers] == [list(range(start + 1, 1501)) for start in (0, 700, 1199)]

    in_hub(log, work)


def test_many_readers_read_new_events_from_memory():
    log = Log()

    async def work(hub: EventHub) -> None:
        readers = [asyncio.ensure_future(read_until(stream_events(hub, 0), 200)) for _ in range(10)]
        await asyncio.sleep(0.05)
        before = log.reads
        for _ in range(200):
            log.add("a")
        for reader in readers:
            assert await reader == list(range(1, 201))
        assert log.reads - before < 20, "one thread reads for all"

    in_hub(log, work)


def test_more_events_than_the_memory_holds(monkeypatch):
    monkeypatch.setattr(room, "RECENT", 20)
    log = Log()

    async def work(hub: EventHub) -> None:
        fast = asyncio.ensure_future(read_until(stream_events(hub, 0), 100))
        for number in range(100):
            log.add("a")
            if number % 10 == 0:
                await asyncio.sleep(0.01)
        assert await fast == list(range(1, 101))
        # One who comes now gets the first ones from the disk.
        assert await read_until(stream_events(hub, 3), 100) == list(range(4, 101))

    in_hub(log, work)


def test_the_stream_of_a_job_has_its_events_alone_and_ends():
    log = Log()
    for number in range(10):
        log.add("ab"[number % 2])

    async def work(hub: EventHub) -> None:
        async def over() -> bool:
            return True

        text = b"".join([chunk async for chunk in stream_events(hub, 0, "a", over)])
        assert ids(text) == [1, 3, 5, 7, 9]
        assert text.endswith(b"event: end\ndata: {}\n\n")

    in_hub(log, work)


def test_what_ended_a_job_is_told_before_the_end():
    """The state may be on the disk before its event has reached the memory."""
    log = Log()

    async def work(hub: EventHub) -> None:
        async def over() -> bool:
            if not log.known:
                log.add("a", "state")
            return True

        text = b"".join([chunk async for chunk in stream_events(hub, 0, "a", over)])
        assert ids(text) == [1]
        assert text.index(b"event: state") < text.index(b"event: end")

    in_hub(log, work)


def test_an_id_of_another_folder_does_not_silence_a_stream():
    log = Log()
    log.add("a")

    async def work(hub: EventHub) -> None:
        reader = asyncio.ensure_future(read_until(stream_events(hub, 10_000), 2))
        await asyncio.sleep(0.02)
        log.add("a")
        assert await reader == [2]

    in_hub(log, work)


def test_a_sign_of_life_and_the_end_of_the_server(monkeypatch):
    monkeypatch.setattr(room, "PING_S", 0.02)

    async def work(hub: EventHub) -> None:
        chunks = []
        async for chunk in stream_events(hub, 0):
            chunks.append(chunk)
            if len(chunks) == 3:
                hub.close()
        assert chunks[:3] == [b"retry: 1000\n\n", b": still here\n\n", b": still here\n\n"]

    in_hub(Log(), work)


def test_a_reader_who_is_gone_ends_the_stream():
    async def main() -> None:
        closed = []

        async def endless():
            try:
                while True:
                    yield b"x"
                    await asyncio.sleep(3600)
            finally:
                closed.append(True)

        async def receive() -> dict:
            await asyncio.sleep(0.02)
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            pass

        source = endless()
        await asyncio.wait_for(EventStreamResponse(source)({}, receive, send), 30)
        await source.aclose()
        assert closed == [True]

    run_alone(main())


@pytest.mark.parametrize("text", ["a\nb", "a\r\nid: 9\n\nevent: x", "\u2028", "浮腫 \ud800", "</script>"])
def test_texts_cannot_forge_events(text):
    line = event_text(Event(1, "a", "state", {"message": text}))
    head, kind, data, *rest = line.decode("ascii").split("\n")
    assert (head, kind, rest) == ("id: 1", "event: state", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == {"job": "a", "message": text}
