"""The lock of a run belongs to one process."""

import subprocess
import sys

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
