"""The checker of prose finds what it should, leaves good sentences alone, and every file that isn't pending passes it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "check_prose.py"
spec = importlib.util.spec_from_file_location("check_prose", SCRIPT)
assert spec is not None
assert spec.loader is not None
check_prose = importlib.util.module_from_spec(spec)
sys.modules["check_prose"] = check_prose
spec.loader.exec_module(check_prose)

WRONG = [
    ("Distributive", "`unveil run` writes one folder an image."),
    ("Distributive", "The network sees 400 images a second."),
    ("Distributive", "One record per image, and eight forward passes a region."),
    ("Distributive", "The form is decided once a classifier."),
    ("Person", "What the classifier says about the image."),
    ("Person", "The network is asked again."),
    ("Person", "We ask the model about every view."),
    ("Spelling", "Scores are normalised."),
    ("Spelling", "The colour of the neighbouring pixels."),
    ("Spelling", "A grey image, cut at its centre."),
    ("Spelling", "Labelled boxes."),
    ("Terms", "Mend the path."),
    ("Terms", "Cells are parted by a bar."),
    ("Terms", "The region has settled."),
    ("Terms", "Each library has one door."),
    ("Words", "Pixels are erased, thereby hiding the object."),
]
RIGHT = [
    "`unveil run` writes one folder per image.",
    "It takes two arguments: a class and an image.",
    "One of a class, two for an image, and three in a row.",
    "The classifier predicts a score for each label.",
    "Scores are normalized; the color of the neighbor is gray.",
    "Precise promises rise; the size of otherwise noisy devices is no surprise.",
    "The hour advised by an exercise, our four tours, and a gray course.",
    'The stream `f"{stream}/randomised {n}"` seeds the noise, as do files named data/normalised.csv.',
    "Read [the page](maximisation.md) first.",
    "The region is stable: two halves of the samples agree.",
    "A recommendation: amend the title of the department.",
]


@pytest.mark.parametrize(("rule", "sentence"), WRONG)
def test_wrong_sentences_are_found(rule, sentence):
    assert rule in {finding.partition(":")[0] for finding in check_prose.in_words(sentence)}


@pytest.mark.parametrize("sentence", RIGHT)
def test_right_sentences_have_no_findings(sentence):
    assert check_prose.in_words(sentence) == []


def test_every_file_of_rules_has_a_sentence_that_breaks_it():
    assert {path.stem for path in check_prose.STYLES.glob("*.yml")} == {rule for rule, _ in WRONG}


def findings(text: str, lines: str = "check_markdown") -> list[tuple[int, str]]:
    return [(number, finding.split(":")[0]) for number, finding in getattr(check_prose, lines)(text)]


def test_one_sentence_per_line():
    assert findings("First sentence. Second sentence.\n") == [(1, "Lines")]
    assert findings("- An item. It goes on.\n") == [(1, "Lines")]
    assert findings("First sentence.\nSecond sentence.\n") == []
    assert findings("Bordes et al. Wrote this, e.g. The loop, version 1.2 of it.\n") == []
    assert findings("| a cell. Another. |\n") == []
    assert findings("- **Set-up.** One sentence.\n") == []
    assert findings("**Set-up.** One sentence. Another.\n") == [(1, "Lines")]


def test_hard_wraps_are_found():
    assert findings("A sentence that goes\non here.\n") == [(1, "Lines")]
    assert findings("A sentence that ends.\nAnd another.\n\n- one item\n- another\n\n# Head\n\nLast\n") == []
    assert findings("Run this:\n\n```sh\nfirst words\nnormalised words\n```\n\nDone.\n") == []


def test_long_lines_are_found_outside_tables():
    assert findings("a " * 110 + "\n") == [(1, "Length")]
    assert findings("| " + "a " * 110 + "|\n") == []


def test_in_python_docstrings_comments_and_messages_are_read_and_examples_are_not():
    text = '''"""Normalise it.

    >>> normalise(colour="grey")
    'grey colour'
"""

colour = "grey"  # the centre
raise ValueError(f"a normalised {colour}; mend it")
'''
    assert findings(text, "check_python") == [(7, "Spelling"), (1, "Spelling"), (8, "Spelling"), (8, "Terms")]


def test_files_that_are_not_pending_have_no_findings():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_pending_entries_name_files_or_folders():
    waiting = ("docs/", "README.md")
    assert check_prose.is_pending("docs/guide.md", waiting)
    assert check_prose.is_pending("README.md", waiting)
    assert not check_prose.is_pending("README.md.txt", waiting)
    assert not check_prose.is_pending("src/docs.py", waiting)
