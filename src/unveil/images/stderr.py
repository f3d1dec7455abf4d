"""Keep messages that C libraries write directly to standard error away from the terminal."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STDERR = 2
# libtiff writes `module: message`; the module is a function of libtiff, a codec, or the file's name as Pillow gives it.
LIBTIFF_LINE = re.compile(
    rb"^(?:\w*TIFF\w*|tempfile\.tif|\w+(?:Decode|Decoder|Setup\w*|State|Lib)|(?:JPEG|ZIP|LZW|PackBits|Fax|ZSTD|LZMA)\w*)"
    rb": .*\n?",
    re.MULTILINE,
)
# One redirection at a time: another thread could restore a file descriptor that isn't the terminal's.
_lock = threading.Lock()


@contextmanager
def without_libtiff_messages() -> Iterator[None]:
    """Collect standard error while a TIFF is decoded, and write it afterwards without the lines of libtiff.

    libtiff prints its errors itself, through the file descriptor, so they would end up in the middle of a progress
    bar; Pillow raises an error as well.
    What other threads write meanwhile appears when the decoding ends.
    """
    with _lock:
        try:
            terminal = os.dup(STDERR)
        except OSError:  # closed
            yield
            return
        try:
            with tempfile.TemporaryFile() as collected:
                os.dup2(collected.fileno(), STDERR)
                try:
                    yield
                finally:
                    os.dup2(terminal, STDERR)
                    collected.seek(0)
                    _write(LIBTIFF_LINE.sub(b"", collected.read()))
        finally:
            os.close(terminal)


def _write(content: bytes) -> None:
    # A terminal that is gone loses its text, as it would have before.
    with suppress(OSError):
        while content:
            content = content[os.write(STDERR, content) :]
