"""Who may use a server: one-time links, the sessions that they open, and a token that the user chose."""

import hashlib
import secrets
from pathlib import Path

from unveil.serve.refusals import ServeError

MIN_TOKEN_LENGTH, MAX_TOKEN_LENGTH = 16, 512
MAX_SESSIONS = 64  # the oldest one ends when another is opened


class Access:
    """The secrets of one server. Only their SHA-256 is kept, and comparisons take the same time for any guess."""

    def __init__(self, port: int, token: str | None = None) -> None:
        """Begin without sessions; `token` is the user's own, for programs and for other machines."""
        self.cookie_name = f"unveil-{port}"
        self._token = None if token is None else _digest(token)
        self._links: list[bytes] = []
        self._sessions: list[bytes] = []

    def new_link_token(self) -> str:
        """A token for one link, which opens one session. It replaces tokens that weren't used."""
        token = secrets.token_urlsafe(32)
        self._links = [_digest(token)]
        return token

    def open_session(self, token: str) -> str | None:
        """The value of the cookie of a new session, if `token` is that of a link or the user's own; else None.

        The token of a link is void afterwards.
        """
        digest = _digest(token)
        is_link = _is_in(digest, self._links)
        if not is_link and not (self._token is not None and secrets.compare_digest(digest, self._token)):
            return None
        if is_link:
            self._links = []
        session = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions, _digest(session)][-MAX_SESSIONS:]
        return session

    def has_session(self, cookies: list[str]) -> bool:
        """True if one of the values of the server's cookie is that of a session."""
        return any(_is_in(_digest(value), self._sessions) for value in cookies)

    def accepts_bearer(self, authorization: str) -> bool:
        """True for a header `Authorization: Bearer TOKEN` with the user's own token."""
        scheme, _, token = authorization.partition(" ")
        if self._token is None or scheme.lower() != "bearer":
            return False
        return secrets.compare_digest(_digest(token.strip()), self._token)

    def cookies_of(self, header: str) -> list[str]:
        """The values of this server's cookie in a `Cookie` header; those of servers at other ports have other names."""
        pairs = (part.strip().partition("=") for part in header.split(";"))
        return [value for name, _, value in pairs if name == self.cookie_name and value]

    def set_cookie(self, session: str) -> str:
        """The header `Set-Cookie` for a session: no script can read it, and no other site can use it."""
        return f"{self.cookie_name}={session}; HttpOnly; SameSite=Strict; Path=/"


def read_token(path: Path) -> str:
    """Read the user's own token from a file: one line of at least 16 printable ASCII characters without spaces.

    Raises `ServeError`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(4096)
    except (OSError, ValueError) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise ServeError("a readable file with a token", f"{path}: {got}", "check --token-file") from error
    token = content.decode("utf-8", errors="replace").strip()
    if not all("!" <= char <= "~" for char in token):
        raise ServeError(
            "a token of printable ASCII characters without spaces", f"other characters in {path}", "choose another one"
        )
    if not MIN_TOKEN_LENGTH <= len(token) <= MAX_TOKEN_LENGTH:
        expected = f"a token of {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} characters"
        do = "make one, such as: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        raise ServeError(expected, f"{len(token)} in {path}", do)
    return token


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", errors="surrogatepass")).digest()


def _is_in(digest: bytes, known: list[bytes]) -> bool:
    return any(secrets.compare_digest(digest, one) for one in known)
