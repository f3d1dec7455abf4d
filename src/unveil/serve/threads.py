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
    """Three groups of threads: quick `reads`, `uploads`, and `works` such as exports.

    They are apart so that slow uploads and exports never keep a page from reading. Their numbers bound the memory too:
    an upload or an export beyond them waits.
    """

    def __init__(self, reads: int = 8, uploads: int = 3, works: int = 2) -> None:
        """Begin; the threads are started when they are first needed."""
        self._reads = ThreadPoolExecutor(reads, "unveil-read")
        self._uploads = ThreadPoolExecutor(uploads, "unveil-upload")
        self._works = ThreadPoolExecutor(works, "unveil-work")

    async def read(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function that takes milliseconds."""
        return await _call(self._reads, function, *arguments, **options)

    async def work(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function that takes seconds."""
        return await _call(self._works, function, *arguments, **options)

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
        for pool in (self._reads, self._uploads, self._works):
            pool.shutdown(wait=False, cancel_futures=True)


async def _call(pool: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    call = functools.partial(function, *arguments, **options)
    return await asyncio.get_running_loop().run_in_executor(pool, call)


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await asyncio.wait_for(anext(chunks, None), BODY_TIMEOUT_S)
    except TimeoutError as error:
        raise RequestError(408, "the next part of the upload", "none for a minute", "send it again") from error
