"""R9: what a trace of commits shows of their order, whatever the disk does with it."""

from __future__ import annotations

import os.path

from tests.durability.storage.tracing import Call

_DERIVED = ("run.json", "status.json")
_COMMITTED = ("state", "replay", "models", "manifests", "checkpoints")
_ANEW = ("write", "pwrite64", "ftruncate")


def _derived(path: str) -> bool:
    """Whether a file is only a copy for people, which need not survive a power cut."""
    folder, name = os.path.split(path)
    beside = os.path.basename(folder) in ("replay", "models") and name.endswith(".json")
    return name in _DERIVED or beside


def wrong_order(calls: list[Call], run: str) -> str | None:
    """The first thing in a trace of commits that a power cut could turn into a loss.

    Every new file is created exclusively, flushed and closed before it gets its name; directories
    with new names and the logs are flushed before a manifest gets its name; the manifest's
    directory before the commit is acknowledged (the child's report); nothing is removed before the
    newest manifest was read back.
    """
    dirty: set[str] = set()  # files written and not flushed since
    open_: set[str] = set()
    names: set[str] = set()  # directories with names that were not flushed
    unread = ""
    for call in calls:
        if call.name == "sendto" and names:
            return f"acknowledged before the directory {min(names)} was flushed"
        path = call.paths[0] if call.paths else ""
        if call.result < 0 or not path.startswith(run):
            continue
        if call.name == "openat":
            open_.add(path)
            if "O_CREAT" in call.words and path.endswith(".tmp") and "O_EXCL" not in call.words:
                return f"{path} was not created with O_EXCL"
            if path == unread and "O_RDONLY" in call.words:
                unread = ""
        elif call.name in ("write", "pwrite64"):
            dirty.add(path)
        elif call.name in ("fsync", "fdatasync"):
            dirty.discard(path)
            names.discard(path)
        elif call.name == "close":
            open_.discard(path)
        elif call.name in ("link", "linkat", "rename", "renameat2"):
            wrong = _named(path, call.paths[-1], dirty, open_, names, run)
            if wrong is not None:
                return wrong
            if call.paths[-1].startswith(f"{run}/manifests/"):
                unread = call.paths[-1]
        elif call.name in ("unlink", "unlinkat") and not path.endswith(".tmp") and unread:
            return f"{path} was removed before {unread} was read back"
    return None


def _named(
    old: str, new: str, dirty: set[str], open_: set[str], names: set[str], run: str
) -> str | None:
    """What is wrong with giving a file its name now."""
    if _derived(new):
        dirty.discard(old)
        return None
    if old in dirty:
        return f"{new} got its name before its content was flushed"
    if old in open_:
        return f"{new} got its name before its descriptor was closed"
    if os.path.dirname(new) == f"{run}/manifests":
        logs = [path for path in dirty if path.startswith(f"{run}/logs/")]
        if logs or names:
            return f"{new} got its name before {sorted([*logs, *names])[0]} was flushed"
    names.add(os.path.dirname(new))
    return None


def retried_flush(calls: list[Call]) -> str | None:
    """Whether a flush that failed was followed by one that said success, nothing written anew.

    The kernel may have dropped the data with the first error. An interrupted call (EINTR) has not
    tried yet. A directory's names are in the journal of the file system, which drops nothing.
    """
    failed: dict[str, tuple[int, str]] = {}  # path: process and descriptor
    directories = {call.paths[0] for call in calls if "O_DIRECTORY" in call.words}
    for call in calls:
        if not call.paths or call.paths[0] in directories:
            continue
        path, by = call.paths[0], (call.process, call.words.split("<")[0])
        if call.name in ("fsync", "fdatasync"):
            if call.result < 0 and call.error != "EINTR":
                if failed.get(path) == by:
                    return f"the failed flush of {path} was tried again on its descriptor"
                failed[path] = by
            elif call.result == 0 and path in failed:
                return f"the failed flush of {path} was followed by one that said success"
        elif call.name in _ANEW and failed.get(path) not in (None, by):
            # Through another descriptor it is written again, or cut to what a commit holds, which
            # was flushed before.
            del failed[path]
    return None


def acknowledged_after_eio(calls: list[Call]) -> bool:
    """Whether a flush failed with EIO and something was acknowledged all the same."""
    lost = False
    for call in calls:
        if call.name in ("fsync", "fdatasync") and call.error == "EIO":
            lost = True
        elif call.name == "sendto" and lost:
            return True
    return False


def must_be_told(call: Call, run: str) -> bool:
    """Whether a failure of the call has to reach whoever saves: it is about a commit's file."""
    path = call.paths[0] if call.paths else ""
    inside = path.removeprefix(f"{run}/").split("/")[0] in _COMMITTED
    writes = call.name in ("write", "pwrite64", "fsync", "close", "link", "linkat", "renameat2")
    return inside and writes and path.endswith(".tmp") and call.error != "EINTR"
