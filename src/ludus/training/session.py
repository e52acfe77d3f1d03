"""The durable state of a training run, and how it becomes a commit and is found again.

What every run has is here: settings, the iteration and its phase, the champion, commands, guards.
What a run knows depends on its learner: networks with a replay (:mod:`network_session`) or pattern
tables (:mod:`ludus.training.tables.session`). No torch here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ludus.games import GameEntry
from ludus.runs import Command, Manifest, ObjectRef, Run, manifest_name
from ludus.training.book import ErrorBook
from ludus.training.callbacks import Callbacks
from ludus.training.learned import Learned, Model, Weights
from ludus.training.schedules import Schedule
from ludus.training.settings import Settings
from ludus.training.states import State

__all__ = ["PHASES", "Model", "Session", "Weights", "now_ms", "store_model", "summary"]

PHASES = ("selfplay", "train", "gate", "evaluate")
"""All phases that an iteration can have, in order."""


class Session(Learned):
    """A run that is being trained.

    Attributes:
        run: the directory, open for writing.
        entry, rules: the game.
        settings: in force now; ``changed`` are those that differ from the run's birth.
        iteration: finished iterations, which is the number of the one in progress.
        phase: in progress; ``saved`` is what it saved at the commit, None when it begins anew.
        champion, candidate, first: models; the candidate is None where nothing is gated, and
            before the first training.
        rejections: candidates rejected in a row.
        lanes: threads that play.
        note: shows a sentence to the user, if one is there.
        eta_seconds: the estimate that the status shows; None where nobody has one.
        started_ms: when this process took up the run, milliseconds since 1970.
        game: what finds the game since it has moved; None where the run's birth says it.
        pending: settings that take effect with the next iteration, by dotted key.
        playing: whether the phase has been taken up in this process.
        obeyed: commands whose effect is not committed yet; their files go with the commit.
        pausing: the iteration at whose end the run pauses, if it was asked to.
        left: state that the last process left the run in on purpose, None while one works on it.
        forecast: what the run will need, as told last (:mod:`ludus.training.forecast`).
        callbacks: who watches the training in this process.
        book: errors of the run, and what guards have done.
        memory: newest report of the memory guard: bytes by component, ``total``, ``budget``,
            ``growth`` and ``fragmentation``; None where unknown.
        suspicion: why the numbers are not to be trusted now; commits are not marked good then.
    """

    champion: Model
    first: Model

    def __init__(self, run: Run, entry: GameEntry, settings: Settings, lanes: int) -> None:
        """Begin empty; :meth:`begin` or :meth:`restore` comes next."""
        self.run = run
        self.entry = entry
        self.rules = entry.rules
        self.settings = settings
        self.lanes = lanes
        self.note: Callable[[str], None] = lambda text: None
        self.eta_seconds: Callable[[], float | None] = lambda: None
        self.started_ms = now_ms()
        self.iteration = 0
        self.phase = self.phases[0]
        self.saved: dict[str, Any] | None = None
        self.rejections = 0
        self.changed: dict[str, Any] = {}
        self.pending: dict[str, Any] = {}
        self.obeyed: list[Command] = []
        self.left: State | None = None
        self.pausing: int | None = None
        self.playing = False
        self.limits: dict[str, Any] = {}
        self.champion_checkpoint: str | None = None
        self.environment: dict[str, Any] | None = None
        self.game: str | None = None
        self.callbacks = Callbacks(run)
        self.forecast: dict[str, Any] = {}
        self.book = ErrorBook()
        self.suspicion: str | None = None
        self.memory: dict[str, float | None] = {}
        self.candidate: Model | None = None

    # -- birth and resume ---------------------------------------------------------------------

    def restore(self, alive: Callable[[], None] = lambda: None) -> None:
        """The state of the commit that the run stands at.

        Args:
            alive: called now and then, for heartbeats.

        Raises:
            CorruptError, VersionError: what the commit names is damaged or foreign.
        """
        started = time.monotonic()
        manifest = self.run.manifest
        progress, objects = manifest.progress, manifest.objects
        self.iteration = int(progress["iteration"])
        self.phase = str(progress["phase"])
        self.saved = progress.get("saved")
        self.rejections = int(progress["rejections"])
        self.changed = dict(progress.get("changed") or {})
        self.pending = dict(progress.get("pending") or {})
        self.left = progress.get("left")
        self.pausing = progress.get("pausing")
        self.champion_checkpoint = progress.get("champion_checkpoint")
        self.game = progress.get("game")
        units = progress["units"]
        self.first = self.load_model(objects["first"], int(units["first"]))
        self.champion = self.load_model(objects["champion"], int(units["champion"]))
        self.candidate = None
        if "candidate" in objects:
            self.candidate = self.load_model(objects["candidate"], int(units["candidate"]))
        files = self.restore_learner(objects, alive)
        self.run.events.append_if_possible(
            "checkpoint_loaded",
            path=f"manifests/{manifest_name(manifest.sequence)}",
            kind="commit",
            bytes=sum(ref.size for ref in (*objects.values(), *files)),
            seconds=round(time.monotonic() - started, 6),
        )

    def now(self, schedule: Schedule) -> float:
        """The value of a schedule by iteration or game in the iteration in progress.

        It holds for the whole iteration; its tick by game is the iteration's first game.
        """
        tick = self.iteration
        if schedule.clock == "game":
            tick = self.settings.selfplay.games_before(self.iteration)
        return schedule.at(tick)

    # -- commits ------------------------------------------------------------------------------

    def objects(self) -> dict[str, ObjectRef]:
        """Put everything that going on needs, the phase's own objects apart."""
        objects = {"first": self.first.ref, "champion": self.champion.ref}
        if self.candidate is not None:
            objects["candidate"] = self.candidate.ref
        return {**objects, **self.learner_objects()}

    def kept(self) -> tuple[dict[str, ObjectRef], dict[str, Any] | None]:
        """What the last commit saved of a phase that this process has not taken up yet."""
        if self.saved is None:
            return {}, None
        objects = self.run.manifest.objects
        return {name: objects[name] for name in self.phase_objects if name in objects}, self.saved

    def progress(self, saved: dict[str, Any] | None) -> dict[str, Any]:
        """The JSON of a commit."""
        units = {"first": self.first.unit, "champion": self.champion.unit}
        if self.candidate is not None:
            units["candidate"] = self.candidate.unit
        return {
            "iteration": self.iteration,
            "phase": self.phase,
            "saved": saved,
            "rejections": self.rejections,
            "changed": self.changed,
            "pending": self.pending,
            "obeyed": [command.source for command in self.obeyed],
            "left": self.left,
            "pausing": self.pausing,
            "limits": self.limits,
            "units": units,
            "champion_checkpoint": self.champion_checkpoint,
            "environment": self.environment,
            "game": self.game,
            "guards": self.book.as_json(),
        }

    def commit(self, objects: Mapping[str, ObjectRef], saved: dict[str, Any] | None) -> Manifest:
        """Make all progress durable.

        Args:
            objects: of the phase in progress.
            saved: JSON of the phase in progress; None when the phase is yet to begin.
        """
        self.before_commit()
        manifest = self.run.commit(
            self.progress(saved),
            {**self.objects(), **objects},
            summary=summary(self),
            good=self.suspicion is None,
        )
        for command in self.obeyed:  # the commit says so: a restart does not obey them again
            self.run.control.done(command)
        self.obeyed.clear()
        return manifest

    @property
    def begun_games(self) -> int:
        """Games of self-play begun and ended since the run's birth, those that were lost too."""
        return self.run.counters["selfplay_games"] + self.book.totals.get("game", 0)

    def count_learning(self, steps: int, samples: int) -> None:
        """Count what was learned.

        Args:
            steps: of the optimizer.
            samples: positions in them.
        """
        self.run.counters.add("train_step", steps)
        self.run.counters.add("samples", samples)

    # -- history ------------------------------------------------------------------------------

    @property
    def record(self) -> dict[str, Any]:
        """The entry of the iteration in progress in ``iterations[]`` of ``run.json``."""
        if not self.run.iterations or self.run.iterations[-1]["iteration"] != self.iteration:
            self.run.iterations.append(
                {"iteration": self.iteration, "started_ms": now_ms(), "promoted": None}
            )
        return self.run.iterations[-1]


def store_model(
    session: Session, role: str, unit: int, weights: Mapping[str, Any], meta: Mapping[str, Any]
) -> Model:
    """Store weights as ``models/<role>-<unit>``, with a neighbour that says where they were made.

    Args:
        session: of the run.
        role: first part of the file's name.
        unit: iterations done.
        weights: arrays.
        meta: JSON inside the file. It holds what follows from the training alone, so that equal
            trainings have equal files.
    """
    neighbour = {
        "role": role,
        "run_id": session.run.id,
        "config_hash": session.run.manifest.config_hash,
        "git_hash": session.run.manifest.git_hash,
        **session.run.schema.envelope(),
        **meta,
    }
    ref = session.run.put_tensors(
        f"models/{role}-{unit:06d}.safetensors", weights, meta, kind=role, neighbour=neighbour
    )
    return Model({name: np.array(array) for name, array in weights.items()}, ref, unit)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def summary(session: Session) -> dict[str, Any]:
    """Further fields of ``run.json``, for people and readers."""
    seeds = (
        (entry.get("gate") or {}).get("seeds_hash") for entry in reversed(session.run.iterations)
    )
    candidate = session.candidate
    return {
        "controller_iteration_idx": session.iteration,
        "controller_phase": session.phase,
        "best_model_path": session.champion.ref.path,
        "candidate_model_path": None if candidate is None else candidate.ref.path,
        "gating": {"seeds_hash": next((str(one) for one in seeds if one), None)},
        "forecast": session.forecast or None,
        "updated_ms": now_ms(),
    }
