"""The logging facility: forms, levels, files, storms, and that nothing prints beside it."""

import ast
import io
import json
import logging
import os
import re
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ludus import logs
from ludus.logs.storm import BURST, REPEATS, StormLimit

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) ([\w.]+): (.*)")


@pytest.fixture(autouse=True)
def unconfigured():
    yield
    logs.close()


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def objects(path: Path) -> list[dict]:
    return [json.loads(line) for line in lines(path)]


def test_lines_for_people_have_time_level_and_component(tmp_path):
    path = tmp_path / "a.log"
    logs.configure("debug", file=path, console=False)
    logger = logs.get_logger("training.gate")
    logger.debug("one 100%")
    logger.info("two", event="gate_done", pairs=12, rate=0.5123456789)
    logger.warning("three", path="a b")
    logger.error("four")
    logger.log("five", "WARNING")
    logger.log("six")
    found = [LINE.fullmatch(line).groups() for line in lines(path)]
    assert found == [
        ("debug", "training.gate", "one 100%"),
        ("info", "training.gate", "two pairs=12 rate=0.512346"),
        ("warning", "training.gate", 'three path="a b"'),
        ("error", "training.gate", "four"),
        ("warning", "training.gate", "five"),
        ("info", "training.gate", "six"),
    ]


def test_a_json_line_is_one_object(tmp_path):
    path = tmp_path / "a.log"
    logs.configure("info", json_output=True, file=path, console=False)
    logs.get_logger("runs").warning(
        "two\nlines",
        event="save_failed",
        attempt=2,
        rate=float("nan"),
        mean=np.float32(0.5),
        where=Path("/tmp/x"),
        level="mine",
        odd="\ud800",
    )
    (line,) = lines(path)
    found = json.loads(line)
    assert datetime.fromisoformat(found.pop("timestamp")).tzinfo is not None
    assert found == {
        "level": "warning",
        "component": "runs",
        "event": "save_failed",
        "message": "two\nlines",
        "attempt": 2,
        "rate": None,
        "mean": 0.5,
        "where": "/tmp/x",
        "level_": "mine",
        "odd": "\\ud800",
    }


def test_levels_filter_and_change_while_running(tmp_path):
    path = tmp_path / "a.log"
    logs.configure(logs.Level.WARNING, file=path, console=False)
    logger = logs.get_logger("x")
    logger.info("no")
    logger.warning("yes")
    logs.set_level("debug")
    logger.debug("yes")
    logs.set_level(logs.Level.ERROR)
    logger.warning("no")
    logger.error("yes")
    assert [LINE.fullmatch(line)[3] for line in lines(path)] == ["yes"] * 3
    with pytest.raises(ValueError, match="loud"):
        logs.set_level("loud")
    assert [level.value for level in logs.Level] == ["debug", "info", "warning", "error"]


def test_the_form_changes_while_running(tmp_path):
    path = tmp_path / "a.log"
    logs.configure("info", file=path, console=False)
    logs.get_logger("x").info("text")
    logs.set_json_output(True)
    logs.get_logger("x").info("json")
    first, second = lines(path)
    assert LINE.fullmatch(first)
    assert json.loads(second)["message"] == "json"


def test_a_message_cannot_fake_a_line(tmp_path):
    path = tmp_path / "a.log"
    logs.configure("info", file=path, console=False)
    logs.get_logger("x").info("a\n2026-01-01T00:00:00.000Z error y: \x1b[31mfake", name="b\nc")
    (line,) = lines(path)
    assert r"a\n2026" in line and r"\x1b[31m" in line and r"name=b\nc" in line


def test_exceptions_keep_their_traceback(tmp_path):
    text, one = tmp_path / "a.log", tmp_path / "b.log"
    for path, json_output in ((text, False), (one, True)):
        logs.configure("info", file=path, console=False, json_output=json_output)
        try:
            raise ValueError("of the test")
        except ValueError as error:
            logs.get_logger("x").error("failed", exception=error)
    assert lines(text)[-1] == "    ValueError: of the test"
    assert "test_logs.py" in "".join(lines(text))
    assert objects(one)[0]["exception"].endswith("ValueError: of the test\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_console_is_coloured_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        logs.configure("info", stream=stream)
        logs.get_logger("x").error("broken [bold]not markup[/bold]")
    assert LINE.fullmatch(plain.getvalue().rstrip("\n"))
    assert "\x1b[" in terminal.getvalue()
    assert "broken [bold]not markup[/bold]" in re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())


def test_the_console_is_plain_where_rich_is_missing(monkeypatch):
    terminal = Terminal()
    monkeypatch.setitem(sys.modules, "rich.console", None)  # an import of it fails
    logs.configure("info", stream=terminal)
    logs.get_logger("x").error("broken")
    assert LINE.fullmatch(terminal.getvalue().rstrip("\n"))


def test_console_and_file_together(tmp_path):
    stream = io.StringIO()
    logs.configure("info", file=tmp_path / "a.log", stream=stream)
    logs.get_logger("x").info("both")
    assert stream.getvalue() == (tmp_path / "a.log").read_text()


def test_other_libraries_are_heard(tmp_path):
    path = tmp_path / "a.log"
    logs.configure("debug", json_output=True, file=path, console=False)
    logging.getLogger("somebody.else").warning("with %s", "arguments")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("deprecated", UserWarning, stacklevel=1)
    found = objects(path)
    assert found[0]["component"] == "somebody.else"
    assert found[0]["message"] == "with arguments"
    assert "deprecated" in found[1]["message"]


def test_logging_never_raises(tmp_path):
    class Rude:
        def __str__(self) -> str:
            raise RuntimeError("no")

    for json_output in (False, True):
        logs.configure("info", file=tmp_path / "a.log", console=False, json_output=json_output)
        logs.get_logger("x").info("fine", value=Rude())
        logs.get_logger("x").info("after")
    if Path("/dev/full").exists():
        logs.configure("info", file=Path("/dev/full"), console=False)
        logs.get_logger("x").error("the disk is full")
    assert (tmp_path / "a.log").read_text().count("after") == 2


# -- storms ------------------------------------------------------------------------------------


def test_a_million_equal_warnings_are_counted(tmp_path):
    """The limit itself over a million lines of ten minutes, and the whole road over 20,000."""
    limit = StormLimit()
    key = (30, "ludus.x", "the same")
    written = told = 0
    for number in range(1_000_000):
        left_out = limit.take(key, number * 600 / 1_000_000)
        if left_out is not None:
            written, told = written + 1, told + left_out
    told += sum(count for _, count in limit.due(600.0, end=True))
    assert written <= REPEATS + 10
    assert written + told == 1_000_000

    path = tmp_path / "a.log"
    logs.configure("info", file=path, console=False)
    for _ in range(20_000):
        logs.get_logger("x").warning("the same")
    logs.close()
    found = lines(path)
    assert len(found) == REPEATS + 1
    assert "left out 19995 more of: the same" in found[-1]
    assert path.stat().st_size < 1000


def test_a_storm_of_different_lines_is_bounded_too():
    limit = StormLimit()
    seconds, written = 3600, 0
    for number in range(300_000):
        key = (30, "ludus.x", f"file {number}")
        written += limit.take(key, number * seconds / 300_000) is not None
        limit.due(number * seconds / 300_000)
    assert BURST <= written <= BURST + 2 * seconds + 1
    left_out = 300_000 - written
    assert sum(count for _, count in limit.due(seconds, end=True)) <= left_out


def test_what_was_left_out_is_told_by_the_next_line(tmp_path):
    limit = StormLimit()
    for _ in range(100):
        limit.take((30, "x", "m"), 0.0)
    assert limit.take((30, "x", "m"), 59.0) is None
    assert limit.take((30, "x", "m"), 60.0) == 96
    assert limit.take((30, "x", "other"), 60.0) == 0


# -- files -------------------------------------------------------------------------------------


def test_names_of_logs_are_times_and_unique(tmp_path):
    when = datetime(2026, 11, 20, 10, 11, 12, tzinfo=UTC)
    names = [logs.new_log(tmp_path, now=when).name for _ in range(3)]
    assert names == [
        "training_20261120_101112.log",
        "training_20261120_101112-2.log",
        "training_20261120_101112-3.log",
    ]
    assert re.fullmatch(r"training_\d{8}_\d{6}\.log", logs.new_log(tmp_path).name)


def test_the_newest_ten_logs_are_kept(tmp_path):
    (tmp_path / "training_123-abc.log").touch()  # as earlier versions named them
    (tmp_path / "events.ndjson").touch()
    for second in range(12):
        logs.new_log(tmp_path, now=datetime(2026, 1, 1, 0, 0, second // 2, tzinfo=UTC))
    kept = sorted(path.name for path in tmp_path.glob("training_*"))
    assert len(kept) == logs.LOGS_KEPT
    assert "training_20260101_000000.log" not in kept
    assert {"training_20260101_000005.log", "training_20260101_000005-2.log"} <= set(kept)
    assert (tmp_path / "events.ndjson").exists()


CRASH = """
import os, sys
from pathlib import Path
from ludus import logs
path = logs.new_log(Path(sys.argv[1]))
logs.redirect_stderr(path)
logs.configure("info", file=path, console=False)
logs.get_logger("x").info("before")
os.write(2, b"from native code\\n")
import faulthandler
faulthandler._sigsegv()
"""


def test_a_native_crash_is_in_the_log(tmp_path):
    script = tmp_path / "crash.py"
    script.write_text(CRASH)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        capture_output=True,
    )
    assert done.returncode < 0
    (path,) = tmp_path.glob("training_*.log")
    text = path.read_text()
    assert text.index("x: before") < text.index("from native code")
    assert "Fatal Python error: Segmentation fault" in text
    assert "crash.py" in text


# -- the house ---------------------------------------------------------------------------------


def test_shortcuts_write_to_stderr(capsys):
    logs.log_error_to_stderr("runs", "a")
    logs.log_warning_to_stderr("runs", "b")
    logs.log_info_to_stderr("runs", "c")
    found = [LINE.fullmatch(line).groups() for line in capsys.readouterr().err.splitlines()]
    assert found == [("error", "runs", "a"), ("warning", "runs", "b"), ("info", "runs", "c")]


def test_warnings_reach_stderr_without_configuration(tmp_path):
    code = "from ludus.logs import get_logger as g; g('x').info('no'); g('x').warning('yes')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert LINE.fullmatch(done.stderr.rstrip("\n")).groups() == ("warning", "x", "yes")


def test_commands_do_not_pay_for_structlog():
    code = (
        "import sys, ludus.cli.main, ludus.runs, ludus.training.supervisor; "
        "sys.exit('structlog' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )


def diagnostics(tree: ast.AST) -> list[str]:
    """Ways around the facility: print() and loggers of Python's own."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "print",
            "logging.getLogger",
            "traceback.print_exc",
        ):
            found.append(f"{ast.unparse(node.func)}() in line {node.lineno}")
    return found


def test_the_search_for_prints_finds():
    assert diagnostics(ast.parse("def f():\n    print('x')"))
    assert diagnostics(ast.parse("_LOG = logging.getLogger('x')"))
    assert not diagnostics(ast.parse("console.print('x')\n_print(1)"))


def test_nothing_prints_beside_the_facility(repository):
    source = repository / "src" / "ludus"
    found = {
        path.relative_to(source).as_posix(): calls
        for path in source.rglob("*.py")
        # The command line shows a fault of its own where no log may be.
        if path.parent.name != "logs"
        and path != source / "cli" / "main.py"
        and (calls := diagnostics(ast.parse(path.read_text("utf-8"))))
    }
    assert not found
