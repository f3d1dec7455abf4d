"""The classifiers of a server: one of each, loaded by the worker when it is first needed."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from unveil.classifiers import Classifier
from unveil.errors import ClassifierError, UnveilError, first_line, named_line
from unveil.serve.jobs.errors import NotFoundError

OnLoaded = Callable[[str, str | None], None]


class ClassifierPool:
    """Classifiers by name. Only the worker's thread calls `get`; everything else may be called from any thread."""

    def __init__(self, classifiers: Mapping[str, Callable[[], Classifier]], on_loaded: OnLoaded) -> None:
        """Make classifiers by `classifiers`; `on_loaded` is given the name of each that was loaded, and None or the
        error."""
        self._makers, self._on_loaded = dict(classifiers), on_loaded
        self._loaded: dict[str, Classifier] = {}
        self._wanted: deque[str] = deque()

    def get(self, name: str) -> Classifier:
        """The classifier, loaded if it isn't yet. Raises `NotFoundError`, and the errors of loading it."""
        self.check(name)
        if name not in self._loaded:
            try:
                self._loaded[name] = self._makers[name]()
            except Exception as error:
                told = error if isinstance(error, UnveilError) else _load_error(name, error)
                self._on_loaded(name, first_line(told, None))
                raise told from error
            self._on_loaded(name, None)
        return self._loaded[name]

    def find(self, name: str) -> Classifier | None:
        """The classifier if it is loaded. Raises `NotFoundError`."""
        self.check(name)
        return self._loaded.get(name)

    def check(self, name: str) -> None:
        """Raise `NotFoundError` for a name that no classifier has."""
        if name not in self._makers:
            known = ", ".join(self._makers)[:200] or "none"
            raise NotFoundError("a classifier of this server", repr(name)[:80], f"choose one of: {known}")

    def want(self, name: str) -> None:
        """Let the worker load a classifier when it has nothing else to do. Raises `NotFoundError`."""
        self.check(name)
        if name not in self._loaded and name not in self._wanted:
            self._wanted.append(name)

    def load_next(self) -> bool:
        """Load one classifier that is wanted; False if there is none. An error is only told."""
        if not self._wanted:
            return False
        with suppress(UnveilError):
            self.get(self._wanted.popleft())
        return True


def _load_error(name: str, error: Exception) -> ClassifierError:
    return ClassifierError(f"a classifier {name} that can be loaded", named_line(error), "check how it is made")
