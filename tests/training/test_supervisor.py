"""The supervisor against trainers that crash, hang, fail and lie; none of them needs torch."""

import json
import sys
import textwrap

import pytest

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


def supervise(tmp_path, script, **patience):
    """Exit code, what was said, and how many trainers were started."""
    request = TrainRequest(recipe="yatzy", path=str(tmp_path / "run"), create=False, minutes=9.0)
    view = View()
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


def test_no_torch_in_the_supervisor():
    import subprocess

    code = "import ludus.training.supervisor, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
