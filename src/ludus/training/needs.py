"""What a learner needs in bytes, before anything was measured."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Needs:
    """Sizes that follow from settings and game.

    Attributes:
        model: of a model's file.
        state: of what a commit holds of the learner.
        learning: of the learner's arrays in memory.
        base: of interpreter and libraries in memory, where this process has loaded less so far.
        ply: of a stored ply of the replay, at most; 0 where nothing is replayed.
        memory: further bytes in memory by component.
    """

    model: int
    state: int
    learning: int
    base: int
    ply: int = 0
    memory: dict[str, int] = field(default_factory=dict)
