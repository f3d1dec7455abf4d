"""A user's own Python file, run as `python FILE` would run it, and without a trace in this program afterwards."""

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType

import torch

from unveil.errors import ClassifierError, UnveilError

# Never imported a second time, even if a file beside the factory has the same name.
SHARED = sys.stdlib_module_names | {"torch", "torchvision", "numpy", "scipy", "unveil"}
LONGEST = 200  # characters of an error of the user's code


@contextmanager
def running_user_code(path: Path) -> Iterator[None]:
    """While a user's file is imported and its functions are called.

    Modules beside the file can be imported, and are forgotten afterwards, so that another folder's `blocks.py` isn't
    taken for this one's. What is printed goes to standard error, `sys.argv` holds the file only, and the working
    folder, PyTorch's default type and its gradient mode are restored.
    """
    with _siblings_importable(path.resolve().parent), _alone(path), _printing_to_stderr():
        yield


@contextmanager
def reporting_user_errors(path: Path, expected: str) -> Iterator[None]:
    """Whatever a user's file raises becomes one `ClassifierError` that says where; `UnveilError`s pass unchanged."""
    folder = path.resolve().parent
    try:
        yield
    except (UnveilError, KeyboardInterrupt):
        raise
    except SystemExit as error:
        got = f"sys.exit({str(error.code)[:LONGEST]!r}){_place(error, folder)}"
        do = "move what its own command line needs below: if __name__ == '__main__':"
        raise ClassifierError(expected, got, do) from error
    except BaseException as error:
        raise ClassifierError(expected, f"{_last_line(error)}{_place(error, folder)}", "fix the file") from error


def import_file(path: Path) -> ModuleType:
    """The module that a file is, under a name that no other module has; to be called in `running_user_code`.

    It stays registered by that name, which dataclasses and copies of its classes need.
    """
    name = f"unveil_user_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ClassifierError("a Python file", str(path), "give it the suffix .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _siblings_importable(folder: Path) -> Iterator[None]:
    """Imports look into the folder first; its modules are removed afterwards, and those that they hid come back."""
    before = set(sys.modules)
    tops = {name.partition(".")[0] for name in before} - SHARED
    hiding = {top for top in tops if _holds(folder, top) and not _is_beside(sys.modules.get(top), folder)}
    hidden = {name: sys.modules.pop(name) for name in before if name.partition(".")[0] in hiding}
    entry = str(folder)
    sys.path.insert(0, entry)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.path.remove(entry)
        new = [name for name in sys.modules if name not in before or name in hidden]
        beside = {top for top in {name.partition(".")[0] for name in new} if _is_beside(sys.modules.get(top), folder)}
        for name in new:
            if name.partition(".")[0] in beside:
                del sys.modules[name]
        sys.modules.update(hidden)


def _holds(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()


def _is_beside(module: ModuleType | None, folder: Path) -> bool:
    """True for a module or package that lies directly in the folder, not in one of its environments."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        # A folder without __init__.py.
        return any(Path(place).resolve().parent == folder for place in map(str, getattr(module, "__path__", ())))
    place = Path(file).resolve()
    return (place.parent.parent if place.name == "__init__.py" else place.parent) == folder


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Without this program's arguments, and without changing its state or writing beside the file."""
    arguments, written, folder = sys.argv, sys.dont_write_bytecode, _working_folder()
    kind, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    sys.argv, sys.dont_write_bytecode = [str(path)], True
    try:
        yield
    finally:
        sys.argv, sys.dont_write_bytecode = arguments, written
        if folder is not None:
            os.chdir(folder)
        torch.set_default_dtype(kind)
        torch.set_grad_enabled(gradients)


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None


@contextmanager
def _printing_to_stderr() -> Iterator[None]:
    """Prints go to standard error, also those of libraries that write to the file descriptor."""
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:
        kept = None
    try:
        if kept is not None:
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _last_line(error: BaseException) -> str:
    try:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    except Exception:  # noqa: BLE001 (an error whose text can't be made)
        lines = []
    kind = type(error).__name__
    return f"{kind}: {lines[-1][:LONGEST]}" if lines else kind


def _place(error: BaseException, folder: Path) -> str:
    """` (net.py:3)`: the last line of the user's own files on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f" ({Path(error.filename).name}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve().is_relative_to(folder)]
    frame = own[-1] if own else None
    return f" ({Path(frame.filename).name}:{frame.lineno})" if frame else ""
