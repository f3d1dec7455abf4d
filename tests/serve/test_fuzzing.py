"""Requests made from the description of the API, valid and not: whatever comes, the server answers, never with 5xx."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from serve.asgi import Answer
from serve.serving import ORIGIN, Page, opened_page
from unveil.serve.exports import EXPORTS
from unveil.serve.headers import SECURITY_HEADERS
from workplaces import picture, tiny, wait_for

schemathesis = pytest.importorskip("schemathesis", reason="pip install 'unveil[fuzz]'")
import_module("schemathesis.generation.dictionaries")
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
EXAMPLES = 12  # for each of the two modes of each operation


pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # of the labels of the tiny classifier


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[Page]:
    with opened_page(tmp_path_factory.mktemp("serve"), queue_limit=8) as page:
        page.image = page.workplace.add_image("a.png", iter([picture()]))
        page.job = page.finish(tiny(page.image))
        # Import everything first: Python 3.11.7 fails where two threads compile at once (its issue 106905).
        for name in EXPORTS:
            page("GET", f"/api/jobs/{page.job}/export/{name}")
        page("POST", f"/api/jobs/{page.job}/what-ifs", {"drawing": {"strokes": [{"kind": "region", "region": "r1.1"}]}})
        page.get("/api/agreement")
        wait_for(lambda: not page.service.testing)
        yield page


def send(page: Page, case) -> Answer:
    """The answer to a case, sent as a page would: its own headers come last."""
    import requests  # noqa: PLC0415 (a part of schemathesis)

    options = case.as_transport_kwargs(base_url=ORIGIN)
    options.pop("cookies", None)
    known = {name: options.get(name) for name in ("method", "url", "params", "data", "json", "files")}
    prepared = requests.Request(**known, headers=dict(options.get("headers") or {})).prepare()
    body = prepared.body or b""
    body = body.encode() if isinstance(body, str) else bytes(body)
    ours = {name for name, _ in page.heads} | {"content-length"}
    heads = [(name, as_header(value)) for name, value in prepared.headers.items() if name.lower() not in ours]
    heads += [*page.heads, ("content-length", str(len(body)))]
    path = str(prepared.url).removeprefix(ORIGIN)
    return page.send(case.method.upper(), path, heads, [body])


def as_header(value: str | bytes) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return text.encode("utf-8").decode("latin-1")


def check(answer: Answer, case) -> None:
    where = f"{case.method} {case.path}"
    assert answer.status < 500, (where, answer.body)
    assert SECURITY_HEADERS.items() <= answer.headers.items(), where
    if answer.status >= 400:
        assert list(answer.json()) == ["error"], where
        line = answer.json()["error"]
        assert line.startswith("expected "), (where, line)
        assert "\n" not in line
        assert len(line) <= 500
        assert "Traceback" not in line


def operations(page: Page) -> list:
    description = page.get("/api/openapi.json")
    schema = schemathesis.openapi.from_dict(description)
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) >= 20
    # Streams don't end: test_events.py and test_running.py read them.
    return [one for one in found if not one.path.endswith("/events")]


def test_no_request_makes_an_error_of_the_server(page):
    seen: dict[str, set[int]] = {}
    for operation in operations(page):
        for mode in MODES:

            @settings(
                max_examples=EXAMPLES,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            )
            @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
            def send_cases(case, real: bool) -> None:
                places = case.path_parameters
                if real and "job_id" in (places or {}) and case.method.upper() != "DELETE":
                    places["job_id"] = page.job
                if real and isinstance(case.body, dict) and "model" in case.body:
                    case.body |= {"model": "tiny", "image": page.image.id}
                answer = send(page, case)
                check(answer, case)
                seen.setdefault(f"{case.method} {case.path}", set()).add(answer.status)

            try:
                send_cases()
            except (schemathesis.errors.SchemathesisError, Unsatisfiable):
                # Nothing can be invalid, as in a request without parameters.
                assert mode is MODES[1]
        for job in page.workplace.jobs(100):
            if job.id != page.job:
                page.workplace.delete(job.id)
    assert len(seen) >= 20
    answered = [name for name, codes in seen.items() if min(codes) < 300]
    assert len(answered) >= 12, "requests that are valid"
    assert page.get("/api/session")["models"][0]["name"] == "tiny"
    assert page.get(f"/api/jobs/{page.job}")["id"] == page.job
