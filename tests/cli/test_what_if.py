"""`unveil what-if`: the answer of the library, printed, saved, and repeated."""

import json

import pytest
from commands import Shell

from unveil import iter_rounds, load_classifier, start_run
from unveil.recipes import get_recipe
from unveil.what_if import Drawing, ask_what_if, load_what_if

BRUSH = {"kind": "brush", "width_px": 12, "points": [[10, 8], [20, 30]]}
REGION = {"kind": "region", "region": "r1.1"}


@pytest.fixture
def ask(shell: Shell):
    """Calls the command with a drawing of these strokes, or a file."""
    image = shell.photograph("a.png")

    def call(strokes: object, *words: object) -> tuple[int, str, str]:
        path = strokes
        if isinstance(strokes, list):
            path = shell.folder / "drawing.json"
            path.write_text(json.dumps({"strokes": strokes}), encoding="utf-8")
        return shell("what-if", image, path, *shell.common[:4], *words)

    return call


def expected(shell: Shell, strokes: list, done: int = 0, **question: object):
    classifier = load_classifier(f"python/{shell.folder / 'net.py'}:make")
    context = start_run(shell.folder / "a.png", classifier, get_recipe(str(shell.folder / "quick.toml")))
    for _, _round in zip(range(done), iter_rounds(context), strict=False):
        pass
    return ask_what_if(context, Drawing.from_dict({"strokes": strokes}), **question)


def test_the_answer_is_that_of_the_library(shell: Shell, ask):
    code, out, _ = ask([BRUSH], "--json")
    assert code == 0
    values = json.loads(out)
    assert values.pop("image").endswith("a.png")
    assert values == json.loads(json.dumps(expected(shell, [BRUSH]).as_dict()))


def test_people_read_the_sentence_the_facts_and_the_labels(shell: Shell, ask):
    code, out, err = ask([BRUSH])
    assert (code, err) == (0, "")
    answer = expected(shell, [BRUSH])
    head, facts, empty, header, *rows = out.splitlines()
    assert head == f"a.png: {answer.sentence}"
    assert facts == (
        f"{answer.area_px} px of the model's grid ({answer.area_share:.1%}) erased from the original, filled by Mean"
    )
    assert (empty, header.split()[:4]) == ("", ["label", "before", "after", "change"])
    for label, row in zip(answer.labels, rows, strict=False):
        cells = row.split()
        assert cells[:4] == [label.name, f"{label.before:.1%}", f"{label.after:.1%}", f"{100 * label.change:+.1f}"]
        assert cells[-2:] == [f"{label.score_before:.2f}", f"{label.score_after:.2f}"]


def test_rounds_are_done_where_the_question_needs_them(shell: Shell, ask):
    _, out, _ = ask([REGION], "--json")
    asked = expected(shell, [REGION], 2)
    assert json.loads(out)["drop"] == pytest.approx(asked.drop, abs=1e-5)
    for words, question in (([], {"on": "erased"}), (["--rounds", 1], {"on": "erased", "rounds": 1})):
        _, out, _ = ask([BRUSH], "--on", "erased", *words, "--json")
        found = json.loads(out)
        same = expected(shell, [BRUSH], 2, **question)
        assert (found["area_px"], found["rounds"], found["p_value"]) == (same.area_px, same.rounds, same.p_value)


def test_an_answer_is_saved_and_asked_again(shell: Shell, ask):
    folder = shell.folder / "answers"
    code, _, err = ask(
        [BRUSH, REGION], "--on", "erased", "--rounds", 1, "--seed", 5, "--target", "Edema", "--out", folder
    )
    assert (code, f"saved: {folder / '1.json'}" in err) == (0, True)
    recorded = load_what_if(folder / "1.json")
    assert (recorded.seed, recorded.target, recorded.rounds) == (5, "Edema", 1)
    again = "what-if", shell.folder / "a.png", folder / "1.json", *shell.common[:2]
    code, out, _ = shell(*again, "--json", "--out", folder)
    assert code == 0
    assert load_what_if(folder / "2.json") == recorded
    assert json.loads(out)["recipe"]["name"] == "quick"
    _, out, _ = shell(*again)
    assert out.splitlines()[-1] == "the same as recorded"
    _, out, _ = shell(*again, "--seed", 6, "--rounds", 0)
    assert (
        out.splitlines()[-1] == "not the recorded question: the seed, the number of rounds, the number of pixels differ"
    )


def test_a_changed_answer_is_noticed(shell: Shell, ask):
    folder = shell.folder / "answers"
    ask([BRUSH], "--out", folder)
    values = json.loads((folder / "1.json").read_text())
    (folder / "1.json").write_text(json.dumps({**values, "score_after": values["score_before"] - 9}))
    _, out, _ = ask(folder / "1.json")
    assert out.splitlines()[-1].startswith("differs from what was recorded: drop +9.00")


def test_the_comparison_can_be_left_out(ask):
    _, out, _ = ask([BRUSH], "--placements", 0)
    assert "; not compared with other places yet." in out.splitlines()[0]


@pytest.mark.parametrize(
    ("strokes", "words", "message"),
    [
        ([{**BRUSH, "width_px": -1}], [], "a width above 0"),
        ([{**BRUSH, "points": [[1e9, 1]]}], [], "coordinates from -1000000 to 1000000 px"),
        ([{"kind": "region", "region": "r9.9\x1b[2J"}], [], r"got 'r9.9\x1b[2J'"),
        ([BRUSH], ["--on", "later"], "on to be original or erased; got 'later'"),
        ([BRUSH], ["--rounds", 1], "rounds with on=erased only"),
        ([BRUSH], ["--on", "erased", "--rounds", 9], "0 to 2 rounds, as many as were done; got 9"),
        ([BRUSH], ["--target", "wolf"], "one of the classifier's 3 labels"),
        ([BRUSH], ["--seed", -1], "seed of at least 0"),
        ("none.json", [], "which doesn't exist"),
    ],
)
def test_what_cannot_be_asked_is_one_line_on_standard_error(shell, ask, strokes, words, message):
    code, out, err = ask(strokes, *words, "--out", shell.folder / "answers")
    assert (code, out) == (2, "")
    assert err.startswith("error expected ") and err.count("\n") == 1
    assert message in err
    assert not (shell.folder / "answers").exists()
