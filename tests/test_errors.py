"""Errors: three parts, one line, and the same in another process."""

import copy
import pickle

import pytest

from unveil import errors
from unveil.errors import MissingLibraryError, UnveilError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, UnveilError)]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_can_be_pickled_with_their_three_parts(kind):
    error = kind("a PNG", "a text", "convert it")
    for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301 (our own, made here)
        assert type(again) is kind
        assert (again.expected, again.got, again.do, str(again)) == (error.expected, error.got, error.do, str(error))


def test_the_error_of_a_missing_library_has_the_command_to_install_it():
    assert str(MissingLibraryError("OpenCV", "inpaint", "inpainting")).endswith("run: pip install 'unveil[inpaint]'")
