"""Every error a user can cause. Each message says what was expected, what came, and what to do."""


class UnveilError(Exception):
    """Base of all errors that `unveil` raises on purpose; the command line prints them as one line."""

    def __init__(self, expected: str, got: str, do: str) -> None:
        """Keep the three parts, so that a program can read them and a person gets one line.

        >>> print(UnveilError("a PNG", "a text file", "convert it"))
        expected a PNG; got a text file; convert it
        """
        self.expected, self.got, self.do = expected, got, do
        super().__init__(f"expected {expected}; got {got}; {do}")

    def __reduce__(self) -> tuple:
        """Errors cross processes: rebuilt from their three parts, whatever the class' own constructor takes."""
        return _rebuilt, (type(self), self.expected, self.got, self.do)


def _rebuilt(kind: type[UnveilError], expected: str, got: str, do: str) -> UnveilError:
    error = kind.__new__(kind)
    UnveilError.__init__(error, expected, got, do)
    return error


class ImageError(UnveilError):
    """An image can't be read or holds values that can't be used."""


class ClassifierError(UnveilError):
    """A model can't be found, built or asked."""


class WeightsError(ClassifierError):
    """Weights can't be read, or don't fit the model."""


class TargetError(UnveilError):
    """A target that the classifier doesn't have."""


class AttributionError(UnveilError):
    """A backward rule that isn't defined for this model."""


class RecipeError(UnveilError):
    """A setting outside its range, or a recipe file that can't be understood."""


class RecordError(UnveilError):
    """A run record that can't be written or read."""


class MissingLibraryError(UnveilError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"the library {library} for {purpose}",
            "an installation without it",
            f"run: pip install 'unveil[{extra}]'",
        )
