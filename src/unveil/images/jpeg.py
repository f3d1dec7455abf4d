"""More data for a JPEG, to see whether its own end early: libjpeg fills what they don't reach with gray."""

import random

_ESCAPED, _END = 0x00, 0xD9
# Markers without a length: TEM, and RST0 to RST7 within the data.
_SHORT = {0x01, *range(0xD0, 0xD8)}
# Every byte but those of markers, so that some are codes of nonzero coefficients in any table; and again after each
# of the markers that a decoder may be waiting for.
_CODES = bytes(random.Random(0).sample(range(1, 255), 254))
_EXTRA = _CODES + b"".join(bytes([0xFF, marker]) + _CODES for marker in range(0xD0, 0xD8))


def with_extra_data(content: bytes) -> bytes | None:
    """The same file with more entropy-coded data at the end of its (first) picture; None if the picture has no end.

    A decoder ignores data after the last block, so both files show the same picture if the data are complete.
    If they end early, the added data are decoded as the next blocks.
    """
    position = 2
    while 0 <= (position := content.find(b"\xff", position)) < len(content) - 1:
        marker = content[position + 1]
        if marker == _END:
            return content[:position] + _EXTRA + content[position:]
        if marker == 0xFF:
            position += 1
        elif marker == _ESCAPED or marker in _SHORT:
            position += 2
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return None
