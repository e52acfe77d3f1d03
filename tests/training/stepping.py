"""A real loop on a real run directory, whose phases play nothing, driven unit by unit."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

from tests.training.tiny import request

from ludus.runs import DurabilityError, Run
from ludus.training import loop as loop_module
from ludus.training.birth import open_session
from ludus.training.guards import GuardState, Hold
from ludus.training.loop import Loop
from ludus.training.messages import Sender
from ludus.training.network_session import NetworkSession

UNITS = 2
"""Units of a phase."""


class Killed(BaseException):
    """The process is gone at this very point."""


class IdlePhase:
    """A phase of a few units in which nothing is played."""

    def __init__(self, session, saved):
        self.name = session.phase
        self.done = 0 if saved is None else saved["done"]
        session.record.setdefault(self.name, {})

    def advance(self, seconds):
        self.done += 1
        return self.done < UNITS

    def save(self):
        return {}, {"done": self.done}

    def view(self):
        return {"done": self.done, "total": UNITS, "unit": "units"}

    def finish(self):
        pass

    def close(self):
        pass


class HoldingGuard:
    """Holds the run when told to, until a resume; or finds a disk that is beyond help."""

    name = "test"

    def __init__(self):
        self.asked = False
        self.broken = False

    def look(self, moment):
        if self.broken:
            raise DurabilityError("the disk is gone")
        if self.asked:
            self.asked = False
            raise Hold(self.name, "as asked")

    def resumed(self, moment):
        pass

    def state(self):
        return GuardState(self.name, "ok", "")


class VirtualTime:
    """``time`` for the loop: nothing waits."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def sleep(self, seconds):
        pass


class Stepper:
    """A run that is trained in a thread, one unit at a time.

    Attributes:
        path: the run directory.
        ending: of the loop; None while it works, or when it was killed.
        killed: whether it was.
        failed: the error that ended it, if one did.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session = None
        self.ending = None
        self.killed = False
        self.failed = None
        self.fault = None
        self.notices = []
        self._interrupt = False
        self._go, self._there = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = None

    @property
    def alive(self):
        return self._thread is not None

    def start(self, *, restart=False):
        """Take the run up and work to the first unit's end."""
        if not restart:
            self.asked = request(self.path)
        asked = self.asked
        if restart:
            asked.restarts.append({"reason": "test", "cause": "crash", "lost_seconds": 0.0})
        self.session = open_session(asked, lambda text: None)
        self.notices = list(self.session.run.notices)
        self.session.run.cadence.seconds = 3600.0
        self.ending, self.killed, self.fault, self._interrupt = None, False, None, False
        self.failed = None
        self.guard = HoldingGuard()
        self._arm()
        self.loop = loop = Loop(self.session, asked, Sender(None), self._stop_asked)
        loop._guards = [*loop._guards, self.guard]
        self._thread = threading.Thread(target=self._work, args=(loop,))
        self._thread.start()
        self._wait()

    def _arm(self):
        """Places at which the process can be killed."""
        run = self.session.run
        commit, done, save = run.commit, run.control.done, run.save_checkpoint

        def cut(place, action):
            def with_cut(*arguments, **named):
                if self.fault == f"before_{place}":
                    raise Killed
                result = action(*arguments, **named)
                if self.fault == f"after_{place}":
                    raise Killed
                return result

            return with_cut

        run.commit = cut("commit", commit)
        run.control.done = cut("clearing", done)
        run.save_checkpoint = cut("checkpoint", save)

    def _work(self, loop):
        try:
            self.ending = loop.run()
        except Killed:
            self.killed = True
        except DurabilityError as error:
            self.failed = error
        finally:
            self.session.run.close()
            self._there.release()

    def _stop_asked(self):
        self._there.release()
        self._go.acquire()
        if self.fault == "unit":
            raise Killed
        return self._interrupt

    def _wait(self):
        assert self._there.acquire(timeout=30)
        if self.ending is not None or self.killed or not self._thread.is_alive():
            self._thread.join()
            self._thread = None

    def step(self, *, interrupt=False, fault=None):
        """One unit, which may end in an interrupt or a kill."""
        self._interrupt, self.fault = interrupt, fault
        self._go.release()
        self._wait()
        self.fault = None

    def time_is_up(self):
        """As if the minutes of the request were over at the end of the next unit."""
        self.loop._request = replace(self.loop._request, minutes=0.0)
        self.loop._end = 0.0

    def close(self):
        """End what still works."""
        if self.alive:
            self.step(fault="unit")


def fresh_run(template: Path, path: Path) -> Path:
    """A copy of a run that was just made."""
    shutil.copytree(template, path)
    return path


def play_nothing(monkeypatch) -> None:
    """Let the phases of the loop play nothing, and nothing wait."""
    monkeypatch.setattr(
        NetworkSession, "make_phase", lambda self, name, saved: IdlePhase(self, saved)
    )
    monkeypatch.setattr(loop_module, "time", VirtualTime(loop_module.time))


def progress(path: Path) -> dict:
    """That of the newest commit."""
    return Run.open(path, write=False).manifest.progress
