"""The state of a run that learns pattern tables (TD)."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from ludus import _core
from ludus.errors import RunError, UserError, VersionError
from ludus.games import GameEntry
from ludus.learners.td import TdLearner
from ludus.learners.td_options import SelfPlaySearch, TdOptions
from ludus.players import ExternalPlayer
from ludus.players.player import Chooser
from ludus.runs import Manifest, ObjectRef, Run
from ludus.training.learned import Effort, Model, Weights
from ludus.training.memory import trim
from ludus.training.needs import Needs
from ludus.training.phases import Phase
from ludus.training.session import Session, store_model
from ludus.training.settings import Settings
from ludus.training.td_settings import TdSettings

_BASE_BYTES = 90 * 10**6
"""Assumed of the interpreter without torch."""


def options_of(settings: Settings) -> TdOptions:
    """The learner's view of the settings.

    Raises:
        UserError: a pattern set that cannot be read.
    """
    td = settings.td
    return TdOptions(
        patterns=td.patterns,
        trace_lambda=td.trace_lambda,
        learning_rate=td.learning_rate.at,
        beta1=td.beta1,
        beta2=td.beta2,
        adam_epsilon=td.adam_epsilon,
        error_clip=td.error_clip,
        batch_games=td.batch_games,
        epsilon=td.epsilon.at,
        opening=td.opening,
        cut=td.cut,
        sample_every=td.record_every,
        search=_search_of(td) if td.searches else None,
        average_every=td.average_every,
    )


def _search_of(td: TdSettings) -> SelfPlaySearch:
    timed = td.milliseconds > 0
    return SelfPlaySearch(
        depth=td.depth if timed else td.depth or 1,
        milliseconds=td.milliseconds,
        endgame=td.endgame,
        table_bytes=int(td.table_mb * 2**20),
    )


class TableSession(Session):
    """A run with pattern tables. The champion follows the learner: nothing is gated.

    Attributes:
        learner: tables under training.
    """

    uses_torch = False
    phases = ("selfplay", "evaluate")
    phase_objects = ("evaluation",)

    def __init__(self, run: Run, entry: GameEntry, settings: Settings, lanes: int) -> None:
        """Begin empty; :meth:`begin` or :meth:`restore` comes next."""
        super().__init__(run, entry, settings, lanes)
        self.learner = TdLearner(options_of(settings), settings.run.seed)
        self._learner_games = -1
        self._learner_ref: ObjectRef | None = None
        self._champion_games = -1
        # The champion meets several opponents: its tables are in memory once, while they play.
        self._choosers: WeakValueDictionary[str, Chooser] = WeakValueDictionary()

    # -- what a machine decides ---------------------------------------------------------------

    @classmethod
    def fixed(cls, settings: Settings, rules: _core.Game) -> dict[str, Any]:
        """Nothing: tables give the same numbers everywhere."""
        return {}

    @classmethod
    def fingerprint(cls, settings: Settings, rules: _core.Game) -> dict[str, Any]:
        """The processor, for the record alone: arithmetic of the tables is the same everywhere."""
        return {
            "machine": platform.machine(),
            "patterns": options_of(settings).pattern_set().digest,
        }

    @classmethod
    def require_here(cls, run: Run, settings: Settings) -> None:
        """Every machine can."""

    @classmethod
    def plays_with(cls, settings: Settings) -> str:
        """The tables, by the way that this build looks them up."""
        options_of(settings).pattern_set()
        return f"pattern tables on {platform.machine()}"

    @classmethod
    def weights_of(
        cls, source: Mapping[str, Any], settings: Settings, rules: _core.Game
    ) -> Weights:
        """The champion's tables of a source."""
        from ludus.training.beginnings import arrays_of_source

        arrays, path = arrays_of_source(source)
        try:
            TdLearner(options_of(settings), settings.run.seed).begin(arrays)
        except VersionError as error:
            raise RunError(f"{path} cannot begin this run: {error}") from error
        return arrays

    # -- birth and resume ---------------------------------------------------------------------

    def begin(self, weights: Weights | None = None) -> None:
        """Neutral tables, or those of another run, are champion."""
        if weights is not None:
            self.learner.begin(weights)
        self.first = self.champion = self.put_model()

    def restore_learner(
        self, objects: Mapping[str, ObjectRef], alive: Callable[[], None]
    ) -> list[ObjectRef]:
        """Tables, moments and counts."""
        arrays, _ = self.run.get_object(objects["learner"])
        self.learner.restore(arrays)
        self._learner_ref, self._learner_games = objects["learner"], self.learner.games
        self._champion_games = self.champion.unit
        return []

    # -- models and players -------------------------------------------------------------------

    def load_model(self, ref: ObjectRef, unit: int) -> Model:
        """Where the tables are; they are read when somebody plays with them."""
        return Model({}, ref, unit)

    def put_model(self) -> Model:
        """Store the tables as they are now as ``models/tables-<games>``."""
        games = self.learner.games
        meta = {**self.learner.about(), "unit": games}
        stored = store_model(self, "tables", games, self.learner.model(), meta)
        self._champion_games = games
        return Model({}, stored.ref, games)

    def before_commit(self) -> None:
        """The champion follows the learner: it is the tables as they are now."""
        if self._champion_games != self.learner.games:
            self.champion = self.put_model()

    def opponent(
        self, model: Model, name: str, effort: Effort, *, opening: bool = False
    ) -> ExternalPlayer:
        """Tables looking one move ahead; nothing is drawn."""
        if self.entry.tables is None:
            raise UserError(f"{self.entry.name} has no pattern tables")
        choose = self._choosers.get(model.ref.sha256)
        if choose is None:
            arrays, meta = self.run.get_object(model.ref)
            choose = self._choosers[model.ref.sha256] = self.entry.tables(arrays, meta, {})
        return ExternalPlayer(choose, name)

    def make_phase(self, name: str, saved: dict[str, Any] | None) -> Phase:
        """Self-play with learning, or evaluation."""
        if name == "selfplay":
            from ludus.training.tables.phase import TablePhase

            return TablePhase(self, saved)
        from ludus.training.evaluating import EvaluatePhase

        return EvaluatePhase(self, saved)

    # -- figures ------------------------------------------------------------------------------

    @classmethod
    def needs(cls, settings: Settings, rules: _core.Game) -> Needs:
        """Of tables, their moments and counts."""
        patterns = options_of(settings).pattern_set()
        slots = int(patterns.slots) * int(patterns.stages)
        model, learning = 2 * slots, 24 * slots + slots // 8
        td, lanes = settings.td, settings.runtime.lanes or os.cpu_count() or 1
        tables = int(lanes * td.table_mb * 2**20) if td.searches else 0
        return Needs(
            model=model,
            state=learning,
            learning=learning + model + tables,
            base=_BASE_BYTES,
        )

    @property
    def parameters(self) -> int:
        """Weights, foldings counted once."""
        return self.learner.parameters

    def learned_so_far(self) -> dict[str, Any]:
        """``coverage`` (share of entries with an update) and ``mean_updates`` of all entries."""
        visits = self.learner.visits()
        return {"coverage": visits.share, "mean_updates": visits.mean}

    @property
    def stored(self) -> tuple[int, int]:
        """Nothing is replayed."""
        return 0, 0

    def memory_parts(self) -> dict[str, int]:
        """See :meth:`ludus.learners.td.TdLearner.memory`."""
        return self.learner.memory()

    def budgets(self, simulations: int | None) -> list[int]:
        """There is no tree."""
        return []

    def knobs(self) -> dict[str, Any]:
        """Settings of learning, and threads."""
        return {"td": self.settings.td.model_dump(mode="json"), "lanes": self.lanes}

    def checkpoint_payload(self) -> tuple[Weights, dict[str, Any]]:
        """Learner and champion; the pattern set."""
        arrays, _ = self.run.get_object(self.champion.ref)
        payload = dict(self.learner.state())
        payload.update({f"champion/{name}": array for name, array in arrays.items()})
        return payload, {"tables": self.learner.about()}

    # -- commits ------------------------------------------------------------------------------

    def commit(self, objects: Mapping[str, ObjectRef], saved: dict[str, Any] | None) -> Manifest:
        """As of every session; what the copies of the tables took goes back to the system."""
        manifest = super().commit(objects, saved)
        trim()
        return manifest

    def learner_objects(self) -> dict[str, ObjectRef]:
        """The learner; put again only when it has learned."""
        if self._learner_ref is None or self._learner_games != self.learner.games:
            self._learner_ref = self.run.put_object(
                "learner", self.learner.state(), {"games": self.learner.games}
            )
            self._learner_games = self.learner.games
        objects = {"learner": self._learner_ref}
        measured = next(
            (
                entry["evaluate"]["model"]
                for entry in reversed(self.run.iterations)
                if (entry.get("evaluate") or {}).get("model")
            ),
            None,
        )
        if measured is not None:  # who was measured last is met by the next one
            objects["measured"] = ObjectRef(
                "tables", measured["path"], int(measured["bytes"]), measured["sha256"]
            )
        return objects
