"""``ludus monitor`` as a process on a terminal of its own: start, keys, signals, what is left."""

import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte
import pytest
from tests.monitor.conftest import at_work
from tests.training.tiny import command, environment

from ludus.cli.main import main
from ludus.runs import RunLock


class Terminal:
    """A process on a pseudo terminal, and what a person sees there."""

    def __init__(
        self,
        *arguments: str,
        size: tuple[int, int] = (80, 24),
        program: list[str] | None = None,
        **more: str,
    ) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        variables = {**environment(), "TERM": "xterm-256color", **more}
        variables |= {"COLUMNS": "80", "LINES": "24"}  # as some shells export them
        self.process = subprocess.Popen(
            program or command(*arguments), stdin=slave, stdout=slave, stderr=slave, env=variables
        )

    def read(self, seconds: float = 0.1) -> str:
        """What is on the screen after some time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                data = os.read(self.master, 65536)
                self.sent += data
                self._stream.feed(data.replace(b"\x1b[>", b"\x1b["))
        return "\n".join(self.screen.display)

    def until(self, text: str, seconds: float = 60.0) -> str:
        """Wait for a text on the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in (seen := self.read()):
                return seen
            if self.process.poll() is not None:
                break
        raise AssertionError(f"no {text!r} in {self.read()}")

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def end(self) -> int:
        """Wait for the process; its exit code."""
        limit = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < limit:
            self.read()
        self.read(0.2)
        return self.process.wait(1)

    def restored(self) -> bool:
        """Whether the terminal is as it was: modes, cursor, the ordinary screen."""
        modes = termios.tcgetattr(self.slave)
        left = self.sent.rfind(b"\x1b[?1049l") > self.sent.rfind(b"\x1b[?1049h") >= 0
        cursor = self.sent.rfind(b"\x1b[?25h") > self.sent.rfind(b"\x1b[?25l")
        return modes == self.before and left and cursor

    def close(self) -> None:
        """Clean up."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal():
    made: list[Terminal] = []

    def make(*arguments: str, **options: object) -> Terminal:
        made.append(Terminal(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("how", ["q", "ctrl-c", "SIGINT", "SIGTERM"])
def test_the_terminal_is_restored(run: Path, terminal, how: str) -> None:
    lock = RunLock.acquire(run)
    at_work(run, os.getpid())
    one = terminal("monitor", str(run))
    one.until("Iteration 2/2")
    if how == "q":
        one.press("q")
    elif how == "ctrl-c":
        one.press("\x03")
    else:
        one.process.send_signal(getattr(signal, how))
    assert one.end() == (143 if how == "SIGTERM" else 0)
    assert one.restored()
    after = one.sent[one.sent.rfind(b"\x1b[?1049l") :]
    assert f"the training goes on: {run}".encode() in after
    lock.release()


def test_an_error_inside_restores_the_terminal(run: Path, terminal, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import ludus.monitor.tui.dashboard as d\n"
        "def broken(self): raise RuntimeError('broken on purpose')\n"
        "d.Dashboard.action_help = broken\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    one = terminal("monitor", str(run), PYTHONPATH=path)
    one.until("Iteration 2/2")
    one.press("?")
    assert one.end() == 1
    assert one.restored()
    assert b"broken on purpose" in one.sent[one.sent.rfind(b"\x1b[?1049l") :]


@pytest.mark.slow
def test_a_pause_by_key_and_a_resume_end_to_end(tmp_path: Path, terminal) -> None:
    """A real training: pause it, go on from the monitor, leave; the trainer works on."""
    from tests.training.tiny import train

    from ludus.runs import describe_run

    run = tmp_path / "run"
    train(run, iterations=1)
    trainer = subprocess.Popen(
        command("train", "yatzy", "--run", str(run), "--iterations", "400"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    one = terminal("monitor", str(run), "--refresh-interval", "0.3", size=(120, 40))
    try:
        one.until("● training")
        one.press("p")
        one.until("pause sent")
        one.until("‖ paused")
        assert trainer.wait(60) == 3
        before = describe_run(run).counters["selfplay_games"]
        one.press("r")
        one.until("Nobody trains")
        one.press("y")
        one.until("a trainer is starting")
        one.until("● training")
        one.press("q")
        assert one.end() == 0 and one.restored()
        holder = describe_run(run).holder
        assert holder is not None, "the trainer outlives the monitor that started it"
        time.sleep(1.0)
        assert main(["stop", str(run)]) == 0
        end = time.monotonic() + 60
        while describe_run(run).holder is not None and time.monotonic() < end:
            time.sleep(0.1)
        assert describe_run(run).state == "idle"
        assert describe_run(run).counters["selfplay_games"] > before
    finally:
        if trainer.poll() is None:
            trainer.kill()
            trainer.wait()


def test_few_colours_are_enough(run: Path, terminal) -> None:
    one = terminal("monitor", str(run), TERM="xterm", NO_COLOR="1")
    assert "done" in one.until("Iteration 2/2")


def test_the_first_frame_comes_soon(run: Path, terminal) -> None:
    begin = time.monotonic()
    one = terminal("monitor", str(run))
    one.until("Iteration 2/2")
    # Measured 0.6 s alone on two cores; the limit leaves room for a machine that is busy.
    assert time.monotonic() - begin < 5.0


def test_without_a_terminal_there_is_advice(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", str(run)]) == 2
    assert "--once prints one frame as text" in capsys.readouterr().err


def test_without_termios_there_is_advice(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "termios", None)
    assert main(["monitor", str(run)]) == 1
    assert "run Ludus in WSL" in capsys.readouterr().err
    assert main(["monitor", str(run), "--once"]) == 0


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.write_text("x"), "there is no run directory"),
        (lambda path: (path.mkdir(), (path / "notes.txt").write_text("x")), "not a run directory"),
    ],
)
def test_what_is_no_run_is_refused_before_the_screen(
    tmp_path: Path, make, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "thing")
    assert main(["monitor", str(tmp_path / "thing"), "--once"]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "1e9"])
def test_intervals_out_of_range(
    run: Path, interval: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["monitor", str(run), "--refresh-interval", interval]) == 2
    assert "from 0.1 to 3600 seconds" in capsys.readouterr().err


def test_one_frame_as_text(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (40, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(["monitor", str(run), "--once"]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out and "Iteration 2/2" in out and "Elo" in out
        assert max(map(len, out.splitlines())) <= width
    assert main(["monitor", "--root", str(run.parent), "--once"]) == 0
    assert main(["monitor", str(run.parent / "later"), "--once"]) == 0
    assert "Waiting for a training" in capsys.readouterr().out


def test_other_commands_do_not_import_the_terminal() -> None:
    program = (
        "import sys\n"
        "from ludus.cli.main import main\n"
        "main(['--help']); main(['monitor', '--help']); main(['runs'])\n"
        "bad = [name for name in sys.modules if name.startswith(('textual', 'ludus.monitor'))]\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux here")
def test_detached_and_attached_in_tmux(run: Path, tmp_path: Path) -> None:
    """Nobody is attached, then somebody with a larger screen, then nobody again."""
    lock = RunLock.acquire(run)
    at_work(run, os.getpid())
    base = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null"]

    def tmux(*words: str) -> str:
        done = subprocess.run([*base, *words], capture_output=True, text=True, timeout=20)
        return done.stdout

    def until(text: str) -> None:
        end = time.monotonic() + 30
        while text not in (seen := tmux("capture-pane", "-p", "-t", "it")):
            assert time.monotonic() < end, seen
            time.sleep(0.1)

    program = shlex.join(command("monitor", str(run), "--refresh-interval", "0.2"))
    tmux("new-session", "-d", "-s", "it", "-x", "80", "-y", "24", program)
    try:
        until("Iteration 2/2")
        person = Terminal(size=(120, 40), program=[*base, "attach", "-t", "it"])
        try:
            person.until("Guards and health")  # the larger layout
            tmux("detach-client", "-s", "it")
            person.end()
        finally:
            person.close()
        at_work(run, os.getpid(), iteration=0, number=10**7)
        until("Iteration 1/2")
        tmux("send-keys", "-t", "it", "p")
        until("pause sent")
        assert len(list((run / "control").glob("*.json"))) == 1
    finally:
        tmux("kill-server")
        lock.release()
