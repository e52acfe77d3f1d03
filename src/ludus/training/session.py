"""The durable state of a training run, and how it becomes a commit and is found again.

Everything that decides results is in here or follows from it: the settings, the iteration and its
phase, champion and candidate, the learner, the replay, and what the phase in progress saves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.evaluators import NetworkEvaluator, TimedEvaluator
from ludus.games import GameEntry
from ludus.nets import arrays_of, describe, load_arrays
from ludus.players import SearchPlayer, evaluation_settings
from ludus.replay import ReplaySchema, ReplayStore
from ludus.runs import Command, Manifest, ObjectRef, Run, manifest_name
from ludus.training.book import ErrorBook
from ludus.training.callbacks import Callbacks
from ludus.training.derived import make_learner, make_network, search_settings
from ludus.training.schedules import Schedule
from ludus.training.settings import Settings
from ludus.training.states import State

Weights = dict[str, npt.NDArray[np.float32]]
PHASES = ("selfplay", "train", "gate", "evaluate")
"""The phases of an iteration, in order."""

PHASE_OBJECTS = ("flight", "gate", "evaluation")
"""Objects of a commit that belong to the phase in progress."""


@dataclass(frozen=True)
class Model:
    """Weights that are in ``models/``.

    Attributes:
        weights: by parameter name; not to be changed.
        ref: the file.
        unit: iterations done when they were made; 0 is the run's first network.
    """

    weights: Weights
    ref: ObjectRef
    unit: int


class Session:
    """A run that is being trained.

    Attributes:
        run: the directory, open for writing.
        entry, rules: the game.
        settings: in force now; ``changed`` are those that differ from the run's birth.
        iteration: finished iterations, which is the number of the one in progress.
        phase: in progress; ``saved`` is what it saved at the commit, None when it begins anew.
        champion, candidate, first: models; the candidate is None before the first training.
        replay, learner: see there.
        rejections: candidates rejected in a row.
        lanes: threads that play.
        note: shows a sentence to the user, if one is there.
        eta_seconds: the estimate that the status shows; None where nobody has one.
        started_ms: when this process took up the run, milliseconds since 1970.
        net: a network of the run's shape, to make evaluators with.
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
        self.phase = PHASES[0]
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
        self.net = make_network(self.rules, settings)
        self.learner = make_learner(self.rules, settings)
        search = settings.search
        self.schema = ReplaySchema.of(
            self.rules, c_visit=search.c_visit, c_scale=search.c_scale, q_spread=search.q_spread
        )
        self.replay = self._empty_replay()
        self.generation = 0
        self._shards: dict[str, ObjectRef] = {}
        self._learner_key: tuple[int, ...] | None = None
        self._learner_ref: ObjectRef | None = None
        self.champion: Model
        self.first: Model

    def _empty_replay(self) -> ReplayStore:
        replay = self.settings.replay
        return ReplayStore(
            self.schema,
            self.rules.num_seats,
            games_per_shard=replay.games_per_shard,
            capacity_shards=replay.capacity_shards,
            capacity_samples=replay.capacity_samples,
        )

    # -- birth and resume ---------------------------------------------------------------------

    def begin(self, weights: Weights | None = None) -> None:
        """The state of a new run: the first network is champion.

        Args:
            weights: of that network, which learning goes on from; of the seed by default.
        """
        if weights is None:
            weights = arrays_of(self.net)
        else:
            self.learner = make_learner(self.rules, self.settings, weights)
        self.champion = self.first = self.put_model("champion", 0, weights)

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
        self.first = self._model(objects["first"], int(progress["units"]["first"]))
        self.champion = self._model(objects["champion"], int(progress["units"]["champion"]))
        self.candidate = None
        if "candidate" in objects:
            unit = int(progress["units"]["candidate"])
            self.candidate = self._model(objects["candidate"], unit)
        arrays, _ = self.run.get_object(objects["learner"])
        self.learner.restore(arrays)
        self._learner_ref = None  # of the state before, if this is no fresh session
        files, index = self.run.get_index(objects["replay"])
        self._shards = {ref.path: ref for ref in files}
        tail, _ = self.run.get_object(objects["tail"])
        replay = self.settings.replay

        def load(name: str) -> bytes:
            alive()
            return self.run.store.read(self._shards[name])

        self.replay = ReplayStore.restore(
            self.schema,
            tail,
            index,
            load,
            games_per_shard=replay.games_per_shard,
            capacity_shards=replay.capacity_shards,
            capacity_samples=replay.capacity_samples,
        )
        self.run.events.append_if_possible(
            "checkpoint_loaded",
            path=f"manifests/{manifest_name(manifest.sequence)}",
            kind="commit",
            bytes=sum(ref.size for ref in (*objects.values(), *files)),
            seconds=round(time.monotonic() - started, 6),
        )

    def _model(self, ref: ObjectRef, unit: int) -> Model:
        arrays, _ = self.run.get_object(ref)
        load_arrays(self.net, arrays)  # refuses weights of another shape
        return Model(arrays, ref, unit)

    # -- models and players -------------------------------------------------------------------

    def put_model(self, role: str, unit: int, weights: Mapping[str, Any]) -> Model:
        """Store weights as ``models/<role>-<unit>``."""
        load_arrays(self.net, weights)
        meta = {
            **describe(self.net, self.rules),
            "unit": unit,
            "train_step": self.learner.update,
        }
        # The file holds what follows from the training alone, so that equal trainings have equal
        # files; where it was made stands beside it.
        neighbour = {
            "role": role,
            "run_id": self.run.id,
            "config_hash": self.run.manifest.config_hash,
            "git_hash": self.run.manifest.git_hash,
            **self.run.schema.envelope(),
            **meta,
        }
        ref = self.run.put_tensors(
            f"models/{role}-{unit:06d}.safetensors", weights, meta, kind=role, neighbour=neighbour
        )
        return Model({name: np.array(array) for name, array in weights.items()}, ref, unit)

    def evaluator(self, model: Model) -> NetworkEvaluator:
        """An evaluator on a model, on the run's backend."""
        load_arrays(self.net, model.weights)
        return NetworkEvaluator(
            self.net,
            backend=self.settings.runtime.backend,
            margin_weight=self.settings.search.margin_weight,
        )

    def opponent(
        self, model: Model, name: str, simulations: int | None, *, opening: bool = False
    ) -> SearchPlayer:
        """A model with the run's search, in evaluation settings.

        Args:
            model: weights.
            name: for reports.
            simulations: a decision; None for those of self-play.
            opening: draw the moves of the first plies (``gating.opening_plies``).
        """
        settings = search_settings(self.settings, self.rules)
        if simulations is not None:
            settings["simulations"] = [simulations]
        settings = evaluation_settings(settings)
        if opening:
            settings["temperature"] = [1.0] * self.settings.gating.opening_plies + [0.0]
        return SearchPlayer(TimedEvaluator(self.evaluator(model)), settings, name)

    def now(self, schedule: Schedule) -> float:
        """The value of a schedule by iteration or game in the iteration in progress.

        It holds for the whole iteration; its tick by game is the iteration's first game.
        """
        tick = self.iteration
        if schedule.clock == "game":
            tick *= self.settings.selfplay.games_per_iteration
        return schedule.at(tick)

    # -- commits ------------------------------------------------------------------------------

    def flush_shards(self) -> int:
        """Write the shards that are complete; returns how many."""
        entries = self.replay.flush(self._put_shard)
        return len(entries)

    def _put_shard(self, name: str, data: bytes) -> None:
        self._shards[name] = self.run.put_file(name, data, kind="shard")

    def objects(self) -> dict[str, ObjectRef]:
        """Put everything that going on needs, the phase's own objects apart."""
        objects = {"first": self.first.ref, "champion": self.champion.ref}
        if self.candidate is not None:
            objects["candidate"] = self.candidate.ref
        key = (
            self.learner.update,
            self.learner.iteration_step,
            self.learner.steps_target,
            self.generation,
        )
        if self._learner_ref is None or key != self._learner_key:
            self._learner_ref = self.run.put_object(
                "learner", self.learner.state(), {"update": self.learner.update}
            )
            self._learner_key = key
        objects["learner"] = self._learner_ref
        tail, index = self.replay.state()
        kept = [
            self._shards[name]
            for shard in self.replay.entries
            for name in (shard.name, shard.meta_name)
        ]
        objects["replay"] = self.run.put_index("replay", kept, index)
        objects["tail"] = self.run.put_object("tail", tail, {"games": len(self.replay.tail)})
        return objects

    def kept(self) -> tuple[dict[str, ObjectRef], dict[str, Any] | None]:
        """What the last commit saved of a phase that this process has not taken up yet."""
        if self.saved is None:
            return {}, None
        objects = self.run.manifest.objects
        return {name: objects[name] for name in PHASE_OBJECTS if name in objects}, self.saved

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
        self.flush_shards()
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

    # -- history ------------------------------------------------------------------------------

    @property
    def record(self) -> dict[str, Any]:
        """The entry of the iteration in progress in ``iterations[]`` of ``run.json``."""
        if not self.run.iterations or self.run.iterations[-1]["iteration"] != self.iteration:
            self.run.iterations.append(
                {"iteration": self.iteration, "started_ms": now_ms(), "promoted": None}
            )
        return self.run.iterations[-1]


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
