"""The links and the policy in a real browser: a file that opens the page, and a site that attacks it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from serve.processes import RunningServer, running_server

pytestmark = pytest.mark.browser
# What a foreign page tries: to read, to change, to frame, and to load as a script or a picture.
ATTACK = """<!doctype html><title>x</title><body><script>
const base = new URL(location).searchParams.get("base"), results = {};
const attempt = async (name, call) => {
  try { results[name] = await call(); } catch (error) { results[name] = "failed"; }
};
const load = (tag, address) => new Promise((done) => {
  const element = document.createElement(tag);
  element.onload = () => done("loaded");
  element.onerror = () => done("failed");
  element.src = base + address;
  document.body.append(element);
});
(async () => {
  const all = { credentials: "include" };
  await attempt("read", async () => (await fetch(base + "/api/jobs", all)).status);
  await attempt("write", async () => (await fetch(base + "/api/jobs", { ...all, method: "POST",
    headers: { "content-type": "application/json" }, body: "{}" })).status);
  const simple = { ...all, method: "POST", mode: "no-cors", body: "{}" };
  await attempt("simple", async () => (await fetch(base + "/api/jobs/JOB/stop", simple)).type);
  await attempt("script", () => load("script", "/app.js"));
  await attempt("picture", () => load("img", "/api/images/IMAGE/preview.png"));
  await attempt("stream", () => new Promise((done) => {
    const source = new EventSource(base + "/api/events", { withCredentials: true });
    source.onopen = () => done("open");
    source.onerror = () => done("failed");
  }));
  document.title = JSON.stringify(results);
})();
</script>"""


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("serve") / "folder") as server:
        yield server


@pytest.fixture
def tab(browser, server) -> Iterator:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def link(server: RunningServer) -> str:
    base, token = server.links(1)[-1]
    return f"{base}/open?token={token}"


def test_a_file_opens_the_page(tab, server, tmp_path):
    """As --open does: the token is in a file, not in the arguments of the browser."""
    path = tmp_path / "open.html"
    path.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={link(server)}">')
    tab.goto(path.as_uri())
    tab.wait_for_url(f"{server.base}/")
    tab.wait_for_function("document.readyState === 'complete'")
    assert tab.evaluate("fetch('/api/session').then((answer) => answer.status)") == 200
    assert tab.evaluate("document.cookie") == "", "scripts can't read the session"
    assert tab.evaluate("history.length") <= 3
    assert "token" not in tab.url


def test_a_foreign_page_gets_nothing(tab, server):
    """From another port of the same machine, which is the same site, by a browser with a session."""
    image = server.client.get("/api/images").json()[-1]["id"]
    job = server.submit(trust=False)
    server.wait_for_state(job, "finished")
    text = ATTACK.replace("JOB", job).replace("IMAGE", image).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *arguments) -> None:
            pass

    evil = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=evil.serve_forever, daemon=True).start()
    try:
        tab.goto(link(server))
        assert tab.url == f"{server.base}/"
        assert tab.evaluate("fetch('/api/jobs').then((answer) => answer.status)") == 200, "it has a session"
        sent: list[str] = []
        tab.context.on("request", lambda request: sent.append(request.url))
        tab.goto(f"http://127.0.0.1:{evil.server_port}/?base={server.base}")
        tab.wait_for_function("document.title.startsWith('{')")
        results = tab.evaluate("JSON.parse(document.title)")
    finally:
        evil.shutdown()
        evil.server_close()
    # An opaque answer to a simple request can't be read; what counts is that it was refused.
    assert results.pop("simple") in ("opaque", "failed")
    assert set(results) == {"read", "write", "script", "picture", "stream"}
    assert set(results.values()) == {"failed"}, results
    assert len([address for address in sent if address.startswith(server.base)]) >= 5, "the requests were made"
    assert server.job(job)["state"] == "finished"


def test_inline_code_does_not_run(tab, server):
    tab.goto(link(server))
    tab.evaluate("""() => {
      const script = document.createElement("script");
      try { script.textContent = "window.attacked = true"; document.body.append(script); } catch (error) {}
      try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.attacked = true'>"); }
      catch (error) { window.blocked = true; }
    }""")
    tab.wait_for_timeout(100)
    assert tab.evaluate("[window.attacked, window.blocked]") == [None, True]
