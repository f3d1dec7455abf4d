"""The widget's side of the conversation: small state, and answers to what the stub asks."""

import json
import re

import pytest

from labeled_runs import three_labels
from tiny_runs import image, run
from unveil import view
from unveil.images.preview import make_preview
from unveil.view import make_view, viewer_code

pytest.importorskip("anywidget")


@pytest.fixture
def talk(monkeypatch):
    """Asks a widget as a frontend does; the messages that it sends."""
    sent: list[tuple] = []

    def ask(widget, content: object) -> list[tuple]:
        sent.clear()
        monkeypatch.setattr(type(widget), "send", lambda _, told, buffers=None: sent.append((told, buffers)))
        widget._handle_custom_msg(content, [])
        return list(sent)

    return ask


def test_the_state_holds_neither_the_run_nor_the_viewer():
    state = run().show().get_state()
    assert len(json.dumps(state, default=str)) < 6000
    assert len(state["_esm"]) < 4096
    assert not re.search(r"\b(require|fetch|https?:|eval)\b", state["_esm"]), "the stub loads nothing by itself"
    assert run().show().code == three_labels().show().code


def test_the_answers_are_the_code_and_the_views(talk):
    widget = run().show(image=image())
    ((content, (code,)),) = talk(widget, {"ask": "code"})
    assert content == {"answer": "code"}
    assert code.decode() == viewer_code()
    ((content, (text,)),) = talk(widget, {"ask": "view"})
    assert content == {"answer": "view"}
    assert text == make_view(run(), preview=make_preview(image())).to_bytes()
    ((_, both),) = talk(run().show(compare=three_labels()), {"ask": "view"})
    assert both == [make_view(run()).to_bytes(), make_view(three_labels()).to_bytes()]


def test_a_run_that_is_too_large_is_said(talk, monkeypatch):
    monkeypatch.setattr(view, "MAX_VIEW_REGIONS", 0)
    ((content, buffers),) = talk(run().show(), {"ask": "view"})
    assert content["error"].startswith("expected at most 0 regions; got")
    assert not buffers


@pytest.mark.parametrize("content", [None, [], {}, {"ask": ["code"]}, {"ask": "file:///etc/passwd"}, "code"])
def test_other_messages_have_no_answer(talk, content):
    assert talk(run().show(), content) == []
