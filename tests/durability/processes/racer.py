"""A process of the experiment ``starts``: it takes the run when told to, and says how that went."""

from __future__ import annotations

import os
import sys
import time

from tests.runs.helpers import commit

from ludus.errors import RunLockedError
from ludus.runs import Run

_CHILD = "import time; time.sleep(600)"


def runner(run: str) -> None:
    """The process: for each ``go`` take the run; ``child`` starts processes that outlive it."""
    taken: Run | None = None
    print("ready", flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "go":
            try:
                taken = Run.open(run, write=True)
                print(f"won {os.getpid()}", flush=True)
            except RunLockedError as error:
                print(f"lost {error}", flush=True)
        elif word == "commit" and taken is not None:
            number = len(taken.iterations)
            commit(taken, number)
            print(f"made {number}", flush=True)
        elif word == "fork":
            child = os.fork()
            if not child:  # forked by some library: it must not hold the lock of its parent
                time.sleep(600)
            print(f"child {child}", flush=True)
        elif word == "spawn":  # not through subprocess, which closes everything
            child = os.posix_spawn(sys.executable, [sys.executable, "-c", _CHILD], os.environ)
            print(f"child {child}", flush=True)
        elif word == "close" and taken is not None:
            taken.close()
            taken = None
            print("closed", flush=True)


if __name__ == "__main__":
    runner(sys.argv[1])
