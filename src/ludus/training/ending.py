"""How a training ends, in words: why, where everything is, and what can be done next."""

from __future__ import annotations

from dataclasses import dataclass

from ludus.training.phases import Leave
from ludus.training.reporter import resume_command
from ludus.training.session import Session
from ludus.training.states import EXIT_CODES, State


@dataclass(frozen=True)
class Ending:
    """How the loop ended.

    Attributes:
        state: ``done``, ``idle`` (stopped) or ``paused``.
        code: exit code.
        text: sentences for the user.
        reason: the first of them, alone.
    """

    state: State
    code: int
    text: str
    reason: str


def ending_of(session: Session, leave: Leave, *, adrift: bool) -> Ending:
    """The ending of a run that was left.

    Args:
        session: of the run, committed.
        leave: why.
        adrift: whether what was in memory was not committed.
    """
    where, name = session.run.path, session.run.manifest.recipe
    if leave.state == "paused":
        text = (
            f"paused ({leave.reason}); go on with: {resume_command(session)}\n"
            f"  or: ludus resume --run {where}"
        )
    else:
        saved = f"commit {session.run.manifest.sequence}" if adrift else "everything"
        opponent = min(session.entry.players, default="random")
        text = (
            f"{leave.reason}; {saved} is saved in {where}\n"
            f"  look:    ludus status --run {where}\n"
            f"  measure: ludus match {where} {opponent}\n"
            f"  play:    ludus play {where}\n"
            f"  go on:   ludus train {name} --run {where}"
        )
    return Ending(leave.state, EXIT_CODES[leave.state], text, leave.reason)
