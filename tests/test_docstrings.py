"""Examples in docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import unveil

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(unveil.__path__, "unveil.")
    if not module.name.rpartition(".")[2].startswith("_")
)
FINDER = doctest.DocTestFinder(exclude_empty=True)


def examples(name: str) -> list[doctest.DocTest]:
    """The examples in one module's docstrings."""
    return [test for test in FINDER.find(importlib.import_module(name)) if test.examples]


@pytest.mark.parametrize("name", ["unveil", *MODULES])
def test_examples_in_docstrings_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    for test in examples(name):
        report: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        runner.run(test, out=report.append, clear_globs=False)
        assert report == [], f"{test.name}:\n{''.join(report)}"


def test_examples_are_found():
    """At least one, so that an empty collection can't pass; a module's own, not those it imports."""
    found = [test.name for name in MODULES for test in examples(name)]
    assert "unveil.errors.UnveilError.__init__" in found
    assert len(found) == len(set(found))


def test_an_example_that_prints_something_else_is_found():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert "Expected:" in "".join(report)
