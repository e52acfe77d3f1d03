"""The systemd unit: what systemd says of it, what its installer does, what its signals do."""

import configparser
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.training.tiny import SETTINGS, command, environment

from ludus.runs import Run

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
INSTALL = UNITS / "install"

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here"
)


def unit_of(path: Path) -> configparser.ConfigParser:
    """A unit; keys that may come twice keep their last value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return parser


def install(root: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, str(INSTALL), "--root", str(root), *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that stands for a machine on which Ludus has been set up."""
    program = tmp_path / "opt/ludus/.venv/bin/ludus"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


UNIT = "etc/systemd/system/ludus@.service"


@needs_analyze
@pytest.mark.parametrize("name", ["ludus@.service", "ludus-user@.service"])
def test_systemd_finds_nothing_wrong(name: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` wants the program to be there, so it gets one that is."""
    text = (UNITS / name).read_text()
    text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text)
    # The manual page or file that Documentation= names belongs to the machine of the user.
    copy = tmp_path / "ludus@.service"
    copy.write_text(text)
    mode = "--user" if "user" in name else "--system"
    done = subprocess.run(
        ["systemd-analyze", "verify", mode, "--recursive-errors=no", str(copy)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    said = [line for line in done.stderr.splitlines() if "ludus" in line]
    assert not said
    assert done.returncode == 0, done.stderr


@needs_analyze
def test_systemd_finds_little_exposed() -> None:
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=20",
            str(UNITS / "ludus@.service"),
        ],
        capture_output=True,
        text=True,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= 2.0
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["ludus@.service", "ludus-user@.service"])
def test_the_unit_agrees_with_the_program(name: str) -> None:
    """Exit codes, signals and times are those that the program has."""
    service = unit_of(UNITS / name)["Service"]
    assert service["RestartPreventExitStatus"].split() == ["2", "3"]
    assert service["SuccessExitStatus"] == "3"
    assert service["Restart"] == "on-failure"
    # A second SIGTERM means "at once": only the supervisor may get the first.
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) >= 60
    assert "MemoryDenyWriteExecute" not in service
    words = service["ExecStart"].split()
    assert words[0].endswith("/.venv/bin/ludus")
    assert words[1] == "train"
    assert "--run" in words


@pytest.mark.slow
def test_the_line_of_the_unit_trains_and_its_signal_commits(tmp_path: Path) -> None:
    """What ExecStart starts ends with 0 after one SIGTERM, long before TimeoutStopSec."""
    service = unit_of(UNITS / "ludus@.service")["Service"]
    run = tmp_path / "runs" / "yatzy"
    words = service["ExecStart"].replace("%i", "yatzy").replace("/var/lib/ludus", str(tmp_path))
    arguments = words.split()[1:]
    assert arguments[1] == "${LUDUS_RECIPE}"  # by default the instance
    arguments[1] = "yatzy"
    assert arguments[-1] == "$LUDUS_ARGS"
    more = [part for one in SETTINGS for part in ("--set", one)]
    process = subprocess.Popen(
        command(*arguments[:-1], *more, "--iterations", "500"),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 60
        while not list((run / "manifests").glob("000004.json")) and time.monotonic() < deadline:
            time.sleep(0.1)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        took = time.monotonic() - begun
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, said
    assert took < int(service["TimeoutStopSec"]) / 4
    opened = Run.open(run, write=False)
    assert opened.counters["selfplay_games"] > 0
    assert not list(run.glob("quarantine/*"))


def test_an_installation_from_beginning_to_end(machine: Path) -> None:
    text = install(machine, "--dry-run")
    assert "would write" in text
    assert not (machine / "etc").exists()
    install(machine)
    unit = machine / UNIT
    first = unit.read_text()
    assert "ExecStart=/opt/ludus/.venv/bin/ludus train" in first
    assert (machine / "var/lib/ludus/runs").is_dir()
    assert "is up to date" in install(machine)
    assert unit.read_text() == first
    # A newer template replaces an untouched unit, here one with other paths.
    install(machine, "--state", "/srv/ludus")
    moved = unit.read_text()
    assert "ReadWritePaths=/srv/ludus /var/cache/ludus" in moved
    assert "StateDirectory=" not in re.sub(r"StateDirectoryMode=", "", moved)
    (machine / "var/lib/ludus/runs/mine").mkdir()
    install(machine, "--uninstall")
    assert not unit.exists()
    assert (machine / "var/lib/ludus/runs/mine").is_dir()
    assert "there is no" in install(machine, "--uninstall")


def test_a_unit_that_was_changed_is_never_replaced_silently(machine: Path) -> None:
    install(machine)
    unit = machine / UNIT
    changed = unit.read_text().replace("Nice=5", "Nice=10")
    unit.write_text(changed)
    for arguments in ((), ("--uninstall",), ("--state", "/srv/ludus")):
        assert "was changed by hand" in install(machine, *arguments, code=2)
        assert unit.read_text() == changed
    install(machine, "--force")
    assert unit.with_name("ludus@.service.before").read_text() == changed
    assert "Nice=5" in unit.read_text()


def test_mistakes_get_one_sentence(tmp_path: Path) -> None:
    assert "./ludus setup" in install(tmp_path, code=2)
    assert "absolute path" in install(tmp_path, "--state", "relative", code=2)
    assert "absolute path" in install(tmp_path, "--app", "/opt/%n", code=2)
    assert "no name of a user" in install(tmp_path, "--user", "Root;", code=2)


@needs_analyze
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed here")
def test_training_needs_no_system_call_that_the_unit_forbids(tmp_path: Path) -> None:
    def members(name: str) -> set[str]:
        listed = subprocess.run(
            ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
        ).stdout
        found: set[str] = set()
        for line in map(str.strip, listed.splitlines()[1:]):
            if line and not line.startswith("#"):
                found |= members(line) if line.startswith("@") else {line}
        return found

    text = (UNITS / "ludus@.service").read_text()
    allowed: set[str] = set()
    for one in re.findall(r"(?m)^SystemCallFilter=(.+)$", text):
        for name in one.removeprefix("~").split():
            allowed = allowed - members(name) if one.startswith("~") else allowed | members(name)
    counts = tmp_path / "counts"
    more = [part for one in SETTINGS for part in ("--set", one)]
    subprocess.run(
        [
            *("strace", "-f", "-qq", "-c", "-o", str(counts)),
            *command("train", "yatzy", "--run", str(tmp_path / "run"), *more),
            *("--iterations", "1"),
        ],
        env=environment(),
        check=True,
        capture_output=True,
    )
    rows = re.findall(r"(?m)^\s+[\d.]+ .* (\w+)$", counts.read_text())
    used = set(rows) - {"total"}
    assert len(used) > 30
    assert not used - allowed
