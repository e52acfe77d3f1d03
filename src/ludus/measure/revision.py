"""Another revision of this clone, checked out beside it and built for measuring."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ludus.errors import UserError


@dataclass(frozen=True)
class Checkout:
    """A revision that can be measured, and what to measure it against.

    Attributes:
        commit: full name of the commit.
        root: the work tree; gone when the context ends.
        own_core: the compiled core of the clone itself, built by the same command: one that was
            built otherwise (without link-time optimisation, say) would look like a change.
    """

    commit: str
    root: Path
    own_core: Path

    @property
    def source(self) -> Path:
        """Where its package is imported from."""
        return self.root / "src"


def find_commit(root: Path, revision: str) -> str:
    """Full name of the commit that a revision names.

    Raises:
        UserError: no git, no clone, or no such revision.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top.returncode != 0 or Path(top.stdout.strip()).resolve() != root.resolve():
        raise UserError(
            f"{root} is no git clone, so --against {revision} finds no revision; name the report "
            "of an earlier ludus bench --json instead"
        )
    found = _git(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"
    )
    if found.returncode != 0:
        raise UserError(f"--against {revision}: there is no such file and no such revision")
    return found.stdout.strip()


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise UserError("comparing with a revision needs git, which is not to be found") from None


@contextlib.contextmanager
def checked_out(root: Path, commit: str, note: Callable[[str], None]) -> Iterator[Checkout]:
    """A work tree of the commit below ``build/bench``, with its core built for this Python.

    The work tree goes when the context ends. The core is kept, by commit, Python and processor, so
    that the next comparison with the same commit starts at once.

    Args:
        root: the clone.
        commit: as of :func:`find_commit`.
        note: told what takes long.

    Raises:
        UserError: it cannot be checked out or built, or another comparison is under way.
    """
    place = root / "build" / "bench"
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place / "lock"):
        for left in place.glob("tree-*"):  # of a process that was killed
            _remove(root, left)
        tree = Path(tempfile.mkdtemp(prefix=f"tree-{commit[:12]}-", dir=place))
        try:
            added = _git(root, "worktree", "add", "--detach", "--force", str(tree), commit)
            if added.returncode != 0:
                why = (added.stderr.strip().splitlines() or ["git worktree failed"])[-1]
                raise UserError(f"revision {commit[:12]} cannot be checked out: {why}")
            _provide_core(place, tree, commit, note)
            note("building the working tree in the same way ...")
            own = _build(root, place / "own", place / "own.log", "the working tree")
            yield Checkout(commit, tree, own)
        finally:
            _remove(root, tree)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                "another ludus bench --against is measuring here; both would measure each other"
            ) from None
        yield


def _remove(root: Path, tree: Path) -> None:
    _git(root, "worktree", "remove", "--force", "--force", str(tree))
    shutil.rmtree(tree, ignore_errors=True)
    _git(root, "worktree", "prune")


def _key(commit: str) -> str:
    """Of a compiled core: commit, interpreter, processor."""
    features = ""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        features = next((line for line in file if line.startswith(("flags", "Features"))), "")
    parts = (sys.prefix, sys.version, str(sysconfig.get_config_var("EXT_SUFFIX")), features)
    return f"core-{commit[:12]}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}"


def _provide_core(place: Path, tree: Path, commit: str, note: Callable[[str], None]) -> None:
    """Put the compiled core into the tree, from the cache or from a build."""
    kept = place / _key(commit)
    package = tree / "src" / "ludus"
    cores = list(kept.glob("_core*")) if kept.is_dir() else []
    if cores:
        for core in cores:
            shutil.copy2(core, package / core.name)
        return
    note(f"building revision {commit[:12]} (once; a minute or more) ...")
    log = place / f"{commit[:12]}.log"
    core = _build(tree, tree / "build" / "bench", log, f"revision {commit[:12]}")
    shutil.copy2(core, package / core.name)
    unfinished = Path(tempfile.mkdtemp(prefix="new-", dir=place))
    shutil.copy2(core, unfinished / core.name)
    unfinished.rename(kept)


def _build(source: Path, folder: Path, log: Path, title: str) -> Path:
    """Compile the core of a source tree; the file of the module."""
    commands = (
        [
            *(_tool("cmake"), "-S", str(source), "-B", str(folder), "-G", "Ninja"),
            f"-DCMAKE_MAKE_PROGRAM={_tool('ninja')}",
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DPython_EXECUTABLE={sys.executable}",
        ],
        [_tool("cmake"), "--build", str(folder), "--target", "_core"],
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    with log.open("wb") as file:
        for command in commands:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                check=False,
            )
            if done.returncode != 0:
                raise UserError(f"{title} does not build here; the log is {log}")
    built = sorted(path for path in folder.glob("_core*") if path.suffix in (".so", ".pyd"))
    if not built:
        raise UserError(f"the build of {title} left no core; the log is {log}")
    return built[0]


def _tool(name: str) -> str:
    """A build tool of the environment, or else of the system.

    Raises:
        UserError: there is none.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise UserError(f"building a revision needs {name}, which is not to be found")
    return found
