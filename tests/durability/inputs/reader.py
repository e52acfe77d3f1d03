"""A process that reads hostile files under guard, one after the other, as it is told on stdin.

The guard notices whatever runs code that is not of Ludus, starts a process, connects, or writes
outside the run: by the audit events of Python, before it happens.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.durability.inputs.corpus import CANARY, corpus
from tests.durability.inputs.loading import AcceptedError, Place, places, sound_run

from ludus.errors import LudusError

MEMORY = 64 << 20
"""Bytes that reading a hostile file may take besides."""
SECONDS = 1.0
"""Of processor time that it may take."""
_ROOM = 768 << 20
_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "pickle.find_class",
    "ctypes.dlopen",
    "pty.spawn",
    "webbrowser.open",
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Guard:
    """The audit hook.

    Attributes:
        seen: what was attempted since it was armed.
        asleep: whether it is not to be armed yet.
    """

    def __init__(self, inside: Path) -> None:
        self.seen: list[str] = []
        self._armed = False
        self.asleep = True
        self._inside = (os.path.realpath(inside), "/dev/null")
        self._known: frozenset[str] = frozenset()
        sys.addaudithook(self._hook)

    def arm(self) -> None:
        """From now on it looks."""
        self.seen.clear()
        self._known = frozenset(name.partition(".")[0] for name in sys.modules)
        self._armed = not self.asleep

    def disarm(self) -> list[str]:
        """What was seen."""
        self._armed = False
        return list(self.seen)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._armed:
            return
        what: str | None = None
        if event in _FORBIDDEN:
            what = f"{event} {args!r:.120}"
        elif event == "import":
            top = str(args[0]).partition(".")[0]
            if top not in self._known and top not in sys.stdlib_module_names:
                what = f"import of {args[0]}"
        elif event in ("compile", "exec") and not _importing():
            what = f"{event} {args!r:.120}"
        elif event == "open":
            what = self._opened(*args)
        if what is not None:
            self.seen.append(what)
            raise PermissionError(f"the guard forbids {what}")

    def _opened(self, path: Any, mode: Any, flags: Any) -> str | None:
        writes = bool(isinstance(flags, int) and flags & _WRITES)
        if not writes or not isinstance(path, str | bytes):
            return None
        real = os.path.realpath(os.fsdecode(path))
        return None if real.startswith(self._inside) else f"open for writing of {real}"


def _importing() -> bool:
    """Whether the import system works just now, for a module that may be imported."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _peak() -> tuple[int, int]:
    """Bytes now resident, and the most since :func:`_reset`."""
    found = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            found[name] = int(value.split()[0]) << 10
    return found["VmRSS"], found["VmHWM"]


def _reset() -> None:
    """Forget the peak."""
    Path("/proc/self/clear_refs").write_text("5")


def try_one(place: Place, name: str, make: Callable[[Path], None], run: Path, guard: Guard) -> str:
    """Put a hostile file in its place and read; a sentence if that went wrong, else nothing."""
    target = run / place.file
    target.parent.mkdir(exist_ok=True)
    if target.is_file() or target.is_symlink():
        target.unlink()
    make(target)
    canary = Path(os.environ[CANARY])
    limit = int(time.process_time()) + 20
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    _reset()
    before, _ = _peak()
    began = time.process_time()
    guard.arm()
    wrong = ""
    try:
        place.read(run, name)
    except LudusError:
        pass
    except AcceptedError as error:
        wrong = f"torn: {error}"
    except BaseException as error:  # noqa: BLE001 - whatever is raised is the finding
        wrong = f"other: {type(error).__name__}: {str(error)[:160]}"
    finally:
        seen = guard.disarm()
    took, peak = time.process_time() - began, _peak()[1]
    if seen or canary.exists():
        canary.unlink(missing_ok=True)
        return f"code: {seen[0] if seen else 'the mark of a hostile file was found'}"
    if wrong:
        return wrong
    if took > SECONDS:
        return f"other: it took {took:.1f} s of processor time"
    if peak - before > MEMORY:
        return f"other: it took {(peak - before) >> 20} MiB of memory"
    return ""


def _discard(run: Path) -> None:
    """Remove a run in which anything may lie."""
    for folder, _, _ in os.walk(run):
        if not stat.S_ISLNK(os.lstat(folder).st_mode):
            os.chmod(folder, 0o700)
    shutil.rmtree(run)


def main() -> None:
    """Answer lines of [place, hostile file] with a line of what went wrong."""
    folder = Path(sys.argv[1])
    os.environ[CANARY] = str(folder / "canary")
    sound = folder / "sound"
    sound_run(sound)
    here, there = {place.name: place for place in places(sound)}, corpus()
    guard = Guard(folder)
    run = folder / "work" / "run"
    for place in here.values():  # once each with a plain file, so that all is imported
        shutil.copytree(sound, run)
        try_one(place, "warm", lambda path: path.write_bytes(b"x") and None, run, guard)
        _discard(run.parent)
    guard.asleep = False
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + _ROOM, size + _ROOM))
    print(json.dumps({"places": list(here), "files": list(there)}), flush=True)
    for line in sys.stdin:
        place, name = json.loads(line)
        shutil.copytree(sound, run)
        wrong = try_one(here[place], name, there[name], run, guard)
        _discard(run.parent)
        print(json.dumps(wrong), flush=True)


if __name__ == "__main__":
    main()
