"""Stand-ins for plain objects that training scripts save beside the weights: options, paths, dates, numbers.

PyTorch's safe reader stops at any class that it doesn't know. Here the names of common ones are registered with
classes of this module in their place, which ignore whatever they are given. So such objects are read past, and none of
their code is imported or run.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pickle import UnpicklingError  # noqa: TID251 (its exception only)
from typing import Any

from torch.serialization import safe_globals


class InertObject:
    """Takes the place of an object in a file; keeps nothing of it.

    >>> InertObject("rm", "-r")
    InertObject()
    """

    def __new__(cls, *arguments: object, **named: object) -> "InertObject":
        """Ignore all arguments."""
        return object.__new__(cls)

    def __init__(self, *arguments: object, **named: object) -> None:
        """Ignore all arguments."""

    def __setstate__(self, state: object) -> None:
        """Ignore what the object was made of."""

    def __repr__(self) -> str:
        """The name only: there is no content."""
        return f"{type(self).__name__}()"


class InertArray(InertObject):
    """Takes the place of a NumPy array, so that an error can say what it was."""


class InertDict(InertObject):
    """Takes the place of subclasses of dict: the file's own entries are added to an empty `OrderedDict`."""

    def __new__(cls, *arguments: object, **named: object) -> Any:
        """An empty dictionary, whatever the arguments."""
        return OrderedDict()


class InertList(InertObject):
    """Takes the place of deques: the file's own items are appended to an empty list."""

    def __new__(cls, *arguments: object, **named: object) -> Any:
        """An empty list, whatever the arguments."""
        return []


class InertClass(InertObject):
    """Takes the place of one class that isn't listed here; `name` is the name in the file.

    Objects of it can be made of their stored state. A call is refused, since only functions and few classes are stored
    as calls: whoever made such a file meant something to run.
    """

    name = ""

    def __init__(self, *arguments: object, **named: object) -> None:
        """Refuse to be called. Making an object without a call, as for the usual classes, doesn't come here."""
        raise UnpicklingError(f"GLOBAL {self.name} is called")


_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path", "PurePath")
_NUMBERS = ("bool_", "bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
_OBJECTS = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in _PATHS),
    *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")),
    "decimal.Decimal",
    "fractions.Fraction",
    "uuid.UUID",
    "functools.partial",
    "copyreg._reconstructor",
    *(f"builtins.{name}" for name in ("object", "dict", "list", "tuple", "frozenset", "int", "float", "str", "bool")),
    *(f"builtins.{name}" for name in ("bytes", "range", "slice")),
    "typing.Any",
    *(f"numpy.{name}" for name in ("dtype", "float16", "float32", "float64", *_NUMBERS)),
    *(f"{module}.scalar" for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    # The options of Lightning's and Hydra's users, and of configurations in one file.
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    *(f"omegaconf.base.{name}" for name in ("ContainerMetadata", "Metadata", "SCMode")),
    *(f"omegaconf.nodes.{kind}Node" for kind in ("Any", "String", "Integer", "Float", "Boolean", "Bytes", "Path")),
    *(f"torch.optim.{name}" for name in ("sgd.SGD", "adam.Adam", "adamw.AdamW", "rmsprop.RMSprop")),
)
_ARRAYS = (
    "numpy.ndarray",
    *(f"{module}._reconstruct" for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    *(f"{module}._frombuffer" for module in ("numpy.core.numeric", "numpy._core.numeric")),
)
_DICTS = (
    "collections.defaultdict",
    "easydict.EasyDict",
    "addict.addict.Dict",
    "yacs.config.CfgNode",
    *(f"{lightning}.utilities.parsing.AttributeDict" for lightning in ("pytorch_lightning", "lightning.pytorch")),
    *(f"{fabric}.utilities.data.AttributeDict" for fabric in ("lightning.fabric", "lightning_fabric")),
)
_LISTS = ("collections.deque",)

_STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (stand_in, name)
    for stand_in, names in ((InertObject, _OBJECTS), (InertArray, _ARRAYS), (InertDict, _DICTS), (InertList, _LISTS))
    for name in names
]


def plain_objects_allowed(others: Iterable[str] = ()) -> AbstractContextManager[Any]:
    """A context in which `torch.load(weights_only=True)` reads past plain objects; after it nothing is registered.

    `others`: further classes by their names in the file, each with an `InertClass` of its own.
    """
    more = [(type("InertClass", (InertClass,), {"name": name}), name) for name in others]
    return safe_globals([*_STAND_INS, *more])
