"""Alerts out of the machine: a real script, a real server, and targets that hang or are dead."""

import http.server
import json
import os
import socket
import sys
import threading
import time

import pytest

from ludus.training.alerts.delivery import Delivery, DeliveryError, Target, post, send_now

ALERT = {"event": "alert", "name": "loss_spike", "value": 3.5, "message": "äöü\nsecond line"}


def script(folder, body, name="tell.py"):
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{body}")
    file.chmod(0o755)
    return str(file)


def keep(folder):
    return script(
        folder,
        "import sys\n"
        f"open({str(folder / 'got')!r}, 'a').write(sys.stdin.read())\n"
        "print('told', sys.argv[1:])\n",
    )


class Server:
    """Keeps what is posted; answers with the codes given, the last one again and again."""

    def __init__(self, *codes):
        self.got, codes = [], list(codes)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
                code = codes.pop(0) if len(codes) > 1 else codes[0]
                self.send_response(code)
                if code in (301, 302):
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *about):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=secret"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *about):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def deliver(target, alerts=(ALERT,), **more):
    notes = []
    delivery = Delivery(
        target, about={"run": "runs/x"}, note=notes.append, pauses=(0.01, 0.02), **more
    )
    for alert in alerts:
        delivery.put(alert)
    delivery.close(20.0)
    return delivery, notes


def test_a_command_gets_json_and_its_output_is_logged(tmp_path):
    target = Target(command=(keep(tmp_path), "one argument; rm -rf $HOME"))
    delivery, notes = deliver(target, log=tmp_path / "alerts.log")
    assert (delivery.delivered, delivery.failed, notes) == (1, 0, [])
    assert json.loads((tmp_path / "got").read_text()) == {"run": "runs/x", **ALERT}
    assert "told ['one argument; rm -rf $HOME']" in (tmp_path / "alerts.log").read_text()


def test_a_webhook_gets_json():
    with Server(200) as server:
        delivery, notes = deliver(Target(webhook=server.url))
    assert (delivery.delivered, notes) == (1, [])
    ((path, kind, body),) = server.got
    assert (path, kind) == ("/hook?token=secret", "application/json")
    assert body == {"run": "runs/x", **ALERT}


def test_numbers_that_json_does_not_know_are_null():
    with Server(204) as server:
        deliver(Target(webhook=server.url), [{**ALERT, "value": float("nan")}])
    assert server.got[0][2]["value"] is None


def test_it_is_tried_three_times():
    with Server(500, 503, 200) as server:
        delivery, notes = deliver(Target(webhook=server.url))
    assert len(server.got) == 3
    assert (delivery.delivered, delivery.failed, notes) == (1, 0, [])


@pytest.mark.parametrize("code", [404, 500, 302])
def test_another_answer_is_told_once_and_without_the_address(code):
    with Server(code) as server:
        delivery, notes = deliver(Target(webhook=server.url), [ALERT, ALERT])
    assert len(server.got) == 6  # a redirection is not followed: it would lose the document
    assert (delivery.delivered, delivery.failed) == (0, 2)
    assert notes == [
        f"ludus: alerts do not leave the machine by alerts.webhook: 127.0.0.1 answered {code}"
    ]


def test_a_closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = Target(webhook=f"http://127.0.0.1:{taken.getsockname()[1]}/")
        delivery, notes = deliver(target)
    assert delivery.failed == 1
    assert "127.0.0.1 cannot be reached" in notes[0]


def test_a_server_that_never_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = Target(webhook=f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_seconds=0.2)
        with pytest.raises(DeliveryError, match="timed out"):
            post(target, ALERT)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        ("import time; time.sleep(60)", "did not end within 0.3 s"),
        (None, "cannot be started: No such file or directory"),
    ],
)
def test_a_command_that_does_not_work(tmp_path, body, words):
    program = str(tmp_path / "nothing") if body is None else script(tmp_path, body)
    delivery, notes = deliver(Target(command=(program,), timeout_seconds=0.3 if body else 5))
    assert (delivery.delivered, delivery.failed, len(notes)) == (0, 1, 1)
    assert words in notes[0]


def test_a_hanging_command_is_ended_with_all_it_started(tmp_path):
    body = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    target = Target(command=(script(tmp_path, body),), timeout_seconds=60)
    delivery = Delivery(target, about={})
    delivery.put(ALERT)
    end = time.monotonic() + 20
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
    began = time.monotonic()
    delivery.close(0.1)
    assert time.monotonic() - began < 5
    pid = int((tmp_path / "pids").read_text())
    end = time.monotonic() + 5
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive(pid)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_putting_never_waits_and_the_queue_is_bounded(tmp_path):
    target = Target(command=(script(tmp_path, "import time; time.sleep(60)"),))
    delivery = Delivery(target, about={})
    began = time.monotonic()
    for _ in range(500):
        delivery.put(ALERT)
    assert time.monotonic() - began < 1.0
    assert delivery.dropped >= 390
    delivery.close(0.0)
    delivery.put(ALERT)  # after the end: nothing, and no error


def test_off_means_off():
    delivery, _ = deliver(Target())
    assert (delivery.delivered, delivery.failed, delivery._thread) == (0, 0, None)


def test_one_way_that_fails_does_not_hinder_the_other(tmp_path):
    with Server(200) as server:
        target = Target(command=(str(tmp_path / "nothing"),), webhook=server.url)
        delivery, notes = deliver(target)
        assert (delivery.delivered, delivery.failed, len(notes)) == (1, 1, 1)
        found = send_now(target, ALERT)
    assert found["webhook"] is None and "cannot be started" in found["command"]


def test_a_command_that_reads_nothing_is_no_failure(tmp_path):
    delivery, notes = deliver(Target(command=(script(tmp_path, "import os; os.close(0)"),)))
    assert (delivery.delivered, notes) == (1, [])
    assert os.listdir(tmp_path) == ["tell.py"]
