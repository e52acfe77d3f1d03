"""When checkpoints are written, what is in them, and which of them stay.

A checkpoint is written at each promotion, by ``ludus save``, and at the end of every
``run.checkpoint_every``-th iteration, counted from 1: with 10 at the end of the 10th, the 20th, ...
There is none before the first iteration, and no further one at the end of the run: the commit of
the end has everything.
"""

from __future__ import annotations

from collections.abc import Callable

from ludus.errors import RunError
from ludus.runs import CheckpointEntry, list_checkpoints, read_header
from ludus.training.rating import elo_of
from ludus.training.session import Session
from ludus.training.stream import checkpoint_summary


def save_checkpoint(
    session: Session,
    *,
    permanent: bool | None,
    unit: int | None = None,
    command: str | None = None,
) -> str:
    """Write the checkpoint container: champion, candidate, learner, counters, settings.

    Args:
        session: of the run.
        permanent: True for one that stays whatever the retention says; None for the newest of
            the policy: it says where it goes, and it stays until the next one is there, so that
            there is always one with the champion.
        unit: iterations done; those with the one in progress by default.
        command: the command that asked for it, so that it is obeyed once.

    Returns: its path below the run directory.

    Raises:
        SaveError, DurabilityError: the disk refused.
    """
    run, settings = session.run, session.settings.run
    _look_at_disk(session)
    payload, about = session.checkpoint_payload()
    meta = {
        "iteration": session.iteration,
        "phase": session.phase,
        "champion": session.champion.ref.path,
        "champion_sha256": session.champion.ref.sha256,
        **about,
        "command": command,
        "settings": session.settings.model_dump(mode="json"),
    }
    if session.champion_checkpoint is not None:
        run.checkpoints.protected = {session.champion_checkpoint}
    entry, _ = run.save_checkpoint(
        payload,
        meta,
        unit=session.iteration + 1 if unit is None else unit,
        policy=settings.policy(),
        parameters=session.parameters,
        elo=elo_of(run.iterations, session.champion.ref.sha256),
        permanent=permanent,
        compress=settings.checkpoint_compression,
    )
    if permanent is None:  # it has the champion, so earlier ones need not stay for that
        session.champion_checkpoint = entry.path
        run.checkpoints.protected = {entry.path}
    checkpoint_summary(session, entry)
    total = settings.total_iterations
    session.note(
        f"checkpoint {entry.path} ({entry.where}, iteration {entry.unit}"
        + (f" of {total})" if total else ")")
    )
    return entry.path


def saved_for(session: Session, command: str) -> CheckpointEntry | None:
    """The checkpoint that a command asked for, if a killed process has written it."""
    for entry in list_checkpoints(session.run.path):
        if entry.where == "permanent" and entry.error is None:
            try:
                meta = read_header(session.run.path / entry.path).meta.get("meta") or {}
            except RunError:
                continue
            if meta.get("command") == command:
                return entry
    return None


def due(session: Session) -> bool:
    """Whether the iteration that has just ended is one whose checkpoint is written.

    Not where its promotion has left one already.
    """
    every, done = session.settings.run.checkpoint_every, session.iteration
    if every == 0 or done == 0 or done % every:
        return False
    return not any(entry.unit == done for entry in session.run.checkpoints.entries())


def write_if_due(session: Session, wait: Callable[[float], None]) -> bool:
    """Write the checkpoint of the iteration that has just ended, if its turn has come.

    A failure is told and counted, and the training goes on.

    Args:
        session: of the run, between two iterations.
        wait: for a number of seconds, before the second try.

    Returns: whether one was written; the caller commits then.

    Raises:
        DurabilityError: the disk refused for good.
    """
    if not due(session):
        return False

    def action() -> str:
        return save_checkpoint(session, permanent=None, unit=session.iteration)

    return session.run.save(action, required=False, wait=wait) is not None


def _look_at_disk(session: Session) -> None:
    """Say that a save may fail for want of space, before it does."""
    space = session.run.space()
    if space.level != "ok":
        text = f"{space.free_bytes // 10**6} MB of disk are free: saving a checkpoint may fail"
        session.run.events.append_if_possible("notice", message=text)
        session.note(text)
