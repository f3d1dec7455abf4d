"""The gate: what it lets through, and the attacks that it refuses, each with the reason in a comment."""

import json

import pytest

from serve.asgi import Answer, request, run_alone
from unveil.serve.access import Access
from unveil.serve.address import ServedAddress
from unveil.serve.checks import RequestCheck
from unveil.serve.headers import SECURITY_HEADERS
from unveil.serve.security import SecurityGate

HOST, ORIGIN = "127.0.0.1:8765", "http://127.0.0.1:8765"
TOKEN = "a-token-of-the-user"  # noqa: S105
OWN = [("host", HOST), ("origin", ORIGIN), ("sec-fetch-site", "same-origin")]
JSON = ("content-type", "application/json")


class Inner:
    """The application behind the gate: notes what reached it."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.bodies, self.fails = [], fails

    async def __call__(self, scope, receive, send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        if self.fails is not None:
            raise self.fails
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Referrer-Policy", b"unsafe-url")]})
        await send({"type": "http.response.body", "body": b"secret"})


class Guarded:
    """A gate with one session, and what its inner application got."""

    def __init__(self, address: ServedAddress | None = None, fails: Exception | None = None) -> None:
        self.access = Access(8765, TOKEN)
        self.session = self.access.open_session(self.access.new_link_token())
        self.inner = Inner(fails)
        check = RequestCheck(address or ServedAddress(), self.access)
        self.app = SecurityGate(self.inner, check, json_bytes=100, upload_bytes=1000)

    def cookie(self) -> tuple[str, str]:
        return "cookie", f"unveil-8765={self.session}"

    def __call__(
        self,
        method: str = "GET",
        path: str = "/",
        headers: list | None = None,
        body: list | None = None,
        cookie: bool = True,
    ) -> Answer:
        heads = [*(headers if headers is not None else OWN), *([self.cookie()] if cookie else [])]
        return request(self.app, method, path, heads, body)

    def refuses(self, status: int, *args, **options) -> None:
        before = len(self.inner.bodies)
        answer = self(*args, **options)
        assert answer.status == status
        assert list(answer.json()) == ["error"]
        assert SECURITY_HEADERS.items() <= answer.headers.items()
        assert b"secret" not in answer.body
        assert len(self.inner.bodies) == before, "the application was called"


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def test_the_page_itself_gets_through(guarded):
    answer = guarded()
    assert (answer.status, answer.body) == (200, b"secret")
    # What an application says about these headers doesn't count.
    assert SECURITY_HEADERS.items() <= answer.headers.items()
    assert answer.headers["cache-control"] == "no-store"


ACCEPTED_HOSTS = ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "LOCALHOST:8765", "LocalHost:8765"]
REFUSED_HOSTS = [
    "evil.example:8765",  # DNS rebinding: the name of another site that points to this machine
    "localhost.:8765",  # a trailing dot is another name
    "127.0.0.1",  # without a port it is port 80
    "127.0.0.1:8766",
    "[::2]:8765",
    "::1:8765",
    "[::ffff:127.0.0.1]:8765",
    "0.0.0.0:8765",
    "127.1:8765",
    "2130706433:8765",
    "0x7f.1:8765",
    "localhost:8765@evil.example",
    "evil.example@localhost:8765",
    "localhost:8765, evil.example",
    "localhost:8765 ",
    "localhost:08765",
    "localhost:8765/",
    "localhost.evil.example:8765",
    "sub.localhost:8765",
    "ｌocalhost:8765".encode().decode("latin-1"),
]


@pytest.mark.parametrize("host", ACCEPTED_HOSTS)
def test_hosts_of_this_machine(guarded, host):
    assert guarded(headers=[("host", host)]).status == 200


@pytest.mark.parametrize("host", REFUSED_HOSTS)
@pytest.mark.parametrize("path", ["/", "/open?token=x", "/app.js", "/api/events"])
def test_other_hosts(guarded, host, path):
    guarded.refuses(403, path=path, headers=[("host", host)])


def test_a_missing_or_doubled_host(guarded):
    guarded.refuses(400, headers=[])
    guarded.refuses(400, headers=[("host", "")])
    guarded.refuses(400, headers=[("host", HOST), ("host", HOST)])


def test_no_host_but_those_given_where_other_machines_can_come():
    guarded = Guarded(ServedAddress("0.0.0.0", 8765, ("lab.example.org",)))
    assert guarded(headers=[("host", "lab.example.org:8765")]).status == 200
    guarded.refuses(403, headers=[("host", "192.0.2.7:8765")])


@pytest.mark.parametrize(
    "origin",
    [
        "null",  # a sandboxed frame, or a file
        "http://127.0.0.1:8766",  # another server on this machine
        "https://127.0.0.1:8765",
        "http://localhost:8765",  # another name is another origin
        "http://evil.example",
        "http://127.0.0.1:8765.evil.example",
        "http://127.0.0.1:8765/",
        "http://127.0.0.1",
        "HTTP://127.0.0.1:8765",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_other_origins(guarded, origin, method):
    guarded.refuses(403, method, headers=[("host", HOST), ("origin", origin), ("sec-fetch-site", "same-origin")])
    guarded.refuses(403, method, headers=[("host", HOST), ("origin", origin)])


@pytest.mark.parametrize("site", ["cross-site", "same-site", "SAME-ORIGIN", "", "other"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_sites(guarded, site, method):
    guarded.refuses(403, method, headers=[("host", HOST), ("origin", ORIGIN), ("sec-fetch-site", site)])


def test_links_of_other_sites_reach_only_the_path_that_needs_a_token(guarded):
    navigation = [("host", HOST), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]
    assert guarded(path="/open?token=x", headers=navigation).status == 200
    guarded.refuses(403, path="/", headers=navigation)
    # An image or a script of another site is no navigation.
    guarded.refuses(403, path="/open?token=x", headers=[*navigation[:2], ("sec-fetch-mode", "no-cors")])


def test_changes_need_a_sign_of_the_page_itself(guarded):
    guarded.refuses(403, "POST", headers=[("host", HOST)])
    guarded.refuses(403, "POST", headers=[("host", HOST), ("sec-fetch-site", "none")])
    assert guarded("POST", headers=[("host", HOST), ("origin", ORIGIN)]).status == 200
    assert guarded("POST", headers=[("host", HOST), ("sec-fetch-site", "same-origin")]).status == 200


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "unveil-8765=",
        "unveil-8765=wrong",
        "unveil-8766={}",  # the cookie of another port
        "unveil={}",
        "Unveil-8765={}",
        "unveil-8765={}x",
        "unveil-8765 ={}",
        'unveil-8765="{}"',
        "other=unveil-8765={}",
    ],
)
def test_without_the_cookie_of_a_session(guarded, cookie):
    guarded.refuses(401, headers=[*OWN, ("cookie", cookie.format(guarded.session))], cookie=False)
    guarded.refuses(401, "POST", headers=[*OWN, ("cookie", cookie.format(guarded.session))], cookie=False)


def test_a_cookie_beside_others(guarded):
    """Another server of this machine can set a cookie of the same name; it can't shut the page out with it."""
    cookie = ("cookie", f"a=b; unveil-8765=theirs;unveil-8765={guarded.session}")
    assert guarded(headers=[*OWN, cookie], cookie=False).status == 200


def test_tokens_of_the_user_are_for_programs(guarded):
    bearer = ("authorization", f"Bearer {TOKEN}")
    assert guarded("POST", headers=[("host", HOST), bearer], cookie=False).status == 200
    for text in ("", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, f"Bearer {guarded.session}"):
        guarded.refuses(401, headers=[("host", HOST), ("authorization", text)], cookie=False)
    # It doesn't help a foreign page.
    guarded.refuses(403, "POST", headers=[("host", HOST), bearer, ("origin", "http://evil.example")], cookie=False)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "DELETE/", ""])
def test_other_methods(guarded, method):
    guarded.refuses(405, method)


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_overrides_of_the_method(guarded, name):
    guarded.refuses(400, "POST", headers=[*OWN, (name, "DELETE")])


def test_an_upgrade_of_http(guarded):
    guarded.refuses(400, headers=[*OWN, ("connection", "Upgrade"), ("upgrade", "WebSocket")])


def test_websockets(guarded):
    sent = []

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/api/events", "headers": [(b"host", HOST.encode())]}
    run_alone(guarded.app(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert guarded.inner.bodies == []


@pytest.mark.parametrize(
    "kind",
    [
        # The three that a form of another site can send without asking.
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/plain; application/json",
        "application/jsonp",
        "application/json, text/plain",
        "image/png",
        "",
    ],
)
def test_bodies_of_other_types(guarded, kind):
    head = [*OWN, ("content-type", kind), ("content-length", "2")]
    guarded.refuses(415, "POST", headers=head, body=[b"{}"])
    guarded.refuses(415, "POST", headers=[*OWN, ("content-type", kind), ("transfer-encoding", "chunked")], body=[b"{}"])


def test_a_body_without_a_type_and_one_with_two(guarded):
    guarded.refuses(415, "POST", headers=[*OWN, ("content-length", "2")], body=[b"{}"])
    guarded.refuses(400, "POST", headers=[*OWN, JSON, ("content-type", "text/plain"), ("content-length", "2")])


def test_a_body_of_a_get(guarded):
    guarded.refuses(400, "GET", headers=[*OWN, JSON, ("content-length", "2")], body=[b"{}"])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "zstd"])
def test_compressed_bodies(guarded, encoding):
    guarded.refuses(415, "POST", headers=[*OWN, JSON, ("content-length", "9"), ("content-encoding", encoding)])


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "٣", "9" * 30, " ", "1, 2"])
def test_lengths_that_are_no_numbers(guarded, length):
    guarded.refuses(400, "POST", headers=[*OWN, JSON, ("content-length", length.encode().decode("latin-1"))])


def test_bodies_that_are_too_large(guarded):
    head, bytes_head = [*OWN, JSON], [*OWN, ("content-type", "application/octet-stream")]
    # By their head, before a byte is read.
    guarded.refuses(413, "POST", headers=[*head, ("content-length", "101")])
    guarded.refuses(413, "POST", headers=[*bytes_head, ("content-length", "1001")])
    # Without a length, while they come; and where the length lies.
    for lengths in ([("transfer-encoding", "chunked")], [("content-length", "5")]):
        guarded.refuses(413, "POST", headers=[*head, *lengths], body=[b"x" * 50] * 3)
        guarded.refuses(413, "POST", headers=[*bytes_head, *lengths], body=[b"x" * 500] * 3)
    assert guarded("POST", headers=[*head, ("content-length", "100")], body=[b"x" * 100]).status == 200
    assert guarded("POST", headers=[*bytes_head, ("content-length", "1000")], body=[b"x" * 500] * 2).status == 200
    assert [len(body) for body in guarded.inner.bodies] == [100, 1000]


def test_an_application_that_hides_a_body_that_was_too_large():
    """FastAPI makes an answer of its own of whatever is raised while it reads a body."""

    async def hiding(scope, receive, send) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
        except Exception:  # noqa: BLE001
            await send({"type": "http.response.start", "status": 200, "headers": []})

    guarded = Guarded()
    guarded.app.app = hiding
    guarded.refuses(413, "POST", headers=[*OWN, JSON, ("transfer-encoding", "chunked")], body=[b"x" * 60] * 3)


def test_errors_of_the_server_are_one_line_without_a_trace(caplog):
    guarded = Guarded(fails=ZeroDivisionError("division of /srv/secret/file.py"))
    answer = guarded()
    assert answer.status == 500
    assert list(json.loads(answer.body)) == ["error"]
    for word in (b"ZeroDivision", b"/srv", b"Traceback", b".py"):
        assert word not in answer.body
    assert SECURITY_HEADERS.items() <= answer.headers.items()
    assert "ZeroDivisionError" in caplog.text, "whoever started the server can read it"


def test_headers_that_may_be_given_once(guarded):
    for name in ("origin", "content-type", "content-length", "authorization", "sec-fetch-site"):
        guarded.refuses(400, headers=[("host", HOST), (name, "a"), (name, "b")])
