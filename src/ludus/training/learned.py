"""What each kind of learner gives its session: models, players, phases, objects of a commit.

A session is the same for all learners (:mod:`ludus.training.session`) but for these methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt

from ludus import _core
from ludus.players import Player
from ludus.runs import ObjectRef, Run
from ludus.training.needs import Needs
from ludus.training.phases import Phase
from ludus.training.settings import EvaluationSettings, GatingSettings, Settings

Weights = dict[str, npt.NDArray[Any]]

Effort = EvaluationSettings | GatingSettings
"""Says with how many simulations and worlds a match is played."""


@dataclass(frozen=True)
class Model:
    """Weights that are in ``models/``.

    Attributes:
        weights: by parameter name; not to be changed. Empty where they are read when needed.
        ref: the file.
        unit: iterations done when they were made; 0 is what the run began with.
    """

    weights: Weights
    ref: ObjectRef
    unit: int


class Learned(ABC):
    """What depends on the learner.

    Attributes:
        uses_torch: whether the process loads torch.
        phases: of an iteration, in order.
        phase_objects: objects of a commit that belong to the phase in progress.
    """

    uses_torch: ClassVar[bool]
    phases: ClassVar[tuple[str, ...]]
    phase_objects: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def fixed(cls, settings: Settings, rules: _core.Game) -> dict[str, Any]:
        """Settings that are decided when a run is made, by dotted key: a backend, threads."""

    @classmethod
    @abstractmethod
    def fingerprint(cls, settings: Settings, rules: _core.Game) -> dict[str, Any]:
        """What decides the bits of results here, as JSON."""

    @classmethod
    @abstractmethod
    def require_here(cls, run: Run, settings: Settings) -> None:
        """Refuse a run that this machine cannot go on with.

        Raises:
            RunError: saying what is missing.
        """

    @classmethod
    @abstractmethod
    def plays_with(cls, settings: Settings) -> str:
        """What computes values here, for the checks before a start.

        Raises:
            UserError: nothing that is there can.
        """

    @classmethod
    @abstractmethod
    def weights_of(
        cls, source: Mapping[str, Any], settings: Settings, rules: _core.Game
    ) -> Weights:
        """What a new run begins with, from another run or a checkpoint, verified.

        Args:
            source: as of :func:`ludus.training.beginnings.find_source`.
            settings: of the new run.
            rules: of its game.

        Raises:
            RunError: the file has changed since, is damaged, or does not fit.
        """

    @abstractmethod
    def begin(self, weights: Weights | None = None) -> None:
        """The state of a new run: what it begins with is champion.

        Args:
            weights: that learning goes on from; those of the run's seed by default.
        """

    @abstractmethod
    def restore_learner(
        self, objects: Mapping[str, ObjectRef], alive: Callable[[], None]
    ) -> list[ObjectRef]:
        """Take what the learner has put into a commit; returns files besides ``objects``.

        Raises: as of :meth:`restore`.
        """

    @abstractmethod
    def load_model(self, ref: ObjectRef, unit: int) -> Model:
        """A model from its file.

        Raises:
            CorruptError, VersionError: it is damaged, or of another shape.
        """

    @abstractmethod
    def opponent(self, model: Model, name: str, effort: Effort, *, opening: bool = False) -> Player:
        """A model as a player, in evaluation settings.

        Args:
            model: weights.
            name: for reports.
            effort: simulations and worlds of a decision, where there is a tree.
            opening: draw the moves of the first plies (``gating.opening_plies``).
        """

    def require_ready(self) -> None:
        """Refuse what would only be missed hours later.

        Raises:
            UserError: something that a setting names is not there.
        """
        return

    @abstractmethod
    def make_phase(self, name: str, saved: dict[str, Any] | None) -> Phase:
        """The phase of that name, anew or from what it saved."""

    @classmethod
    @abstractmethod
    def needs(cls, settings: Settings, rules: _core.Game) -> Needs:
        """Sizes for the forecast."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Weights of a model."""

    def learned_so_far(self) -> dict[str, Any]:
        """Further fields of the record of a checkpoint."""
        return {}

    @property
    @abstractmethod
    def stored(self) -> tuple[int, int]:
        """Games in the replay, and their plies; zeros where nothing is replayed."""

    @abstractmethod
    def memory_parts(self) -> dict[str, int]:
        """Bytes of what the session holds, by component."""

    @abstractmethod
    def knobs(self) -> dict[str, Any]:
        """What a curve depends on beside the weights, for records: only equal ones compare."""

    @abstractmethod
    def budgets(self, simulations: int | None) -> list[int]:
        """Simulations a decision of a match, by kind, for records; empty without a tree.

        Args:
            simulations: the match's own number; None for those of self-play.
        """

    @abstractmethod
    def checkpoint_payload(self) -> tuple[Weights, dict[str, Any]]:
        """Arrays of a checkpoint, and JSON that describes the model."""

    @abstractmethod
    def learner_objects(self) -> dict[str, ObjectRef]:
        """Put what the learner needs to go on; models and the phase's own objects apart."""

    def before_commit(self) -> None:
        """Make durable what is complete by itself."""
        return
