"""Taking a run off the disk, or what of it nobody needs.

A deletion begins with one rename: ``manifests`` becomes ``manifests.deleted``. From then on the
directory is no run, whatever else is still there, and never again looks like a healthy one; a
deletion that was killed is finished by the next one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ludus.errors import LudusError, RunError
from ludus.runs import layout
from ludus.runs.checkpoints import list_checkpoints
from ludus.runs.lock import RunLock
from ludus.runs.objects import SaveError, fsync_directory
from ludus.runs.recovery import newest_readable
from ludus.runs.sizes import part_sizes

MARK = "manifests.deleted"
"""Where a deleted run keeps its manifests until everything else is gone."""

_KEEP = "keep-checkpoints"
"""File beside the manifests: a deletion that is finished later keeps what the first one kept."""

_REPORTS = "reports"


@dataclass(frozen=True)
class Removed:
    """What a removal did.

    Attributes:
        bytes: freed.
        files: removed.
        kept: what is left of the directory, paths below it; empty if it is gone.
    """

    bytes: int
    files: int
    kept: tuple[str, ...] = ()


def half_deleted(path: str | Path) -> bool:
    """Whether a deletion of a run began here and did not end."""
    return (Path(path) / MARK).is_dir() and not layout.is_run(Path(path))


def require_deletable(path: str | Path) -> Path:
    """Return the directory, or refuse what is no run and no half-deleted one.

    Raises:
        RunError: no directory, a link, no run, or a link among its folders that leads elsewhere.
    """
    run = Path(path)
    if run.is_symlink():
        raise RunError(f"{run} is a link: name the run directory that it points at")
    if not half_deleted(run):
        layout.require_run(run)
    return run


def delete_run(path: str | Path, *, keep_checkpoints: bool = False) -> Removed:
    """Remove a run, or finish a removal that was interrupted.

    Args:
        path: the run directory.
        keep_checkpoints: leave ``checkpoints/permanent`` as it is; nothing else of the run stays.

    Raises:
        RunError: it is no run.
        RunLockedError: somebody trains it.
        SaveError: the disk refused; what is left is no run, and can be deleted again.
    """
    run = require_deletable(path)
    lock = RunLock.acquire(run)
    try:
        before = part_sizes(run)
        count = _count(run)
        if layout.is_run(run):
            _mark(run, keep_checkpoints)
        keep = {layout.PERMANENT} if keep_checkpoints or _noted(run) else set()
        for name in sorted({Path(part).parts[0] for part in layout.SUBDIRECTORIES}):
            if name != layout.MANIFESTS:
                _remove_tree(run, name, keep)
        for name in layout.FILES:
            _unlink(run / name)
        for name in os.listdir(run):
            if name.startswith(".") and name.endswith(".tmp"):
                _unlink(run / name)
        _remove_tree(run, layout.MANIFESTS, set())
        _remove_mark(run)
        left = sorted(_left(run))
        if not left:
            _remove_directory(run)
    finally:
        lock.release()
    after = sum(part_sizes(run).values()) if run.exists() else 0
    files = count - (_count(run) if run.exists() else 0)
    return Removed(sum(before.values()) - after, files, tuple(left))


def _mark(run: Path, keep_checkpoints: bool) -> None:
    """From here on it is no run; flushed, so that a power cut cannot bring half of one back."""
    note = run / layout.MANIFESTS / _KEEP
    try:
        note.touch() if keep_checkpoints else note.unlink(missing_ok=True)
        os.rename(run / layout.MANIFESTS, run / MARK)
    except OSError as error:
        raise SaveError(f"{run} could not be deleted: {error.strerror}") from error
    fsync_directory(run)


def _noted(run: Path) -> bool:
    """Whether an earlier deletion was told to keep the checkpoints, or had done all but the end."""
    return (run / MARK / _KEEP).exists() or not os.listdir(run / MARK)


def _remove_mark(run: Path) -> None:
    """The last step; the note goes after all else, so that an empty mark means: nearly done."""
    for name in sorted(os.listdir(run / MARK)):
        if name != _KEEP:
            _unlink(run / MARK / name)
    _unlink(run / MARK / _KEEP)
    try:
        (run / MARK).rmdir()
    except OSError as error:
        raise _failed(run / MARK, error) from error


def _remove_tree(run: Path, name: str, keep: Collection[str]) -> None:
    """Remove a folder of the run, without those below it that are to be kept."""
    path = run / name
    if path.is_symlink():
        _unlink(path)  # what it points at is not the run's
        return
    try:
        for folder, folders, names in os.walk(path, topdown=True):
            relative = os.path.relpath(folder, run)
            folders[:] = [one for one in folders if f"{relative}/{one}" not in keep]
            for one in names:
                _unlink(Path(folder) / one)
            for one in [one for one in folders if (Path(folder) / one).is_symlink()]:
                _unlink(Path(folder) / one)
        for folder, _, _ in os.walk(path, topdown=False):
            if not os.listdir(folder):
                os.rmdir(folder)
    except OSError as error:
        raise _failed(run, error) from error


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _failed(path, error) from error


def _remove_directory(run: Path) -> None:
    try:
        run.rmdir()
    except OSError as error:
        raise _failed(run, error) from error


def _failed(path: Path, error: OSError) -> SaveError:
    return SaveError(
        f"{path} could not be removed: {error.strerror}; delete the run again to finish"
    )


def _left(run: Path) -> list[str]:
    """What is still there: kept checkpoints, and files that no run has."""
    found = []
    for folder, folders, names in os.walk(run):
        if not folders and not names and Path(folder) != run:
            found.append(os.path.relpath(folder, run) + "/")
        found += [os.path.relpath(os.path.join(folder, name), run) for name in names]
    return found


def _count(run: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(run))


# -- what nobody needs ------------------------------------------------------------------------


@dataclass(frozen=True)
class Waste:
    """Files that a run does not need to go on.

    Attributes:
        part: ``quarantine``, ``reports`` or ``cache``.
        path: below the run directory.
        bytes: of the file, or of all files of the folder.
    """

    part: str
    path: str
    bytes: int


def find_waste(path: str | Path, old_reports: Sequence[str] = ()) -> list[Waste]:
    """What can go without harm.

    These are all of ``quarantine/``, the reports named, and the checkpoints of the cache but for
    the newest and that of the champion. A run goes on from its manifests, never from these.

    Args:
        path: the run directory.
        old_reports: folders below ``reports/`` that may go.

    Raises:
        RunError: no run.
    """
    run = layout.require_run(Path(path))
    found = [
        Waste("quarantine", f"{layout.QUARANTINE}/{name}", _size(run / layout.QUARANTINE / name))
        for name in _names(run / layout.QUARANTINE)
    ]
    found += [
        Waste("reports", f"{_REPORTS}/{name}", _size(run / _REPORTS / name)) for name in old_reports
    ]
    needed = _needed_checkpoints(run)
    found += [
        Waste("cache", entry.path, entry.size)
        for entry in list_checkpoints(run)
        if entry.where == "cache" and entry.path not in needed
    ]
    return found


def _needed_checkpoints(run: Path) -> set[str]:
    whole = [entry.path for entry in list_checkpoints(run) if entry.error is None]
    needed = set(whole[-1:])
    try:
        champion = newest_readable(run).progress.get("champion_checkpoint")
    except LudusError:
        return set(whole)  # nobody knows what the champion's is: all stay
    if isinstance(champion, str):
        needed.add(champion)
    return needed


def remove_waste(path: str | Path, waste: Sequence[Waste]) -> Removed:
    """Remove what :func:`find_waste` found, under the run's lock.

    Raises:
        RunLockedError: somebody trains the run.
        SaveError: the disk refused.
    """
    run = layout.require_run(Path(path))
    lock = RunLock.acquire(run)
    try:
        files = size = 0
        for one in waste:
            target = run / one.path
            files += _count(target) if target.is_dir() and not target.is_symlink() else 1
            size += one.bytes
            if target.is_dir() and not target.is_symlink():
                try:
                    shutil.rmtree(target)
                except OSError as error:
                    raise _failed(target, error) from error
            else:
                _unlink(target)
    finally:
        lock.release()
    return Removed(size, files)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(part_sizes(path).values())
    try:
        return path.lstat().st_size
    except OSError:
        return 0
