"""A real server: streams, clients that go, signals, and what survives them."""

import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import create_connection

import pytest

from serve.processes import SLOW, RunningServer, read_events, running_server
from workplaces import wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("serve") / "folder") as server:
        yield server


def raw(server: RunningServer, *lines: str, body: bytes = b"") -> bytes:
    """The answer to a request that is exactly this text."""
    port = int(server.base.rpartition(":")[2])
    with create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def cookie(server: RunningServer) -> str:
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in server.client.cookies.items())


def test_ten_tabs_get_the_same_events(server):
    ready, clients = threading.Barrier(11), [server.new_client() for _ in range(2)]
    last = server.client.get("/api/session").json()["last_event"]

    def follow(number: int) -> list:
        ready.wait(60)
        return read_events(clients[number % 2], f"/api/events?after={last}", "finished")

    with ThreadPoolExecutor(10) as pool:
        streams = [pool.submit(follow, number) for number in range(10)]
        ready.wait(60)
        job = server.submit(trust=False)
        told = [stream.result(120) for stream in streams]
    assert all(one == told[0] for one in told)
    ids = [number for number, _, _ in told[0]]
    assert ids == sorted(set(ids))
    kinds = [kind for _, kind, _ in told[0]]
    assert kinds.count("round") == server.job(job)["rounds"] >= 1
    assert {json.loads(data)["job"] for _, kind, data in told[0] if kind == "round"} == {job}
    # Whoever comes later or was away gets what was missed, from the disk.
    path = f"/api/jobs/{job}/events"
    replayed = read_events(server.client, path, "end")
    assert replayed[:-1] == [event for event in told[0] if json.loads(event[2])["job"] == job]
    assert replayed[-1][1] == "end"
    middle = replayed[len(replayed) // 2][0]
    rest = read_events(server.client, path, "end", {"last-event-id": str(middle)})
    assert rest == [event for event in replayed if event[0] > middle or event[1] == "end"]
    for client in clients:
        client.close()


def test_clients_that_go_in_the_middle_leave_nothing(server):
    folder = Path(f"/proc/{server.process.pid}/fd")
    if not folder.is_dir():
        pytest.skip("no /proc")
    before = len(list(folder.iterdir()))
    job = server.submit(settings=SLOW)
    for path in ("/api/events", f"/api/jobs/{job}/events") * 10:
        with server.client.stream("GET", path) as answer:
            next(answer.iter_raw())
    # An upload that stops half-way.
    with create_connection(("127.0.0.1", int(server.base.rpartition(":")[2]))) as connection:
        head = ["POST /api/images?name=a.png HTTP/1.1", f"Host: {server.base[7:]}", f"Origin: {server.base}"]
        head += [cookie(server), "Content-Type: application/octet-stream", "Content-Length: 1000", "", "half"]
        connection.sendall("\r\n".join(head).encode())
    assert server.client.post(f"/api/jobs/{job}/stop").status_code == 202
    server.wait_for_state(job, "stopped")
    wait_for(lambda: len(list(folder.iterdir())) <= before + 3)
    assert [image["name"] for image in server.client.get("/api/images").json()] == ["planted scene.png"]
    assert server.client.get("/api/session").status_code == 200


UPGRADE = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]


def test_requests_that_no_browser_sends(server):
    host, session = f"Host: {server.base[7:]}", cookie(server)
    origin = f"Origin: {server.base}"
    close = "Connection: close"
    assert b" 200 " in raw(server, "GET /api/jobs HTTP/1.1", host, session, close).split(b"\r\n")[0]
    refused = [
        (["GET /api/jobs HTTP/1.1", session, close], b"400"),
        (["GET /api/jobs HTTP/1.1", host, host, session, close], b"400"),
        (["GET /api/jobs HTTP/1.0", session], b"400"),
        (["GET http://evil.example/api/jobs HTTP/1.1", "Host: evil.example", session, close], b"403"),
        (
            ["GET /api/jobs HTTP/1.1", "Host: evil.example", f"X-Forwarded-Host: {server.base[7:]}", session, close],
            b"403",
        ),
        (["GET /api/jobs HTTP/1.1", host, close, "X-Forwarded-For: 127.0.0.1"], b"401"),
        (["GET /api/events HTTP/1.1", host, session, *UPGRADE], b"400"),
        (["POST /api/jobs HTTP/1.1", host, origin, session, close, "Content-Length: 2", "Content-Length: 3"], b"400"),
        (["TRACE / HTTP/1.1", host, session, close], b"405"),
        (["OPTIONS * HTTP/1.1", host, session, close], b"405"),
        (["HEAD / HTTP/1.1", host, session, close], b"405"),
    ]
    for lines, status in refused:
        answer = raw(server, *lines)
        assert answer.split(b"\r\n")[0].split(b" ")[1] == status, (lines, answer)
        assert b"Traceback" not in answer


def test_a_body_without_a_length_is_stopped(server):
    lines = ["POST /api/jobs HTTP/1.1", f"Host: {server.base[7:]}", f"Origin: {server.base}", cookie(server)]
    lines += ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = raw(server, *lines, body=chunk * 65)
    assert answer.split(b" ", 2)[1] == b"413"


def test_fifty_uploads_at_once(server):
    from workplaces import picture  # noqa: PLC0415

    pictures = [picture(1000 + number % 25) for number in range(50)]

    def send(number: int) -> int:
        heads = {"content-type": "application/octet-stream"}
        return server.client.post(f"/api/images?name={number}.png", content=pictures[number], headers=heads).status_code

    before = len(server.client.get("/api/images").json())
    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(send, range(50))) == {201}
    assert len(server.client.get("/api/images").json()) == before + 25, "equal bytes are stored once"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_the_server_with_open_streams(tmp_path, sent, code):
    with running_server(tmp_path / "folder") as server:
        job = server.submit(settings=SLOW)
        server.wait_for_state(job, "running")
        with server.client.stream("GET", "/api/events") as one, server.client.stream("GET", "/api/events") as other:
            assert (one.status_code, other.status_code) == (200, 200)
            assert server.end(sent) == code
            # The streams end properly; a connection that breaks off would raise.
            assert b"".join(one.iter_raw()).startswith(b"retry")
            assert b"".join(other.iter_raw()).startswith(b"retry")
        text = server.log.read_text()
        assert "Traceback" not in text
        assert "Cancel" not in text


def test_kill_9_loses_nothing(tmp_path):
    folder = tmp_path / "folder"
    with running_server(folder) as server:
        done = server.submit(trust=False)
        finished = server.wait_for_state(done, "finished")
        waiting = [server.submit(settings=SLOW, seed=1), server.submit(trust=False, seed=2)]
        server.wait_for_state(waiting[0], "running")
        view = server.client.get(f"/api/jobs/{done}/view").content
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    with running_server(folder) as again:
        jobs = again.client.get("/api/jobs").json()
        assert [job["id"] for job in jobs] == [*waiting[::-1], done]
        assert again.job(done) == finished
        assert again.client.get(f"/api/jobs/{done}/view").content == view
        again.wait_for_state(waiting[0], "running")
        assert again.client.post(f"/api/jobs/{waiting[0]}/stop").status_code == 202
        again.wait_for_state(waiting[0], "stopped")
        assert again.wait_for_state(waiting[1], "finished")["rounds"] >= 1
        replayed = read_events(again.client, f"/api/jobs/{waiting[0]}/events", "end")
        states = [json.loads(data)["state"] for _, kind, data in replayed if kind == "state"]
        assert states[0] == "queued"
        assert states[-1] == "stopped"
        assert states.count("queued") == 2, "it was queued again"


def test_two_browsers_work_at_once(server):
    other = server.new_client()
    job = server.submit(settings=SLOW)
    assert other.post(f"/api/jobs/{job}/stop").status_code == 202
    assert server.wait_for_state(job, "stopped")["id"] == job
    assert other.get("/api/jobs").json() == server.client.get("/api/jobs").json()
    assert other.cookies != server.client.cookies
    other.close()
