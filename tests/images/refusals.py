"""How a file that can't be read is refused."""

import pytest

from unveil.errors import ImageError
from unveil.images import read_image


def refused(source, told: str, **options) -> None:
    """One line with three parts: what was expected, what came, and what to do."""
    with pytest.raises(ImageError, match=told) as error:
        read_image(source, **options)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("expected ")
    assert text.count("; ") >= 2
