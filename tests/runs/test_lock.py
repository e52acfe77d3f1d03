"""The lock of a run belongs to one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.runs.helpers import new_run

from ludus.errors import RunLockedError
from ludus.runs import lock_holder

FORKING = """
import os, sys, time
from pathlib import Path
from ludus.runs.lock import RunLock
lock = RunLock.acquire(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    sys.stdin.readline()  # outlives its parent
    os._exit(0)
print(os.getpid(), flush=True)
"""


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    # A library that forks (telemetry did) once kept a dead trainer's run in use.
    process = subprocess.Popen(
        [sys.executable, "-c", FORKING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().strip() == str(process.pid)
    assert process.wait(timeout=30) == 0
    try:
        assert lock_holder(tmp_path) is None
    finally:
        process.stdin.close()
        process.stdout.close()


HOLDING = """
import sys
from tests.runs.helpers import new_run
with new_run(__import__("pathlib").Path(sys.argv[1])):
    print("made", flush=True)
    sys.stdin.readline()
"""


def test_who_comes_too_late_to_a_birth_is_told_who_was_first(tmp_path):
    # Eight starts at once: those that had found no run said only that there is one now.
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"},
    )
    try:
        assert process.stdout.readline() == "made\n"
        with pytest.raises(RunLockedError, match=f"in use by process {process.pid} on"):
            new_run(tmp_path / "run")
    finally:
        process.communicate()
