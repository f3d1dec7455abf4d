"""Public names are documented with their parameters and errors, and the examples in docstrings are right."""

import ast
import builtins
import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator

import pytest

import unveil
from unveil import errors
from unveil.recipes import RECIPE_CODEC

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(unveil.__path__, "unveil.")
    if not module.name.rpartition(".")[2].startswith("_")
)
FINDER = doctest.DocTestFinder(exclude_empty=True)
ERRORS = tuple(name for name, value in vars(errors).items() if inspect.isclass(value))


def examples(name: str) -> list[doctest.DocTest]:
    """The examples in one module's docstrings."""
    return [test for test in FINDER.find(importlib.import_module(name)) if test.examples]


@pytest.mark.parametrize("name", ["unveil", *MODULES])
def test_examples_in_docstrings_print_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    for test in examples(name):
        report: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        runner.run(test, out=report.append, clear_globs=False)
        assert report == [], f"{test.name}:\n{''.join(report)}"


def test_examples_are_found():
    """At least one, so that an empty collection can't pass; a module's own, not those it imports."""
    names = [test.name for name in MODULES for test in examples(name)]
    assert "unveil.errors.UnveilError.__init__" in names
    assert len(names) == len(set(names))


def test_an_example_that_prints_something_else_fails():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert "Expected:" in "".join(report)


def public_objects() -> dict[str, object]:
    """Every class and function that a package exports, and every setting of a recipe, by its full name."""
    packages = [unveil, *(importlib.import_module(name) for name in MODULES)]
    exported = [getattr(package, name) for package in packages for name in getattr(package, "__all__", ())]
    settings = RECIPE_CODEC.kinds.values()
    described = [item for item in (*exported, *settings) if inspect.isclass(item) or inspect.isfunction(item)]
    return {f"{item.__module__}.{item.__qualname__}": item for item in described}


def is_mentioned(name: str, docstring: str) -> bool:
    """True for a name in backticks, or at the start of a line of `Args` or `Attributes`."""
    listed = rf"^\s*(?:\w+, )*{name}(?:, \w+)*: "
    return bool(re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`|{listed}", docstring, re.MULTILINE))


def raises_directly(function: object) -> bool:
    """True if a function raises an error of this package itself, not in one that it calls."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))  # type: ignore[arg-type]
    raised = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call))
    names = {ast.unparse(error.func) for error in raised}
    return any(name in ERRORS or (name.endswith("Error") and not hasattr(builtins, name)) for name in names)


def parameters_of(item: object) -> list[str]:
    """The fields of a dataclass, or the parameters of a function or constructor."""
    if dataclasses.is_dataclass(item):
        return [field.name for field in dataclasses.fields(item)]
    function = item.__dict__.get("__init__") if inspect.isclass(item) else item
    if not inspect.isfunction(function):
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in named and parameter.name != "self"
    ]


def methods_of(kind: type) -> Iterator[tuple[str, object, str]]:
    """Public methods and properties that a class defines: name, function and docstring."""
    for name, value in vars(kind).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if not name.startswith("_") and inspect.isfunction(function) and function.__name__ == name:
            yield name, function, function.__doc__ or ""


def missing_from(item: object) -> list[str]:
    """What the docstring of a public class or function lacks."""
    docstring = item.__doc__ or ""
    if not docstring.strip().partition("\n")[0]:
        return ["a first line"]
    if inspect.isclass(item):
        constructors = [item.__dict__[name] for name in ("__init__", "__post_init__") if name in item.__dict__]
        docstring += "".join(inspect.getdoc(function) or "" for function in constructors)
        raising = any(raises_directly(function) for function in constructors if has_source(function))
    else:
        raising = raises_directly(item)
    missing = [f"parameter {name}" for name in parameters_of(item) if not is_mentioned(name, docstring)]
    missing += ["Raises"] * (raising and "Raise" not in docstring)
    for name, function, text in methods_of(item) if inspect.isclass(item) else ():
        missing += [f"a docstring of {name}"] * (not text)
        missing += [f"Raises of {name}"] * (raises_directly(function) and "Raise" not in text)
    return missing


def has_source(function: object) -> bool:
    """False for a constructor that `dataclass` made."""
    try:
        return bool(inspect.getsource(function))  # type: ignore[arg-type]
    except (OSError, TypeError):
        return False


PUBLIC = public_objects()
# Docstrings that lack a parameter or an error; names leave this list, and none may be added.
PENDING = {
    "unveil.images.geometry.Geometry",
    "unveil.records.run.ClassifierInfo",
    "unveil.records.run.Round",
    "unveil.records.run.Run",
    "unveil.records.run.Source",
    "unveil.records.run.TargetMap",
    "unveil.records.trust.ShapleyGame",
    "unveil.records.trust.TrustCards",
}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_names_are_documented(name):
    if name not in PENDING:
        assert missing_from(PUBLIC[name]) == []


def public_dataclasses() -> dict[str, type]:
    """Every public dataclass of the package, whether a package exports it or not."""
    kinds = [kind for name in MODULES for kind in vars(importlib.import_module(name)).values() if inspect.isclass(kind)]
    own = [kind for kind in kinds if kind.__module__.startswith("unveil.") and not kind.__name__.startswith("_")]
    return {f"{kind.__module__}.{kind.__name__}": kind for kind in own if dataclasses.is_dataclass(kind)}


DATACLASSES = public_dataclasses()
# Rooms, and names, whose fields aren't all explained yet.
PENDING_FIELDS = ("unveil.classifiers.", "unveil.cli.", "unveil.render.", "unveil.store.", *PENDING)


@pytest.mark.parametrize("name", sorted(DATACLASSES))
def test_every_field_of_a_dataclass_is_explained(name):
    docstring = DATACLASSES[name].__doc__ or ""
    missing = [field for field in parameters_of(DATACLASSES[name]) if not is_mentioned(field, docstring)]
    assert name.startswith(PENDING_FIELDS) or missing == []


def test_what_a_docstring_lacks_is_found():
    def described(size: int, *, other: int) -> None:
        """Does something with `size`."""
        raise errors.RecipeError("a", "b", "c")

    @dataclasses.dataclass
    class Settings:
        """Settings.

        Attributes:
            width, height: In px.
        """

        width: int
        height: int
        depth: int

        def check(self) -> None:
            raise errors.ImageError("a", "b", "c")

    assert missing_from(described) == ["parameter other", "Raises"]
    assert missing_from(Settings) == ["parameter depth", "a docstring of check", "Raises of check"]
    assert {"unveil.rounds.find_regions", "unveil.fills.Blur", "unveil.patterns.files.Patterns"} <= set(PUBLIC)
