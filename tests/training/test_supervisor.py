"""The supervisor against trainers that crash, hang, fail and lie; none of them needs torch."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import deque

import pytest
from tests.testing.processes import of_session

from ludus.training.messages import Lines, Sender
from ludus.training.request import TrainRequest
from ludus.training.supervisor import Patience, Supervisor

PREAMBLE = """
import json, os, sys, time, signal
fd = int(sys.argv[1])
request = json.loads(sys.stdin.readline())
tries = request["path"] + ".tries"
def send(**message): os.write(fd, (json.dumps(message) + "\\n").encode())
number = os.path.exists(tries) and len(open(tries).read()) or 0
open(tries, "a").write("x")
send(kind="beat", work=number * 1000, iteration=0, phase="selfplay")
"""


class View:
    def __init__(self):
        self.notes = []
        self.beats = []

    def note(self, text):
        self.notes.append(text)

    def beat(self, beat):
        self.beats.append(dict(beat))


def supervise(tmp_path, script, *, settings=None, view=None, **patience):
    """Exit code, what was said, and how many trainers were started."""
    request = TrainRequest(
        recipe="yatzy",
        path=str(tmp_path / "run"),
        create=settings is not None,
        settings=settings or {},
        minutes=9.0,
    )
    view = view or View()
    file = tmp_path / "trainer.py"
    file.write_text(PREAMBLE + textwrap.dedent(script))
    code = Supervisor(
        request, view, patience=Patience(**patience), command=[sys.executable, str(file)]
    ).run()
    tries = tmp_path / "run.tries"
    return code, view, len(tries.read_text()) if tries.exists() else 0


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("idle", 0), ("paused", 3)])
def test_an_end_is_passed_on(tmp_path, state, code):
    script = f'send(kind="end", state="{state}", code={code}, text="words"); sys.exit({code})'
    found, view, tries = supervise(tmp_path, script)
    assert (found, tries) == (code, 1)
    assert "words" in view.notes


def test_a_user_error_is_one_sentence_and_never_tried_again(tmp_path):
    script = 'send(kind="end", state="error", code=2, text="no such thing"); sys.exit(2)'
    found, view, tries = supervise(tmp_path, script)
    assert (found, tries, view.notes) == (2, 1, ["ludus: no such thing"])


def test_a_crash_is_restarted(tmp_path):
    script = """
    if number < 2: os.kill(os.getpid(), signal.SIGSEGV)
    send(kind="end", state="done", code=0, text="done at last")
    """
    found, view, tries = supervise(tmp_path, script)
    assert (found, tries) == (0, 3)
    assert "signal SIGSEGV; restarting from the last commit (1 of 5)" in view.notes[0]


def test_crashes_without_end_are_an_error_after_five_restarts(tmp_path):
    found, view, tries = supervise(tmp_path, "os._exit(9)")
    assert (found, tries) == (1, 6)
    assert "failure number 6 within the hour" in view.notes[-1]


def test_a_failure_that_must_not_be_retried(tmp_path):
    script = 'send(kind="end", state="error", code=1, text="EIO", final=True); sys.exit(1)'
    assert supervise(tmp_path, script)[::2] == (1, 1)


def test_bad_numbers_pause_the_run_when_they_come_again(tmp_path):
    script = 'send(kind="end", state="error", code=1, text="NaN", numerics=True); sys.exit(1)'
    assert supervise(tmp_path, script)[::2] == (3, 2)


def test_a_failure_before_the_first_heartbeat_is_told_once(tmp_path):
    file = tmp_path / "trainer.py"
    file.write_text("raise SystemExit(1)")
    view = View()
    request = TrainRequest(recipe="yatzy", path=str(tmp_path / "run"), create=False)
    assert Supervisor(request, view, command=[sys.executable, str(file)]).run() == 1


def test_a_trainer_that_beats_without_progress_is_killed(tmp_path):
    script = """
    if number:
        send(kind="end", state="done", code=0, text="done"); sys.exit(0)
    while True:
        send(kind="beat", work=0, iteration=0, phase="selfplay"); time.sleep(0.05)
    """
    found, view, tries = supervise(tmp_path, script, progress_seconds=0.5)
    assert (found, tries) == (0, 2)
    assert "no progress" in view.notes[0]


def test_a_waiting_trainer_is_left_alone(tmp_path):
    script = """
    for _ in range(20):
        send(kind="beat", work=0, waiting=True, reason="disk"); time.sleep(0.05)
    send(kind="end", state="done", code=0, text="done")
    """
    assert supervise(tmp_path, script, progress_seconds=0.4)[::2] == (0, 1)


def test_damaged_messages_do_no_harm(tmp_path):
    script = """
    os.write(fd, b"\\xff\\xfe{]\\n[1]\\nnull\\n")
    send(kind="unknown"); send(nothing=1)
    send(kind="end", state="done", code=0, text="done")
    """
    assert supervise(tmp_path, script)[::2] == (0, 1)


def test_a_restart_has_only_the_time_that_is_left(tmp_path):
    script = """
    open(request["path"] + ".minutes", "a").write(json.dumps(request["minutes"]) + "\\n")
    if number == 0: time.sleep(0.3); os._exit(9)
    send(kind="end", state="done", code=0, text="done")
    """
    assert supervise(tmp_path, script)[0] == 0
    first, second = map(json.loads, (tmp_path / "run.minutes").read_text().split())
    assert first == 9.0
    assert 8.9 < second < first - 0.004


def test_notices_reach_the_trainer_for_its_events(tmp_path):
    """Of the supervisor itself and of others; only once there is one that has opened the run."""
    script = """
    heard = [json.loads(sys.stdin.readline()) for _ in range(2)]
    send(kind="end", state="done", code=0, text=json.dumps(heard))
    sys.exit(0)
    """
    file = tmp_path / "trainer.py"
    file.write_text(PREAMBLE + textwrap.dedent(script))
    request = TrainRequest(recipe="yatzy", path=str(tmp_path / "run"), create=False)
    view, notices = View(), deque(["a sink hangs"])
    one = Supervisor(request, view, command=[sys.executable, str(file)], notices=notices)
    one._noted("ludus: alerts do not leave the machine")
    assert one.run() == 0
    heard = json.loads(view.notes[-1])
    assert heard == [
        {"command": "notice", "message": "a sink hangs"},
        {"command": "notice", "message": "alerts do not leave the machine"},
    ]


def test_no_torch_in_the_supervisor():
    code = "import ludus.training.supervisor, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- the watchdog --------------------------------------------------------------------------------

END = 'send(kind="end", state="done", code=0, text="done"); sys.exit(0)'


def test_a_stopped_trainer_is_noticed_and_replaced(tmp_path):
    """O-114 to O-116: SIGSTOP, which no exception handler and no thread of the trainer survives."""
    script = f"""
    if number: {END}
    send(kind="beat", work=1, uncommitted_seconds=7.0, iteration=0, phase="selfplay")
    os.kill(os.getpid(), signal.SIGSTOP)
    """
    before = time.monotonic()
    found, view, tries = supervise(tmp_path, script, progress_seconds=0.5)
    assert (found, tries) == (0, 2)
    assert time.monotonic() - before < 5
    assert "made no progress for 0.5 s; restarting" in view.notes[0]


def test_the_patience_is_the_runs_own_setting(tmp_path):
    """O-117: guards.watchdog_seconds, 30 s by default; heartbeats bring changes of it."""
    script = f"""
    if number: {END}
    send(kind="beat", work=1, watchdog=1.0, iteration=0, phase="selfplay")
    time.sleep(60)
    """
    before = time.monotonic()
    assert supervise(tmp_path, script)[::2] == (0, 2)
    assert time.monotonic() - before < 10
    request = TrainRequest(recipe="yatzy", path=str(tmp_path / "no"), create=False)
    assert Supervisor(request, View())._watchdog == 30.0
    settings = {"guards": {"watchdog_seconds": 77.0}}
    request = TrainRequest(recipe="yatzy", path="no", create=True, settings=settings)
    assert Supervisor(request, View())._watchdog == 77.0


def test_a_supervisor_that_was_stopped_itself_kills_nobody(tmp_path):
    """Ctrl-Z stops both; the clock goes on, and the trainer has done nothing wrong."""
    script = f"""
    time.sleep(0.6)
    os.kill(os.getppid(), signal.SIGSTOP)  # both stand still for longer than the patience
    time.sleep(3.2)
    os.kill(os.getppid(), signal.SIGCONT)
    time.sleep(0.3)
    {END}
    """
    (tmp_path / "trainer.py").write_text(PREAMBLE + textwrap.dedent(script))
    code = (
        "import sys; from ludus.training.supervisor import *\n"
        "from ludus.training.view import PlainView\n"
        f"request = TrainRequest(recipe='yatzy', path={str(tmp_path / 'run')!r}, create=False)\n"
        f"command = [sys.executable, {str(tmp_path / 'trainer.py')!r}]\n"
        "patience = Patience(progress_seconds=2.0)\n"
        "view = PlainView(sys.stderr)\n"
        "sys.exit(Supervisor(request, view, patience=patience, command=command).run())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "done")
    assert "restarting" not in done.stderr


def test_the_wall_clock_does_not_matter(tmp_path, monkeypatch):
    jumps = iter(range(10**9, 10**15, 10**6))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    script = f"""
    for work in range(8):
        send(kind="beat", work=work, iteration=0, phase="selfplay"); time.sleep(0.05)
    {END}
    """
    assert supervise(tmp_path, script, progress_seconds=2.0)[::2] == (0, 1)


def test_what_a_restart_lost_goes_to_the_next_trainer_until_it_is_told(tmp_path):
    script = f"""
    open(request["path"] + ".restarts", "a").write(json.dumps(request["restarts"]) + "\\n")
    if number == 0:
        send(kind="beat", work=1, uncommitted_seconds=7.0, iteration=0, phase="selfplay")
        os._exit(9)
    if number == 1: os._exit(9)  # before it could tell
    if number == 2:
        send(kind="told", restarts=2)
        send(kind="end", state="error", code=1, text="NaN", numerics=True); sys.exit(1)
    {END}
    """
    assert supervise(tmp_path, script)[::2] == (0, 4)
    lines = [json.loads(line) for line in (tmp_path / "run.restarts").read_text().splitlines()]
    causes = [[one["cause"] for one in line] for line in lines]
    assert causes == [[], ["crash"], ["crash", "crash"], ["numbers"]]
    assert lines[1][0]["reason"] == "the trainer ended with exit code 9"
    assert 7.0 <= lines[1][0]["lost_seconds"] < 12.0
    assert 0.0 <= lines[2][1]["lost_seconds"] < 5.0


class Broken(View):
    """A terminal that went away."""

    def note(self, text):
        raise BrokenPipeError

    def beat(self, beat):
        raise OSError(5, "Input/output error")


def test_a_terminal_that_is_gone_ends_nothing(tmp_path):
    script = f"send(kind='note', text='hello')\n{END}"
    assert supervise(tmp_path, script, view=Broken())[::2] == (0, 1)


# -- alerts out of the machine -------------------------------------------------------------------


def told(tmp_path, script, **patience):
    """Exit code and the alerts that a command got, by (event, name)."""
    keep = tmp_path / "keep.py"
    keep.write_text(f"import sys; open({str(tmp_path / 'got')!r}, 'a').write(sys.stdin.read())")
    settings = {"alerts": {"command": [sys.executable, str(keep)]}}
    code, _, _ = supervise(tmp_path, script, settings=settings, **patience)
    got = tmp_path / "got"
    lines = got.read_text().splitlines() if got.exists() else []
    return code, [json.loads(line) for line in lines]


def test_alerts_of_the_trainer_are_delivered(tmp_path):
    alert = {"event": "alert", "name": "loss_spike", "message": "loss_spike: 9"}
    code, got = told(tmp_path, f"send(kind='alert', alert={alert})\n{END}")
    assert code == 0
    assert [(one["name"], one["run"]) for one in got] == [("loss_spike", str(tmp_path / "run"))]


def test_the_supervisors_own_alerts(tmp_path):
    script = """
    if number == 0: os.kill(os.getpid(), signal.SIGSEGV)
    if number == 1: time.sleep(60)
    send(kind="end", state="error", code=1, text="EIO", final=True); sys.exit(1)
    """
    code, got = told(tmp_path, script, progress_seconds=0.5)
    assert code == 1
    names = [one["name"] for one in got]
    assert names == ["trainer_crashed", "trainer_hung", "run_given_up"]
    assert [one["severity"] for one in got] == ["error"] * 3
    assert "signal SIGSEGV" in got[0]["message"] and got[2]["message"] == "EIO"


def test_a_run_that_waits_or_fails_in_the_middle_is_told(tmp_path):
    script = """
    send(kind="beat", work=0, waiting=True, reason="only 3 MB of disk are free")
    send(kind="beat", work=0, waiting=True, reason="only 3 MB of disk are free")
    send(kind="beat", work=1, iteration=0, phase="selfplay")
    send(kind="end", state="error", code=2, text="the rules of pig are broken"); sys.exit(2)
    """
    code, got = told(tmp_path, script)
    assert code == 2
    assert [(one["event"], one["name"]) for one in got] == [
        ("alert", "run_waiting"),
        ("alert_cleared", "run_waiting"),
        ("alert", "run_failed"),
    ]


def test_a_command_that_hangs_holds_up_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("ludus.training.outside._LAST_SECONDS", 0.2)
    settings = {"alerts": {"command": ["sleep", "60"]}}
    script = f"""
    send(kind="alert", alert={{"name": "x"}})
    for work in range(10):
        send(kind="beat", work=work, iteration=0, phase="selfplay"); time.sleep(0.02)
    {END}
    """
    before = time.monotonic()
    found, view, tries = supervise(tmp_path, script, settings=settings)
    assert (found, tries, len(view.beats)) == (0, 1, 11)
    assert time.monotonic() - before < 5


# -- the end of all processes --------------------------------------------------------------------

SLEEPER = """
import json, os, signal, subprocess, sys, threading, time
from ludus.training.trainer import _Asked, die_with_parent
die_with_parent()
signal.signal(signal.SIGINT, signal.SIG_IGN)
asked = _Asked()
signal.signal(signal.SIGTERM, asked.signalled)
sys.stdin.readline()
threading.Thread(target=asked.listen, daemon=True).start()
fd = int(sys.argv[1])
os.write(fd, b'{"kind": "beat", "work": 0}\\n')
work = 0
while not (asked.stop and OBEYS):
    work += 1
    os.write(fd, b'{"kind": "beat", "work": %d}\\n' % work)
    time.sleep(0.02)
os.write(fd, b'{"kind": "end", "state": "idle", "code": 0, "text": "stopped"}\\n')
os._exit(0)
"""


@pytest.mark.parametrize(
    ("obeys", "numbers", "code"),
    [
        (True, [signal.SIGINT], 0),
        (False, [signal.SIGINT, signal.SIGINT], 130),
        (True, [signal.SIGTERM], 0),
        (True, [signal.SIGHUP], 0),
        (False, [signal.SIGKILL], -9),
    ],
)
def test_no_process_is_left(tmp_path, obeys, numbers, code):
    """B-91, B-92, B-102: whatever ends a run, its processes end with it."""
    (tmp_path / "trainer.py").write_text(SLEEPER.replace("OBEYS", str(obeys)))
    main = (
        "import sys; from ludus.training.supervisor import *\n"
        "from ludus.training.view import PlainView\n"
        f"request = TrainRequest(recipe='yatzy', path={str(tmp_path / 'run')!r}, create=False)\n"
        f"command = [sys.executable, {str(tmp_path / 'trainer.py')!r}]\n"
        "view = PlainView(sys.stderr)\n"
        "sys.exit(Supervisor(request, view, command=command).run())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", main], start_new_session=True, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 30
    while len(of_session(process.pid)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert len(of_session(process.pid)) == 2
    time.sleep(0.5)
    for number in numbers:
        os.kill(process.pid, number)
        time.sleep(0.3)
    assert process.wait(20) == code
    while of_session(process.pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert of_session(process.pid) == []


# -- messages ------------------------------------------------------------------------------------


def test_a_reader_that_does_not_read_stops_nobody():
    read, write = os.pipe()
    try:
        sender = Sender(write)
        before = time.monotonic()
        for work in range(5000):
            sender.send("beat", work=work, text="x" * 100)
        assert time.monotonic() - before < 2.0
        lines, found = Lines(), []

        def drain():
            while data := os.read(read, 65536):
                found.extend(lines.feed(data))

        thread = threading.Thread(target=drain)
        thread.start()
        sender.send("note", text="y" * 100_000)  # more than the pipe holds
        sender.send("end", code=0)
        os.close(write)
        write = None
        thread.join(10)
    finally:
        os.close(read)
        if write is not None:
            os.close(write)
    assert [one["kind"] for one in found[-2:]] == ["note", "end"]
    assert found[-2]["text"] == "y" * 100_000
    works = [one["work"] for one in found[:-2]]
    assert works == list(range(len(works))) and len(works) > 100
