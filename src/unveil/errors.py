"""The errors that users can cause. Every message names what was expected, what was given, and what to do."""


class UnveilError(Exception):
    """Base class of all errors that `unveil` raises on purpose; the command line prints them as one line.

    Attributes:
        expected: What the program needs.
        got: What it was given instead.
        do: What the user can do about it.
    """

    def __init__(self, expected: str, got: str, do: str) -> None:
        """Make the message of its three parts.

        >>> print(UnveilError("a PNG", "a text file", "convert it"))
        expected a PNG; got a text file; convert it
        """
        self.expected, self.got, self.do = expected, got, do
        super().__init__(f"expected {expected}; got {got}; {do}")

    def __reduce__(self) -> tuple:
        """Support pickling: a copy is made of the three parts, whatever arguments the class takes itself."""
        return _rebuild_error, (type(self), self.expected, self.got, self.do)


def _rebuild_error(kind: type[UnveilError], expected: str, got: str, do: str) -> UnveilError:
    error = kind.__new__(kind)
    UnveilError.__init__(error, expected, got, do)
    return error


class UnveilWarning(UserWarning):
    """Something that was given can be used, but is probably meant otherwise; the command line prints one line."""


class ImageError(UnveilError):
    """An image can't be read, or holds values that can't be used."""


class ClassifierError(UnveilError):
    """A model can't be found, built or evaluated."""


class WeightsError(ClassifierError):
    """A weight file can't be read, or doesn't fit the model."""


class TargetError(UnveilError):
    """The classifier doesn't have the target."""


class AttributionError(UnveilError):
    """An attribution method isn't defined for the model."""


class RecipeError(UnveilError):
    """A setting is outside its range, or a recipe file can't be parsed."""


class RecordError(UnveilError):
    """A record or a figure can't be written or read."""


class DiskFullError(RecordError):
    """No space is left for a record or a figure: nothing more can be written."""


class BatchError(UnveilError):
    """An archive can't be planned, resumed or finished."""


class MissingLibraryError(UnveilError):
    """An optional library isn't installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        """Name the library, what it is needed for, and the extra of this package that installs it."""
        super().__init__(
            f"the library {library} for {purpose}",
            "an installation without it",
            f"run: pip install 'unveil[{extra}]'",
        )


def require_between(name: str, value: float, low: float, high: float, usual: str, *, above: bool = False) -> None:
    """Raise `RecipeError` unless `low <= value <= high`, or `low < value <= high` if `above`.

    The message names the bound that `value` violates; `usual` is its advice. NaN violates the lower bound.

    >>> require_between("sigma_px", 5000, 0, 1000, "8 suits 224 x 224", above=True)
    Traceback (most recent call last):
    unveil.errors.RecipeError: expected sigma_px of at most 1000; got 5000; 8 suits 224 x 224
    """
    if not (low < value if above else low <= value):
        bound = f"above {low}" if above else f"of at least {low}"
        raise RecipeError(f"{name} {bound}", str(value), usual)
    if value > high:
        raise RecipeError(f"{name} of at most {high}", str(value), usual)


def first_line(error: BaseException, length: int | None = 160) -> str:
    """The first line of an error's message, or its type where it has none; at most `length` characters, if it is given.

    >>> first_line(ValueError("wrong shape\\nsee above"))
    'wrong shape'
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # TorchScript says first that something failed, and last what.
    told = lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
    return told[:length]


def named_line(error: BaseException) -> str:
    """The type of an error and the first line of its message; the type alone where there is no message.

    >>> named_line(ValueError("wrong shape\\nsee above")), named_line(KeyError())
    ('ValueError: wrong shape', 'KeyError')
    """
    name = type(error).__name__
    return f"{name}: {first_line(error)}" if str(error).strip() else name
