"""The checks of a request that need its head alone: host, method, site, session, and the kind of its body."""

from collections.abc import Mapping
from typing import Any

from unveil.serve.access import Access
from unveil.serve.address import ServedAddress
from unveil.serve.headers import Headers, header_values
from unveil.serve.refusals import RequestError

OPEN_PATH = "/open"  # the one path that needs no session: it opens one
READS, WRITES = ("GET",), ("POST", "PUT", "PATCH", "DELETE")
JSON, BYTES = "application/json", "application/octet-stream"
OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
SINGLE = ("host", "origin", "authorization", "content-type", "content-length", "sec-fetch-site", "last-event-id")


class RequestCheck:
    """Checks heads of requests; each method raises `RequestError` for what it refuses."""

    def __init__(self, address: ServedAddress, access: Access) -> None:
        """Check for requests to `address` by those who have `access`."""
        self._hosts, self._access = address.hosts, access

    def check(self, scope: Mapping[str, Any]) -> None:
        """All checks, in this order: nothing is said about sessions to a request with a foreign host."""
        headers: Headers = scope["headers"]
        self._check_single(headers)
        host = self._check_host(headers)
        self._check_method(scope["method"], headers)
        is_write = scope["method"] in WRITES
        opens = scope["path"] == OPEN_PATH
        bearer = any(map(self._access.accepts_bearer, header_values(headers, "authorization")))
        self._check_site(headers, host, is_write=is_write and not bearer, opens=opens)
        if not opens and not bearer:
            cookies = [one for line in header_values(headers, "cookie") for one in self._access.cookies_of(line)]
            if not self._access.has_session(cookies):
                do = "open the link that `unveil serve` printed when it started"
                raise RequestError(401, "a session of this server", "a request without one", do)
        self._check_body(headers, is_write=is_write)

    def _check_single(self, headers: Headers) -> None:
        for name in SINGLE:
            if len(header_values(headers, name)) > 1:
                raise RequestError(400, f"one header {name}", "several", "send one")

    def _check_host(self, headers: Headers) -> str:
        host = next(iter(header_values(headers, "host")), "").lower()
        if host not in self._hosts:
            got = "another one" if host else "none"
            do = "use the address that `unveil serve` printed, or give the name by --host-name"
            raise RequestError(403 if host else 400, "a Host header of this server", got, do)
        return host

    def _check_method(self, method: str, headers: Headers) -> None:
        if method not in (*READS, *WRITES):
            raise RequestError(405, "GET, POST, PUT, PATCH or DELETE", "another method", "use one of these")
        if any(header_values(headers, name) for name in OVERRIDES):
            raise RequestError(400, "the method of the request itself", "a header with another one", "leave it out")
        if any("websocket" in value.lower() for value in header_values(headers, "upgrade")):
            raise RequestError(400, "plain HTTP", "an upgrade to a websocket", "read the event streams by GET")

    def _check_site(self, headers: Headers, host: str, *, is_write: bool, opens: bool) -> None:
        """Refuse whatever other sites cause: other ports of this machine are other sites too.

        A link may be followed from anywhere to the one path that needs a token; nothing else may.
        """
        site = next(iter(header_values(headers, "sec-fetch-site")), None)
        origin = next(iter(header_values(headers, "origin")), None)
        is_followed = opens and not is_write and header_values(headers, "sec-fetch-mode") == ["navigate"]
        if site not in (None, "same-origin", "none") and not is_followed:
            got = "one that another site caused"
            raise RequestError(403, "a request of the server's own page", got, "enter the address in the browser")
        if origin is not None and origin != f"http://{host}":
            raise RequestError(403, "a request of the server's own page", "another Origin", "use the page itself")
        if is_write and origin is None and site != "same-origin":
            do = "use the page, or a program with Authorization: Bearer and --token-file"
            raise RequestError(403, "a change by the server's own page", "a request without Origin", do)

    def _check_body(self, headers: Headers, *, is_write: bool) -> None:
        length = next(iter(header_values(headers, "content-length")), None)
        if length is not None and not (length.isascii() and length.isdecimal() and len(length) <= 15):
            raise RequestError(400, "a Content-Length in digits", "another one", "send the number of bytes")
        has_body = bool(header_values(headers, "transfer-encoding")) or (length is not None and int(length) > 0)
        if not has_body:
            return
        if not is_write:
            raise RequestError(400, "a GET without a body", "one with a body", "leave it out")
        if any(value.strip().lower() != "identity" for value in header_values(headers, "content-encoding")):
            raise RequestError(415, "a body that isn't compressed", "a Content-Encoding", "send it as it is")
        if body_kind(headers) not in (JSON, BYTES):
            raise RequestError(415, f"a body of type {JSON} or {BYTES}", "another Content-Type", "set the header")


def body_kind(headers: Headers) -> str:
    """The media type of a request's body, in lower case and without parameters; empty if it isn't said."""
    return next(iter(header_values(headers, "content-type")), "").partition(";")[0].strip().lower()
