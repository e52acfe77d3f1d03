"""Where the memory of a trainer is, by component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from ludus.evaluators import CachedEvaluator, Evaluator
from ludus.training.memory import resident_bytes
from ludus.training.phases import Phase
from ludus.training.session import Session


@runtime_checkable
class HasMemory(Protocol):
    """A phase that knows the bytes of its parts."""

    def memory(self) -> Mapping[str, int]:
        """Bytes by component."""
        ...


@runtime_checkable
class HasEvaluators(Protocol):
    """A phase that asks evaluators."""

    @property
    def evaluators(self) -> tuple[Evaluator, ...]:
        """Who answers."""
        ...


@runtime_checkable
class CanShrink(Protocol):
    """A phase with memory that it can do with less of."""

    def shrink(self) -> str | None:
        """Free some; what that was, in words, or None where nothing is left to free."""
        ...


COMPONENTS = ("replay_packed", "replay_decoded", "trees", "networks", "evaluators", "caches")
"""Components that every report has; a learner adds its own."""


def memory_report(session: Session, phase: Phase | None) -> dict[str, int]:
    """Bytes of the trainer by component.

    ``replay_packed`` (records in memory), ``replay_decoded`` (window and rows of the updates),
    ``trees`` (of the slots, by the mean of finished searches), ``networks`` (weights, gradient,
    average, moments, models), ``evaluators`` (their copies of weights), ``caches`` (answers
    remembered), those of the learner, ``unaccounted`` (interpreter, libraries, spare memory)
    and ``total`` (resident).

    Args:
        session: of the run.
        phase: in progress, if one is.
    """
    found = {**dict.fromkeys(COMPONENTS, 0), **session.memory_parts()}
    if isinstance(phase, HasMemory):
        found.update(phase.memory())
    if isinstance(phase, HasEvaluators):
        found["evaluators"] = 4 * session.parameters * len(phase.evaluators)
        found["caches"] = sum(cache.bytes_used for cache in caches(phase))
    total = resident_bytes() or 0
    return {**found, "unaccounted": max(0, total - sum(found.values())), "total": total}


def caches(phase: Phase | None) -> Iterator[CachedEvaluator]:
    """Caches of answers among the wrappers of a phase's evaluators."""
    if not isinstance(phase, HasEvaluators):
        return
    for evaluator in phase.evaluators:
        found: object = evaluator
        while found is not None:
            if isinstance(found, CachedEvaluator):
                yield found
            found = getattr(found, "inner", None)
