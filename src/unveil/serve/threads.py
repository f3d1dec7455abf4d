"""Threads for whatever waits for the disk or computes, so that the event loop answers at any time."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from unveil.serve.refusals import RequestError

T = TypeVar("T")
BODY_TIMEOUT_S = 60.0  # for the next piece of an upload


class RequestThreads:
    """Groups of threads, which are apart so that slow uploads, exports and tests never keep a page from reading.

    Their numbers bound the memory too: an upload or an export beyond them waits.
    """

    def __init__(self) -> None:
        """Begin; the threads are started when they are first needed."""
        self._reads = ThreadPoolExecutor(8, "unveil-read")
        self._uploads = ThreadPoolExecutor(3, "unveil-upload")
        self._works = ThreadPoolExecutor(2, "unveil-work")
        self._asks = ThreadPoolExecutor(2, "unveil-ask")
        # One, so that a question waits for at most one test.
        self._tests = ThreadPoolExecutor(1, "unveil-test")

    async def read(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function that takes milliseconds."""
        return await _call(self._reads, function, *arguments, **options)

    async def work(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function that takes seconds."""
        return await _call(self._works, function, *arguments, **options)

    async def ask(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function that waits for one pass of a network."""
        return await _call(self._asks, function, *arguments, **options)

    async def test(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function that waits for many passes of a network."""
        return await _call(self._tests, function, *arguments, **options)

    async def upload(self, function: Callable[[Iterator[bytes]], T], chunks: AsyncIterator[bytes]) -> T:
        """Call a function that reads the chunks of a body while they arrive.

        The function raises what reading raises; `RequestError` if no chunk comes for a minute.
        """
        loop = asyncio.get_running_loop()

        def arriving() -> Iterator[bytes]:
            while True:
                chunk = asyncio.run_coroutine_threadsafe(_next(chunks), loop).result()
                if chunk is None:
                    return
                yield chunk

        return await _call(self._uploads, function, arriving())

    def close(self) -> None:
        """Take no more calls; those that run end by themselves."""
        for pool in (self._reads, self._uploads, self._works, self._asks, self._tests):
            pool.shutdown(wait=False, cancel_futures=True)


async def _call(pool: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    call = functools.partial(function, *arguments, **options)
    return await asyncio.get_running_loop().run_in_executor(pool, call)


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await asyncio.wait_for(anext(chunks, None), BODY_TIMEOUT_S)
    except TimeoutError as error:
        raise RequestError(408, "the next part of the upload", "none for a minute", "send it again") from error
