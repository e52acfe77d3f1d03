"""The state of a run that learns networks from replayed games (AlphaZero)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ludus import _core
from ludus.errors import ConfigError, RunError
from ludus.evaluators import (
    BACKENDS,
    NetworkEvaluator,
    TimedEvaluator,
    choose_backend,
    core_count,
    probe_digest,
)
from ludus.games import GameEntry
from ludus.nets import arrays_of, describe, load_arrays
from ludus.players import SearchPlayer, evaluation_settings
from ludus.replay import EDGE_BYTES, PLY_BYTES, ReplaySchema, ReplayStore
from ludus.runs import ObjectRef, Run
from ludus.training import beginnings, fingerprint
from ludus.training.derived import make_learner, make_network, search_settings
from ludus.training.learned import Effort
from ludus.training.needs import Needs
from ludus.training.phases import Phase
from ludus.training.session import Model, Session, Weights, store_model
from ludus.training.settings import Settings

_BASE_BYTES = 450 * 10**6
"""Assumed of the interpreter with torch."""

_NODE_BYTES, _CHILD_BYTES = 128, 10
"""Assumed of a node of a search tree, and of each of its actions."""


class NetworkSession(Session):
    """A run with networks.

    Attributes:
        net: a network of the run's shape, to make evaluators with.
        learner, replay: see there.
        generation: of the learner's optimizer.
    """

    uses_torch = True
    phases = ("selfplay", "train", "gate", "evaluate")
    phase_objects = ("flight", "gate", "evaluation")

    def __init__(self, run: Run, entry: GameEntry, settings: Settings, lanes: int) -> None:
        """Begin empty; :meth:`begin` or :meth:`restore` comes next."""
        super().__init__(run, entry, settings, lanes)
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

    def _empty_replay(self) -> ReplayStore:
        replay = self.settings.replay
        return ReplayStore(
            self.schema,
            self.rules.num_seats,
            games_per_shard=replay.games_per_shard,
            capacity_shards=replay.capacity_shards,
            capacity_samples=replay.capacity_samples,
        )

    # -- what a machine decides ---------------------------------------------------------------

    @classmethod
    def fixed(cls, settings: Settings, rules: _core.Game) -> dict[str, Any]:
        """The fastest backend here, and threads of a step."""
        found: dict[str, Any] = {}
        if settings.runtime.backend == "auto":
            rows = settings.selfplay.group_size
            found["runtime.backend"] = choose_backend(make_network(rules, settings), rules, rows)
        if settings.training.threads == 0:
            found["training.threads"] = min(4, core_count())
        return found

    @classmethod
    def fingerprint(cls, settings: Settings, rules: _core.Game) -> dict[str, Any]:
        """The environment with the probe digest of the run's first network."""
        backend = settings.runtime.backend
        evaluator = NetworkEvaluator(make_network(rules, settings), backend=backend)
        rows = settings.selfplay.group_size
        return {
            **fingerprint.of_backend(backend),
            "rows": rows,
            "probe": probe_digest(evaluator, rules, rows),
        }

    @classmethod
    def require_here(cls, run: Run, settings: Settings) -> None:
        """A run keeps the backend that it was made with: another one would give other numbers."""
        name = settings.runtime.backend
        reason = BACKENDS[name].unavailable()
        if reason is not None:
            raise RunError(
                f"the run {run.path} plays with backend {name}, which is unavailable here: "
                f"{reason}; {BACKENDS[name].remedy()}"
            )

    @classmethod
    def plays_with(cls, settings: Settings) -> str:
        """The backend."""
        name = settings.runtime.backend
        if name == "auto":
            found = [key for key, backend in BACKENDS.items() if backend.unavailable() is None]
            return f"the fastest of {', '.join(found)}, measured at the start"
        reason = BACKENDS[name].unavailable()
        if reason is not None:
            raise ConfigError(f"{name} is unavailable: {reason}; {BACKENDS[name].remedy()}")
        return f"{name} is available"

    @classmethod
    def weights_of(
        cls, source: Mapping[str, Any], settings: Settings, rules: _core.Game
    ) -> Weights:
        """The champion's weights of a source."""
        return beginnings.weights_of(source, make_network(rules, settings))

    # -- birth and resume ---------------------------------------------------------------------

    def begin(self, weights: Weights | None = None) -> None:
        """The first network is champion."""
        if weights is None:
            weights = arrays_of(self.net)
        else:
            self.learner = make_learner(self.rules, self.settings, weights)
        self.champion = self.first = self.put_model("champion", 0, weights)

    def restore_learner(
        self, objects: Mapping[str, ObjectRef], alive: Callable[[], None]
    ) -> list[ObjectRef]:
        """Learner and replay."""
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
        return list(files)

    # -- models and players -------------------------------------------------------------------

    def load_model(self, ref: ObjectRef, unit: int) -> Model:
        """Weights from their file."""
        arrays, _ = self.run.get_object(ref)
        load_arrays(self.net, arrays)  # refuses weights of another shape
        return Model(arrays, ref, unit)

    def put_model(self, role: str, unit: int, weights: Mapping[str, Any]) -> Model:
        """Store weights as ``models/<role>-<unit>``."""
        load_arrays(self.net, weights)
        meta = {
            **describe(self.net, self.rules),
            "unit": unit,
            "train_step": self.learner.update,
        }
        return store_model(self, role, unit, weights, meta)

    def evaluator(self, model: Model) -> NetworkEvaluator:
        """An evaluator on a model, on the run's backend."""
        load_arrays(self.net, model.weights)
        return NetworkEvaluator(
            self.net,
            backend=self.settings.runtime.backend,
            margin_weight=self.settings.search.margin_weight,
        )

    def opponent(
        self, model: Model, name: str, effort: Effort, *, opening: bool = False
    ) -> SearchPlayer:
        """A model with the run's search."""
        settings = search_settings(self.settings, self.rules)
        if effort.simulations is not None:
            settings["simulations"] = [effort.simulations]
        if "worlds" in settings and effort.worlds is not None:
            settings["worlds"] = effort.worlds
        settings = evaluation_settings(settings)
        if opening:
            settings["temperature"] = [1.0] * self.settings.gating.opening_plies + [0.0]
        return SearchPlayer(TimedEvaluator(self.evaluator(model)), settings, name)

    def require_ready(self) -> None:
        """The seed set of the gate is there."""
        from ludus.training.gating import gate_seeds

        gate_seeds(self)

    def make_phase(self, name: str, saved: dict[str, Any] | None) -> Phase:
        """Self-play, training, gate or evaluation."""
        from ludus.training.evaluating import EvaluatePhase
        from ludus.training.gating import GatePhase
        from ludus.training.learning import TrainPhase
        from ludus.training.selfplay import SelfplayPhase

        match name:
            case "selfplay":
                return SelfplayPhase(self, saved)
            case "train":
                return TrainPhase(self, saved)
            case "gate":
                return GatePhase(self, saved)
            case _:
                return EvaluatePhase(self, saved)

    # -- figures ------------------------------------------------------------------------------

    @classmethod
    def needs(cls, settings: Settings, rules: _core.Game) -> Needs:
        """Of networks, a replay and trees."""
        weights = 4 * int(make_network(rules, settings).parameter_count)
        # All legal actions of a searched position are stored, whether or not they were visited.
        edges = min(rules.num_actions, rules.max_legal)
        searched = max(settings.search.budget, *settings.search.budget_by_kind.values(), 0) + 1
        trees = settings.selfplay.slots * searched * (_NODE_BYTES + _CHILD_BYTES * edges)
        return Needs(
            model=weights,
            state=4 * weights,  # weights, average, two moments
            learning=8 * weights,
            base=_BASE_BYTES,
            ply=PLY_BYTES + EDGE_BYTES * edges,
            memory={"trees": trees},
        )

    @property
    def parameters(self) -> int:
        """Weights of the network."""
        return int(self.net.parameter_count)

    @property
    def stored(self) -> tuple[int, int]:
        """Games and plies of the replay."""
        return self.replay.games, self.replay.samples

    def memory_parts(self) -> dict[str, int]:
        """``replay_packed`` and ``networks``."""
        models = 2 + (self.candidate is not None)
        return {
            "replay_packed": self.replay.nbytes,
            # A network to load weights into; the learner's weights, gradient, average, two moments.
            "networks": 4 * self.parameters * (1 + 5 + models),
        }

    def knobs(self) -> dict[str, Any]:
        """Settings of the tree (budgets apart, which records name), backend, threads, window."""
        settings = self.settings
        search = settings.search.model_dump(mode="json")
        return {
            "search": {name: value for name, value in search.items() if "budget" not in name},
            "backend": settings.runtime.backend,
            "lanes": self.lanes,
            "slots": settings.selfplay.slots,
            "group_size": settings.selfplay.group_size,
            "window": {
                "games": self.replay.games,
                "samples": self.replay.samples,
                "games_per_shard": settings.replay.games_per_shard,
                "capacity_shards": settings.replay.capacity_shards,
                "capacity_samples": settings.replay.capacity_samples,
            },
        }

    def budgets(self, simulations: int | None) -> list[int]:
        """By kind of decision: a match's own number, or those of self-play unscaled."""
        if simulations is not None:
            return [simulations]
        return list(search_settings(self.settings, self.rules)["simulations"])

    def checkpoint_payload(self) -> tuple[Weights, dict[str, Any]]:
        """Learner, champion and candidate; the network's shape."""
        payload = dict(self.learner.state())
        for role, model in (("champion", self.champion), ("candidate", self.candidate)):
            if model is not None:
                payload.update({f"{role}/{name}": array for name, array in model.weights.items()})
        return payload, {"network": describe(self.net, self.rules)}

    # -- commits ------------------------------------------------------------------------------

    def before_commit(self) -> None:
        """Shards that are complete."""
        self.flush_shards()

    def flush_shards(self) -> int:
        """Write the shards that are complete; returns how many."""
        entries = self.replay.flush(self._put_shard)
        return len(entries)

    def _put_shard(self, name: str, data: bytes) -> None:
        self._shards[name] = self.run.put_file(name, data, kind="shard")

    def learner_objects(self) -> dict[str, ObjectRef]:
        """Learner, index of the replay, games that no shard holds yet."""
        objects: dict[str, ObjectRef] = {}
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
