"""Training from Python: ``ludus.train``."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ludus.errors import ConfigError, UserError
from ludus.training.states import State


@dataclass(frozen=True)
class Watch:
    """A callback with what it wants to see.

    Attributes:
        callback: called with an event, a dictionary; ``event`` is its name.
        names: of events; None for everything that is logged.
        every: each so-manyth of them alone.
    """

    callback: Callable[[dict[str, Any]], object]
    names: Sequence[str] | None = None
    every: int = 1


@dataclass(frozen=True)
class Trained:
    """What a training has come to.

    Attributes:
        state: ``done`` (a limit is reached), ``idle`` (stopped) or ``paused``.
        path: the run directory.
        reason: why it ended, one sentence.
        iterations: finished since the run's birth.
        games: of self-play since the run's birth.
        champion: file of the champion's weights.
    """

    state: State
    path: Path
    reason: str
    iterations: int
    games: int
    champion: Path | None


def train(
    recipe: str | None = None,
    *,
    game: str | None = None,
    run: str | Path | None = None,
    new: bool = False,
    minutes: float | None = None,
    iterations: int | None = None,
    games: int | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    preset: str | None = None,
    init_from: str | Path | None = None,
    accept_change: bool = False,
    callbacks: Sequence[Callable[[dict[str, Any]], object] | Watch] = (),
) -> Trained:
    """Train a player in this process; the same call again goes on where it stopped.

    It is ``ludus train`` without the supervisor: the run directory is the same, and either can go
    on with what the other began. Ctrl-C commits and returns, a second one raises
    ``KeyboardInterrupt`` at once. What the supervisor does, nobody does here: a process that dies
    is not restarted. ``ludus pause``, ``stop``, ``save`` and ``set`` work from elsewhere.

    Example:
        >>> import ludus
        >>> def tell(event):
        ...     print(event["iteration"], event["win_rate"])
        >>> done = ludus.train(
        ...     "yatzy",
        ...     preset="quick",
        ...     minutes=1,
        ...     settings={"search.budget": 8},
        ...     callbacks=[ludus.Watch(tell, names=["gate_summary"])],
        ... )  # doctest: +SKIP
        >>> done.state  # doctest: +SKIP
        'done'

    Args:
        recipe: such as ``yatzy``; that for any game, or that of the run, by default.
        game: a game in the registry, or ``path.py:Class``.
        run: the run directory; ``runs/<recipe or game>`` by default.
        new: start the next run instead.
        minutes: work so long.
        iterations: end at so many, from the run's birth.
        games: likewise.
        seed: of a new run.
        settings: by dotted key, such as ``{"search.budget": 8}``, or nested by section.
        preset: of the recipe.
        init_from: a checkpoint, or a run, whose champion a new run starts from.
        accept_change: go on although numbers come out differently here.
        callbacks: functions that get everything that is logged, or :class:`Watch`.

    Returns: what it has come to; all of it is committed.

    Raises:
        UserError: a mistake in what was asked, as one sentence.
        LudusError: what stopped the training; the run stands at its last commit.
        KeyboardInterrupt: a second Ctrl-C; likewise.
    """
    from ludus.training.request import TrainRequest

    watches = _watches(callbacks)
    request = TrainRequest.make(
        recipe,
        game=game,
        run=None if run is None else Path(run),
        new=new,
        minutes=minutes,
        iterations=iterations,
        games=games,
        seed=seed,
        assignments=_assignments(settings or {}),
        preset=preset,
        accept_change=accept_change,
        init_from=None if init_from is None else Path(init_from),
    )
    if request.nothing_to_do:
        return _look(Path(request.path), "done", request.nothing_to_do)
    with _one_thread_an_operator(request.learner), _interrupts() as stop_asked:
        return _train(request, watches, stop_asked)


def _watches(
    callbacks: Sequence[Callable[[dict[str, Any]], object] | Watch],
) -> list[Watch]:
    """What wants to watch, checked before anything is made.

    Raises:
        UserError: something that cannot watch.
    """
    watches = [one if isinstance(one, Watch) else Watch(one) for one in callbacks]
    for watch in watches:
        if not callable(watch.callback):
            raise UserError(f"a callback must be a function or a Watch of one, not {watch!r:.80}")
        if isinstance(watch.names, str):
            raise UserError(
                f"names of a Watch must be several names, such as [{watch.names!r}], not a text"
            )
        if watch.every < 1:
            raise UserError(f"every = {watch.every} of a Watch must be at least 1")
    return watches


def _train(request: Any, watches: Sequence[Watch], stop_asked: Callable[[], bool]) -> Trained:
    from ludus.training.birth import open_session
    from ludus.training.loop import Loop
    from ludus.training.messages import Sender

    told: list[str] = []
    session = open_session(request, told.append)
    with session.run as run:
        for watch in watches:
            session.callbacks.subscribe(watch.callback, watch.names, every=watch.every)
        session.note = lambda text: session.callbacks.publish("note", text=text)
        for text in told:
            session.note(text)
        try:
            ending = Loop(session, request, Sender(None), stop_asked).run()
        except BaseException as error:
            run.events.append_if_possible("failed", error=f"{type(error).__name__}: {error}")
            raise
    return _look(Path(request.path), ending.state, ending.reason)


def _look(path: Path, state: State, reason: str) -> Trained:
    from ludus.runs import Run

    run = Run.open(path, write=False)
    champion = run.manifest.objects.get("champion")
    return Trained(
        state=state,
        path=path,
        reason=reason,
        iterations=int(run.manifest.progress.get("iteration", 0)),
        games=int(run.manifest.counters.get("selfplay_games", 0)),
        champion=None if champion is None else path / champion.path,
    )


def _assignments(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Settings as the command line would give them.

    Raises:
        ConfigError: a value that no setting can have.
    """
    from ludus.training.keys import groups

    found: list[str] = []
    sections = groups()
    for name, value in settings.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key in sections:
            found += _assignments(value, f"{key}.")
        else:
            found.append(f"{key}={json.dumps(value, default=partial(_plain, key))}")
    return found


def _plain(key: str, value: object) -> object:
    """What JSON does not know: paths, numbers and arrays of numpy.

    Raises:
        ConfigError: anything else.
    """
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise ConfigError(f"setting {key} must be a plain value, not {value!r:.80}")


@contextmanager
def _one_thread_an_operator(learner: str) -> Iterator[None]:
    """Lanes are the parallelism of play; see ``ludus.training.trainer``."""
    from ludus.training.kinds import session_class

    if not session_class(learner).uses_torch:
        yield
        return
    if "torch" not in sys.modules:  # read when its library is loaded, and never again
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C asks to stop, the second raises; in other threads nothing is caught."""
    asked = False

    def signalled(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, signalled)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
