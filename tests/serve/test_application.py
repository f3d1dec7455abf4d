"""Every route of the application, as its page calls it; and what all routes have in common."""

import re

import pytest

from serve.asgi import request
from serve.serving import PAGE, Page, opened_page
from unveil.serve.application import ROUTERS
from unveil.serve.headers import SECURITY_HEADERS
from unveil.serve.service import ServeLimits
from workplaces import TINY_SETTINGS, picture, tiny


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with opened_page(tmp_path_factory.mktemp("serve")) as page:
        page.image = page.workplace.add_image("two lungs.png", iter([picture()]))
        page.job = page.finish(tiny(page.image))
        yield page


def routes_of(app) -> list[tuple[str, str]]:
    """Every method and path of the application, the document of the API included."""
    found = []
    for route in [*app.routes, *(route for router in ROUTERS for route in router.routes)]:
        found += [(method, route.path) for method in getattr(route, "methods", None) or ()]
    paths = {(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item}
    assert paths <= set(found), "a router that isn't listed"
    return found


def real_path(page: Page, path: str) -> str:
    names = {"job_id": page.job, "image_id": page.image.id, "number": "1", "region": "r1.1", "name": "regions.csv"}
    return re.sub(r"\{(\w+)\}", lambda found: names[found[1]], path)


def test_every_route_is_refused_without_a_session_and_has_all_headers(page):
    routes = routes_of(page.app.app)
    assert {path for _, path in routes} >= {"/", "/api/openapi.json", "/api/jobs/{job_id}/export/{name}"}
    assert len(routes) >= 20
    for method, path in routes:
        refused = request(page.app, method, real_path(page, path), PAGE)
        foreign = request(page.app, method, real_path(page, path), [("host", "evil.example:8765")])
        assert foreign.status == 403, path
        if path == "/open":
            assert refused.status == 401
        else:
            assert (refused.status, list(refused.json())) == (405 if method == "HEAD" else 401, ["error"]), path
        for answer in (refused, foreign):
            assert SECURITY_HEADERS.items() <= answer.headers.items(), path
            assert answer.headers["cache-control"] == "no-store"


def test_every_route_has_all_headers_with_a_session(page):
    for method, path in routes_of(page.app.app):
        if method in ("DELETE", "HEAD") or path.endswith("/events"):
            continue
        answer = page(method, real_path(page, path), {} if method in ("POST", "PUT", "PATCH") else None)
        assert answer.status < 500, (path, answer.body)
        assert SECURITY_HEADERS.items() <= answer.headers.items(), path
        caching = answer.headers["cache-control"]
        assert caching == "no-store" or path.endswith("preview.png")


def test_the_policy_allows_no_inline_code():
    policy = dict(part.split(" ", 1) for part in SECURITY_HEADERS["content-security-policy"].split("; "))
    assert "unsafe" not in SECURITY_HEADERS["content-security-policy"]
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"


def test_the_page_has_no_inline_code_and_loads_nothing_from_elsewhere(page):
    text = page("GET", "/").body.decode()
    assert "<script" in text
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert "<style" not in text
    assert re.findall(r"\bon\w+=", text) == []
    assert set(re.findall(r'(?:src|href)="([^"]*)"', text)) <= {"/app.js", "/app.css", "data:,"}
    assert page("GET", "/app.js").headers["content-type"].startswith("text/javascript")
    assert page("GET", "/app.css").headers["content-type"].startswith("text/css")


def test_a_link_opens_a_session_once(page):
    told = []
    object.__setattr__(page.service, "on_session", lambda: told.append(1))
    token = page.service.access.new_link_token()
    path = f"/open?token={token}"
    first = request(page.app, "GET", path, [("host", "localhost:8765"), ("sec-fetch-site", "none")])
    assert (first.status, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"].partition(";")[0]
    assert "HttpOnly" in first.headers["set-cookie"]
    assert token not in cookie
    inside = request(page.app, "GET", "/", [("host", "localhost:8765"), ("cookie", cookie)])
    assert inside.status == 200
    again = request(page.app, "GET", path, [("host", "localhost:8765")])
    assert again.status == 401
    assert "set-cookie" not in again.headers
    assert told == [1], "the next link is printed for each that was used"


def test_a_link_that_a_file_or_another_program_follows(page):
    """A redirect of a foreign navigation doesn't bring the new cookie; a page of the server's own does."""
    head = [("host", "127.0.0.1:8765"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]
    answer = request(page.app, "GET", f"/open?token={page.service.access.new_link_token()}", head)
    assert answer.status == 200
    assert b'content="0; url=/"' in answer.body
    assert b"<script" not in answer.body
    assert answer.headers["set-cookie"].startswith("unveil-8765=")


def test_what_the_page_asks_first(page):
    session = page.get("/api/session")
    assert {recipe["name"] for recipe in session["recipes"]} >= {"recommended", "paper"}
    assert [model["name"] for model in session["models"]] == ["tiny", "demo"]
    tiny_model = session["models"][0]
    assert tiny_model["labels"][0] == "Edema"
    assert tiny_model["label_count"] == 3
    assert (tiny_model["grid"], tiny_model["channels"], tiny_model["output"]) == ([32, 32], 3, "softmax")
    assert session["last_event"] > 0


def test_a_job_from_upload_to_export(page):
    image = page.upload(picture(7), "scan%20%3Cscript%3E.png")
    assert image.status == 201
    assert image.json()["name"] == "scan <script>.png"
    assert (image.json()["height"], image.json()["width"]) == (40, 50)
    again = page.upload(picture(7), "other.png")
    assert again.json()["id"] == image.json()["id"]
    assert page.get("/api/images")[0]["id"] == image.json()["id"]
    preview = page("GET", f"/api/images/{image.json()['id']}/preview.png")
    assert preview.body.startswith(b"\x89PNG")
    assert "immutable" in preview.headers["cache-control"]
    wanted = {"image": image.json()["id"], "model": "tiny", "settings": TINY_SETTINGS, "seed": 3, "target": "top:1"}
    job = page("POST", "/api/jobs", wanted)
    assert job.status == 201, job.body
    assert {name: job.json()[name] for name in wanted} == wanted
    page.finish(tiny(page.image))
    done = page.get(f"/api/jobs/{job.json()['id']}")
    assert (done["state"], done["rounds"]) == ("finished", 3)
    assert [one["id"] for one in page.get("/api/jobs?limit=2")][1] == done["id"]
    view = page("GET", f"/api/jobs/{done['id']}/view")
    assert view.json()["source"]["name"] == "scan <script>.png"
    assert view.headers["etag"] == f'"{done["version"]}"'
    same = page("GET", f"/api/jobs/{done['id']}/view", heads=[("if-none-match", view.headers["etag"])])
    assert (same.status, same.body) == (304, b"")
    more = page("POST", f"/api/jobs/{done['id']}/continue", {"rounds": 1})
    assert (more.status, more.json()["state"]) == (202, "queued")
    page.finish(tiny(page.image))
    assert page.get(f"/api/jobs/{done['id']}")["rounds"] == 4
    assert page("DELETE", f"/api/jobs/{done['id']}").status == 204
    assert page("GET", f"/api/jobs/{done['id']}").status == 404


def test_a_job_that_does_not_exist_or_is_over(page):
    for method, rest in (
        ("GET", ""),
        ("GET", "/view"),
        ("DELETE", ""),
        ("POST", "/stop"),
        ("GET", "/export/coco.json"),
    ):
        answer = page(method, f"/api/jobs/{'0' * 16}{rest}")
        assert (answer.status, list(answer.json())) == (404, ["error"]), rest
    over = page("POST", f"/api/jobs/{page.job}/stop")
    assert over.status == 409


WRONG_JOBS = [
    {"model": "torchvision/resnet50"},
    {"model": "../../etc/passwd"},
    {"model": "python/evil.py:make"},
    {"recipe": "/etc/passwd.toml"},
    {"recipe": "../recipe.toml"},
    {"image": "../../etc/passwd"},
    {"image": "0" * 32},
    {"image": "A" * 32},
    {"target": "class:nothing"},
    {"target": "x" * 2000},
    {"seed": -1},
    {"seed": 1 << 60},
    {"seed": 1.5},
    {"seed": True},
    {"trust": "yes"},
    {"settings": {"fill.kind": "os.system"}},
    {"settings": {"attribution.kind": "PatternNet", "attribution.patterns": "/etc/passwd"}},
    {"settings": {"__class__": 1}},
    {"settings": {"stop.stops.99.rounds": 1}},
    {"settings": {"selector.size_px": "11"}},
    {"settings": {"selector.size_px": 10**9}},
    {"settings": {str(number): 1 for number in range(600)}},
    {"settings": [1]},
    {"unknown": 1},
]


@pytest.mark.parametrize("change", WRONG_JOBS, ids=lambda change: str(change)[:50])
def test_jobs_that_are_refused(page, change):
    before = len(page.get("/api/jobs"))
    answer = page("POST", "/api/jobs", {"image": page.image.id, "model": "tiny", **change})
    assert answer.status in (404, 422), answer.body
    assert list(answer.json()) == ["error"]
    line = answer.json()["error"]
    assert line.startswith("expected ")
    assert line.count(";") >= 2
    assert len(line) < 600
    assert len(page.get("/api/jobs")) == before


def test_bodies_that_are_no_plain_json(page):
    for raw in (b"NaN", b'{"seed": NaN}', b"[" * 100_000, b"\xff", b'{"image": "\\ud800"}', b"null", b"[]", b'""', b""):
        answer = page("POST", "/api/jobs", raw=raw)
        assert answer.status in (400, 422), raw[:20]
        assert list(answer.json()) == ["error"]
        assert len(answer.body) < 700


def test_bytes_where_json_is_expected_and_json_where_bytes_are(page):
    body = b'{"rounds": 1}'
    heads = [*page.heads, ("content-type", "application/octet-stream"), ("content-length", str(len(body)))]
    assert request(page.app, "POST", f"/api/jobs/{page.job}/continue", heads, [body]).status == 422
    answer = page("POST", "/api/images?name=a.png", {"a": 1})
    assert answer.status == 415


@pytest.mark.parametrize(
    "path",
    [
        "/api/jobs/..%2f..%2fjobs.sqlite/view",
        "/api/jobs/../../jobs.sqlite",
        "/../../../../etc/passwd",
        "//etc/passwd",
        "/app.js/../../pyproject.toml",
        "/static/app.js",
        "/api/images/../../jobs.sqlite/preview.png",
        "/api/images/%2e%2e/preview.png",
        "/api/jobs/JOB/export/../../../jobs.sqlite",
        "/api/jobs/JOB/export/jobs.sqlite",
        "/api/jobs/JOB/export/record.zip%00.png",
        "/api/jobs/JOB/what-ifs/../../../1",
        "/api/recipe-form?recipe=../../etc/passwd",
        "/api/recipe-form?recipe=",
        "/api/jobs?before=../../x",
        "/api/jobs?limit=0",
        "/api/jobs?limit=1e3",
        "/api/jobs?limit=999999999999999999999999",
        "/api/jobs?unknown=1",
        "/api/jobs?limit=1&limit=2",
        "/api/events?after=-1",
        "/api/events?after=99999999999999999999",
        "/openapi.json",
        "/docs",
        "/redoc",
    ],
)
def test_paths_and_parameters_that_are_refused(page, path):
    answer = page("GET", path.replace("JOB", page.job))
    assert answer.status in (404, 405, 422), (answer.status, answer.body[:100])
    assert list(answer.json()) == ["error"]


def test_images_that_are_refused(page, tmp_path):
    before = page.get("/api/images")
    large = picture(side=300)
    bomb = large.replace(b"IHDR" + (310).to_bytes(4, "big"), b"IHDR" + (60_000).to_bytes(4, "big"))
    for content in (
        b"",
        b"x",
        b"%PDF-1.7",
        b"PK\x03\x04" + b"\0" * 100,
        picture()[:60],
        bomb,
        b"\x93NUMPY" + b"\xff" * 50,
    ):
        answer = page.upload(content, "a.png")
        assert answer.status == 422, content[:10]
        assert list(answer.json()) == ["error"]
        assert str(page.service.folder) not in answer.json()["error"]
    for name in ("", "a%00.png", "a" * 400):
        assert page.upload(picture(9), name).status == 422
    assert page.get("/api/images") == before


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc%2fpasswd.png", "C:%5Cwindows%5Ca.png", "a%0Ab%1B%5B31m.png", "%ff.png"]
)
def test_names_of_uploads_are_texts_and_never_paths(page, name):
    number = hash(name) % 10_000
    answer = page.upload(picture(number), name)
    assert answer.status == 201
    shown = answer.json()["name"]
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert not any(path.name == "passwd.png" for path in page.service.folder.rglob("*"))


def test_errors_name_no_folder_of_the_machine(page):
    folder = page.service.folder
    record = page.workplace.record_folder(page.job)
    arrays = record / "arrays.safetensors"
    content = arrays.read_bytes()
    arrays.write_bytes(b"{")
    try:
        answer = page("GET", f"/api/jobs/{page.job}/export/coco.json")
    finally:
        arrays.write_bytes(content)
    assert answer.status == 422
    for secret in (str(folder), str(folder.parent), "Traceback", 'File "'):
        assert secret not in answer.body.decode()


def test_a_full_queue(tmp_path):
    with opened_page(tmp_path, queue_limit=2) as page:
        image = page.workplace.add_image("a.png", iter([picture()]))
        wanted = {"image": image.id, "model": "demo"}
        codes = [page("POST", "/api/jobs", wanted).status for _ in range(6)]
        assert codes[0] == 201
        assert 429 in codes
        for job in page.get("/api/jobs"):
            page("DELETE", f"/api/jobs/{job['id']}")


def test_two_browsers_have_the_same_jobs(page):
    heads = page.new_heads()
    assert heads != page.heads
    assert page.send("GET", "/api/jobs", heads).json() == page.get("/api/jobs")


def test_an_upload_that_is_too_large_leaves_nothing(tmp_path):
    """Whether its length is said or not, and however the bytes come."""
    with opened_page(tmp_path, limits=ServeLimits(upload_bytes=5000)) as page:
        content = picture(side=60)
        assert len(content) > 6000
        heads = [*page.heads, ("content-type", "application/octet-stream")]
        said = page.send("POST", "/api/images?name=a.png", [*heads, ("content-length", str(len(content)))], [content])
        pieces = [content[start : start + 1000] for start in range(0, len(content), 1000)]
        unsaid = page.send("POST", "/api/images?name=a.png", [*heads, ("transfer-encoding", "chunked")], pieces)
        for answer in (said, unsaid):
            assert (answer.status, list(answer.json())) == (413, ["error"])
        assert page.get("/api/images") == []
        assert [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()] == []
        assert page.upload(picture(side=20)).status == 201


def test_an_upload_whose_sender_is_gone_leaves_nothing(page, caplog):
    before = page.get("/api/images")
    heads = [*page.heads, ("content-type", "application/octet-stream"), ("content-length", "4000")]
    content = picture(77)

    async def leave() -> None:
        messages = [{"type": "http.request", "body": content[:2000], "more_body": True}, {"type": "http.disconnect"}]
        sent = []

        async def receive() -> dict:
            return messages.pop(0)

        async def send(message: dict) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/api/images", "query_string": b"name=a.png"}
        scope |= {"headers": [(name.encode(), value.encode()) for name, value in heads], "http_version": "1.1"}
        await page.app({**scope, "root_path": "", "scheme": "http", "server": ("127.0.0.1", 8765)}, receive, send)

    page.run(leave())
    assert caplog.text == "", "nobody's fault"
    assert page.get("/api/images") == before
    assert [path for path in (page.service.folder / "uploads").rglob("*") if path.is_file()] == []
