"""The states of a run, and what moves it from one to the next, as data.

One table stands behind the command line, the control files, signals, limits and guards: whoever
asks, the same word has the same effect. ``tests/training/test_states.py`` holds the table against
real runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["idle", "training", "paused", "done", "error"]
"""What a run does: ``idle`` and ``done`` differ in why nothing is being done."""

Word = Literal[
    "start",
    "pause",
    "pause_at_iteration",
    "resume",
    "stop",
    "save",
    "set",
    "interrupt",
    "interrupt_again",
    "terminate",
    "limit",
    "iteration_end",
    "hold",
    "release",
    "fail",
    "crash",
]
"""What can happen to a run.

``interrupt`` is the first Ctrl-C, ``terminate`` SIGTERM, ``limit`` a limit that is reached,
``hold`` and ``release`` a guard's pause and its end, ``fail`` an error that nothing helps,
``crash`` a trainer that died and is restarted by its supervisor.
"""

EXIT_CODES: dict[State, int] = {"done": 0, "idle": 0, "paused": 3, "error": 1}
"""Exit code of the command by the state that it leaves the run in."""

INTERRUPTED = 130
"""Exit code after a second Ctrl-C, which ends at once: the run stands at its last commit."""


@dataclass(frozen=True)
class Standing:
    """How a run stands.

    Attributes:
        state: as in ``status.json``.
        alive: whether a process has it. ``paused`` and alive is a guard's pause.
        pausing: it pauses at the end of its iteration.
    """

    state: State = "idle"
    alive: bool = False
    pausing: bool = False


TRAINING, HELD = Standing("training", alive=True), Standing("paused", alive=True)


@dataclass(frozen=True)
class Transition:
    """What a word does.

    Attributes:
        word: it.
        before: states in which it is taken.
        alive: whether a process must have the run, or none.
        state: afterwards; None leaves it.
        ends: whether the process ends after a commit.
        pausing: what becomes of the wish to pause at the iteration's end; None leaves it.
    """

    word: Word
    before: tuple[State, ...]
    alive: bool
    state: State | None = None
    ends: bool = False
    pausing: bool | None = None


_RESTING: tuple[State, ...] = ("idle", "paused", "done", "error")
_WORKING: tuple[State, ...] = ("training", "paused")

TRANSITIONS: tuple[Transition, ...] = (
    Transition("start", _RESTING, alive=False, state="training", pausing=False),
    # To go on with a run that nobody trains is to start it.
    Transition("resume", _RESTING, alive=False, state="training", pausing=False),
    # A resume ends a guard's pause, and takes back a pause that has not come yet.
    Transition("resume", _WORKING, alive=True, state="training", pausing=False),
    Transition("pause", _WORKING, alive=True, state="paused", ends=True),
    Transition("pause_at_iteration", _WORKING, alive=True, pausing=True),
    Transition("stop", _WORKING, alive=True, state="idle", ends=True),
    Transition("interrupt", _WORKING, alive=True, state="idle", ends=True),
    Transition("terminate", _WORKING, alive=True, state="idle", ends=True),
    Transition("interrupt_again", _WORKING, alive=True, state="idle", ends=True),
    Transition("save", _WORKING, alive=True),
    Transition("set", _WORKING, alive=True),
    Transition("limit", ("training",), alive=True, state="done", ends=True),
    Transition("hold", ("training",), alive=True, state="paused"),
    Transition("release", ("paused",), alive=True, state="training"),
    Transition("fail", _WORKING, alive=True, state="error", ends=True),
    Transition("crash", _WORKING, alive=True, state="training"),
    # iteration_end is in `after`: what it does depends on the wish to pause.
)


def after(standing: Standing, word: Word) -> Standing | None:
    """How a run stands after a word; None where the word is refused.

    Args:
        standing: how it stands.
        word: what happens.
    """
    if word == "iteration_end":
        if standing != replace(TRAINING, pausing=standing.pausing):
            return None
        return Standing("paused") if standing.pausing else standing
    for one in TRANSITIONS:
        if one.word == word and standing.state in one.before and standing.alive == one.alive:
            if one.ends:
                return Standing(one.state or standing.state)
            pausing = standing.pausing if one.pausing is None else one.pausing
            return Standing(one.state or standing.state, True, pausing)
    return None


def left_by(word: Word) -> State:
    """The state in which a word leaves a run that is being trained.

    Raises:
        ValueError: the word does not end a training.
    """
    for one in TRANSITIONS:
        if one.word == word and one.ends and one.state is not None:
            return one.state
    raise ValueError(f"{word} does not end a training")


def refusal(word: Word, alive: bool, where: str) -> str | None:
    """Why a command to a run is refused, as a sentence; None where it is taken.

    Args:
        word: the command.
        alive: whether a process has the run.
        where: the run directory.
    """
    if any(one.word == word and one.alive == alive for one in TRANSITIONS):
        return None
    if alive:
        return f"{where} is being trained already, so there is nothing to {word}"
    return f"nobody trains {where} now, so there is nothing to {word}"
