"""Engines of the tests: Ludus itself, and programs that misbehave."""

import os
import shlex
import sys
import time
from pathlib import Path

import pytest

BAD = Path(__file__).with_name("bad_engine.py")


@pytest.fixture
def bad():
    """Specification of an engine that misbehaves."""

    def spec(protocol, what, *at, **options):
        command = [sys.executable, "-I", "-S", str(BAD), protocol, what, *at]
        more = "".join(f",{key}={value}" for key, value in options.items())
        return f"{protocol}:{shlex.join(command)}{more}"

    return spec


@pytest.fixture
def ludus():
    """Specification of Ludus as an engine."""

    def spec(player, protocol, *arguments, **options):
        command = [sys.executable, "-m", "ludus.cli", "engine", player, "--protocol", protocol]
        more = "".join(f",{key}={value}" for key, value in options.items())
        return f"{protocol}:{shlex.join([*command, *arguments])}{more}"

    return spec


def alive(mark):
    """Processes whose command line has a mark, and zombies of this process."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            with open(f"/proc/{entry.name}/cmdline", "rb") as file:
                line = file.read()
            with open(f"/proc/{entry.name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue  # it has just ended
        if mark.encode() in line or (state == b"Z" and int(parent) == os.getpid()):
            found.append(int(entry.name))
    return found


def wait_for(condition, seconds=10.0):
    """Whether a condition comes true, soon."""
    deadline = time.monotonic() + seconds
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return true


@pytest.fixture(autouse=True)
def nothing_is_left():
    """No test leaves a process behind."""
    yield
    assert wait_for(lambda: not alive("bad_engine.py"))
