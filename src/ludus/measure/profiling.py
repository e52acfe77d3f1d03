"""Profiles of a recipe's phases: where the time goes, by counters and by sampled stacks.

A profile works on a run of its own in a temporary folder, with the recipe's settings and its first
network, and does all that the phase does in training, files included.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ludus.errors import UserError
from ludus.measure.native import NativeSampler
from ludus.measure.stacks import Folded, Sampler, Stack, spread, without_waits
from ludus.players.lanes import PhaseSeconds
from ludus.training.birth import open_session
from ludus.training.learning import TrainPhase
from ludus.training.network_session import NetworkSession
from ludus.training.request import TrainRequest
from ludus.training.selfplay import SelfplayPhase

ABOUT = {
    "collect": "walking trees to their leaves, encoding them",
    "tree": "walking trees to their leaves, playing moves, priors",
    "encode": "observations and legal actions of leaves",
    "evaluate": "the evaluator: network and gathering of its answer",
    "network": "the evaluator: network and gathering of its answer",
    "softmax": "priors of the answered leaves",
    "supply": "priors and values of the answers, into the trees",
    "expand": "answers into the trees, values back to their roots",
    "choose": "players that are no search",
    "idle": "lanes that wait: for groups, or for the main thread",
    "rows": "training rows: drawing, decoding, or waiting for those decoded ahead",
    "step": "forward, loss, backward, optimizer, average",
    "other": "metrics, plans, the loop",
}
"""What the phases are, for people."""

_OUTSIDE = ("evaluate", "network", "choose", "idle")
"""Phases of a lane that are not inside the core's calls for a searching player."""

_LANE = "lane-"
"""How the names of the lanes' threads begin."""

_ENTERS_CORE = (
    "ludus.players.lanes:Lanes._search",
    "ludus.players.lanes:Lanes._turn",
    "ludus.players.asking:",
)
"""Calls of a lane that are inside the core nearly all of their time."""

_HERE = "ludus.measure.profiling:"
_TRAIN_GAMES = 256
"""Self-play games that a training profile learns from, unless a setting says otherwise."""

_TORCH_STEPS = 20


@dataclass
class Profile:
    """What a profile found.

    Attributes:
        what: ``selfplay`` or ``train``.
        recipe: its name.
        seconds: wall-clock time under observation.
        threads: that did the work, over which phases are summed.
        phases: seconds by phase.
        rates: speeds by name.
        stacks: sampled Python stacks, with the core's phases as leaves.
        native: native stacks, or None.
        no_native: why there are none.
        sampling: share of the time that one thread spent on sampling.
        torch_table: table of torch's profiler (``train``).
    """

    what: str
    recipe: str
    seconds: float = 0.0
    threads: int = 1
    phases: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    stacks: Folded = field(default_factory=dict)
    native: Folded | None = None
    no_native: str | None = None
    sampling: float = 0.0
    torch_table: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Everything but the stacks."""
        total = max(1e-9, sum(self.phases.values()))
        return {
            "what": self.what,
            "recipe": self.recipe,
            "seconds": self.seconds,
            "threads": self.threads,
            "phases": [
                {"name": name, "seconds": value, "share": value / total, "about": ABOUT.get(name)}
                for name, value in self.phases.items()
            ],
            "rates": self.rates,
            "sampling_share": self.sampling,
            "no_native_stacks": self.no_native,
        }


@contextlib.contextmanager
def _open(
    recipe: str, preset: str | None, assignments: Sequence[str], note: Callable[[str], None]
) -> Iterator[NetworkSession]:
    import torch

    with tempfile.TemporaryDirectory(prefix="ludus-profile-") as folder:
        request = TrainRequest.make(
            recipe, run=Path(folder) / "run", preset=preset, assignments=assignments
        )
        torch.set_num_threads(1)  # as the trainer does: lanes are the parallelism of play
        session = open_session(request, note)
        try:
            if not isinstance(session, NetworkSession):
                raise UserError(f"the recipe {recipe} has no network to profile")
            yield session
        finally:
            session.run.close()


class _Watch:
    """Both samplers, over the time in which the watched code runs."""

    def __init__(self, native: bool) -> None:
        self._python = Sampler(below=_HERE)
        self._native = NativeSampler() if native else None

    def start(self) -> None:
        if self._native is not None:
            self._native.start()
        self._python.start()

    def stop(self, profile: Profile, keep: str) -> None:
        profile.stacks = without_waits(self._python.stop(), keep)
        profile.sampling = self._python.cost / max(1e-9, self._python.seconds)
        if self._native is not None:
            profile.native = self._native.stop()
            profile.no_native = self._native.refused


def profile_selfplay(
    recipe: str,
    *,
    seconds: float,
    preset: str | None = None,
    assignments: Sequence[str] = (),
    native: bool = True,
    note: Callable[[str], None],
) -> Profile:
    """Play as the recipe's self-play does, as many iterations of it as the time allows.

    Args:
        recipe: name.
        seconds: to watch, after a warm-up of a second.
        preset: of the recipe.
        assignments: settings ``a.b=value``.
        native: whether to ask ``perf`` for native stacks.
        note: told what goes on.

    Raises:
        UserError: an unknown recipe or setting.
    """
    profile = Profile("selfplay", recipe)
    with _open(recipe, preset, assignments, note) as session:
        phase = SelfplayPhase(session, None)
        watch = _Watch(native)
        try:
            unit = session.settings.runtime.unit_seconds
            left = phase.advance(min(1.0, seconds))
            spent = _negative(phase.seconds)
            counted = _counted(session, phase, -1)
            profile.threads = phase.lanes
            note(f"watching self-play of {recipe} for {seconds:g} s ...")
            watch.start()
            began = time.perf_counter()
            while time.perf_counter() - began < seconds:
                if not left:
                    spent.add(phase.seconds)
                    counted = _add(counted, _counted(session, phase, 1))
                    phase.finish()
                    phase.close()
                    session.iteration += 1
                    phase = SelfplayPhase(session, None)
                    counted = _add(counted, _counted(session, phase, -1))
                left = phase.advance(unit)
            profile.seconds = time.perf_counter() - began
            watch.stop(profile, _LANE)
            spent.add(phase.seconds)
            counted = _add(counted, _counted(session, phase, 1))
        finally:
            phase.close()
    profile.phases = _phases(spent, profile.threads * profile.seconds)
    profile.rates = {
        f"{name}_per_second": number / profile.seconds for name, number in counted.items()
    }
    inside = {
        f"{name} (core)": value for name, value in profile.phases.items() if name not in _OUTSIDE
    }
    together = Counter[Stack]()
    for stack, weight in profile.stacks.items():  # lanes do the same: one tower, not one each
        together["lanes" if stack[0].startswith(_LANE) else stack[0], *stack[1:]] += weight
    profile.stacks = spread(together, _ENTERS_CORE, inside)
    return profile


def _negative(seconds: PhaseSeconds) -> PhaseSeconds:
    return PhaseSeconds(**{one.name: -getattr(seconds, one.name) for one in fields(seconds)})


def _counted(session: NetworkSession, phase: SelfplayPhase, sign: int) -> dict[str, int]:
    counters = phase.counters()
    return {
        "leaves": sign * counters["rows"],
        "games": sign * session.run.counters["selfplay_games"],
        "simulations": sign * counters["simulations"],
        "decisions": sign * counters["decisions"],
    }


def _add(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first[name] + second[name] for name in first}


def _phases(spent: PhaseSeconds, available: float) -> dict[str, float]:
    """Seconds by phase in the order of the fields, with what is left as idle."""
    phases = {
        one.name: float(getattr(spent, one.name))
        for one in fields(spent)
        if isinstance(getattr(spent, one.name), float)
    }
    idle = phases.pop("idle", 0.0)
    left = max(0.0, available - sum(phases.values()))
    return {**phases, "idle": max(idle, left)}


@contextlib.contextmanager
def _timed(owner: type, method: str, seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add up what a method of a class takes, while this lasts."""
    plain = getattr(owner, method)

    @functools.wraps(plain)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return plain(*args, **kwargs)
        finally:
            seconds[name] += time.perf_counter() - began

    setattr(owner, method, timed)
    try:
        yield
    finally:
        setattr(owner, method, plain)


def profile_train(
    recipe: str,
    *,
    seconds: float,
    preset: str | None = None,
    assignments: Sequence[str] = (),
    native: bool = True,
    trace: Path | None = None,
    note: Callable[[str], None],
) -> Profile:
    """Learn as the recipe does, from a few self-play games that are played first.

    Args:
        recipe: name.
        seconds: to watch, after one step of warm-up.
        preset: of the recipe.
        assignments: settings ``a.b=value``; without one for ``selfplay.games_per_iteration`` 256
            games are played.
        native: whether to ask ``perf`` for native stacks.
        trace: where torch's profiler writes a trace of 20 more steps; None for no trace.
        note: told what goes on.

    Raises:
        UserError: an unknown recipe or setting.
    """
    profile = Profile("train", recipe)
    games = f"selfplay.games_per_iteration={_TRAIN_GAMES}"
    spent = {"rows": 0.0, "step": 0.0}
    with _open(recipe, preset, [games, *assignments], note) as session:
        note(f"playing {session.settings.selfplay.games_per_iteration} games to learn from ...")
        playing = SelfplayPhase(session, None)
        try:
            while playing.advance(1.0):
                pass
            playing.finish()
        finally:
            playing.close()
        training = _Training(session)
        training.advance(0.0)
        watch = _Watch(native)
        learner = session.learner
        note(f"watching training of {recipe} for {seconds:g} s ...")
        with (
            _timed(*_row_source(), spent, "rows"),
            _timed(type(learner), "step", spent, "step"),
        ):
            before = learner.update
            watch.start()
            began = time.perf_counter()
            while time.perf_counter() - began < seconds:
                training.advance(0.25)
            profile.seconds = time.perf_counter() - began
            watch.stop(profile, "none")
        steps = learner.update - before
        if trace is not None:
            profile.torch_table = _torch_profile(training, trace)
        training.close()
        batch = session.settings.training.batch_size
    rest = max(0.0, profile.seconds - sum(spent.values()))
    profile.phases = {**spent, "other": rest}
    profile.rates = {
        "steps_per_second": steps / profile.seconds,
        "rows_per_second": steps * batch / profile.seconds,
    }
    return profile


def _row_source() -> tuple[type, str]:
    """Class and method that hand the rows of an update to the phase that learns."""
    from ludus import replay

    feed = getattr(replay, "RowFeed", None)  # decodes ahead in a thread of its own
    return (replay.ReplaySampler, "rows") if feed is None else (feed, "take")


class _Training:
    """The phase that learns, begun again whenever its steps are done."""

    def __init__(self, session: NetworkSession) -> None:
        self.session = session
        self._phase = TrainPhase(session, None)

    def advance(self, seconds: float) -> None:
        """About so many seconds of steps, at least one."""
        if not self._phase.advance(seconds):
            self._phase.close()
            self._phase = TrainPhase(self.session, None)

    def close(self) -> None:
        """End what the phase has running."""
        self._phase.close()


def _torch_profile(training: _Training, trace: Path) -> str:
    """Some steps under torch's profiler; its table."""
    from torch.profiler import ProfilerActivity, profile

    learner = training.session.learner
    end = learner.update + _TORCH_STEPS
    with profile(activities=[ProfilerActivity.CPU]) as found:
        while learner.update < end:
            training.advance(0.0)
    found.export_chrome_trace(str(trace))
    return str(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))
