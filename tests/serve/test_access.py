"""Links, sessions and the user's own token."""

from pathlib import Path

import pytest

from unveil.serve.access import MAX_SESSIONS, Access, read_token
from unveil.serve.refusals import ServeError


def test_a_link_opens_one_session():
    access = Access(8765)
    token = access.new_link_token()
    session = access.open_session(token)
    assert session is not None
    assert access.has_session([session])
    assert access.open_session(token) is None, "used once"


def test_a_new_link_replaces_one_that_was_not_used():
    access = Access(8765)
    old, new = access.new_link_token(), access.new_link_token()
    assert access.open_session(old) is None
    assert access.open_session(new) is not None


@pytest.mark.parametrize("token", ["", " ", "x", "None", "\udcff", "é" * 600])
def test_other_tokens_open_nothing_and_leave_the_link(token):
    access = Access(8765)
    link = access.new_link_token()
    assert access.open_session(token) is None
    assert access.open_session(link + "x") is None
    assert access.open_session(link) is not None


def test_two_browsers_have_sessions_of_their_own():
    access = Access(8765)
    first = access.open_session(access.new_link_token())
    second = access.open_session(access.new_link_token())
    assert first is not None
    assert first != second
    assert access.has_session([first])
    assert access.has_session([second])
    assert not access.has_session([first + second, "", first[:-1]])


def test_the_oldest_session_ends_when_there_are_too_many():
    access = Access(8765)
    sessions = [access.open_session(access.new_link_token()) for _ in range(MAX_SESSIONS + 1)]
    assert [access.has_session([session]) for session in sessions] == [False] + [True] * MAX_SESSIONS


def test_the_token_of_the_user_opens_any_number_of_sessions():
    access = Access(8765, "sixteen-letters-or-more")
    assert access.open_session("sixteen-letters-or-more") is not None
    assert access.open_session("sixteen-letters-or-more") is not None
    assert access.accepts_bearer("bearer sixteen-letters-or-more")
    assert not Access(8765).accepts_bearer("Bearer ")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites():
    text = Access(99).set_cookie("value")
    assert text.startswith("unveil-99=value; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(text.split("; "))
    assert "Domain" not in text


def test_a_token_file(tmp_path: Path):
    path = tmp_path / "token"
    path.write_text("0123456789abcdef\n")
    assert read_token(path) == "0123456789abcdef"
    wrong = ["", "short", "0123456789abcdé0", "0123456789 abcdef", "x" * 513, "0123456789abcdef\nsecond"]
    for text in wrong:
        path.write_text(text)
        with pytest.raises(ServeError, match="token"):
            read_token(path)
    with pytest.raises(ServeError, match="readable file"):
        read_token(tmp_path / "missing")
    with pytest.raises(ServeError, match="readable file"):
        read_token(tmp_path)
