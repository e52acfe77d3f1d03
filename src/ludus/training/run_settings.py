"""Settings of a run as a job: seed, commits, limits, checkpoints, disk."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ludus.runs import KeepLast, Milestones, RetentionPolicy
from ludus.training.section import Section, may_change

MAX_SEED = 2**63 - 1
"""Seeds are below 2**63, so that every reader of YAML and JSON keeps them whole."""


class RunSettings(Section):
    """The job as a whole."""

    seed: int = Field(1, ge=0, le=MAX_SEED, description="Every random number follows from it.")
    deterministic: bool = Field(
        True,
        description="Refuse to go on where numbers would come out differently (another torch, "
        "backend, CPU) unless --accept-change is given; otherwise only record it.",
    )
    commit_seconds: float = Field(
        60.0,
        ge=0.5,
        le=3600,
        json_schema_extra=may_change(),
        description="Progress becomes durable this often, and at each phase end, pause and stop.",
    )
    total_iterations: int | None = Field(
        None,
        ge=0,
        json_schema_extra=may_change(),
        description="Absolute cap of iterations of the run directory; null for none.",
    )
    total_games: int | None = Field(
        None,
        ge=1,
        json_schema_extra=may_change(),
        description="The run ends with the iteration in which its self-play games reach this.",
    )
    checkpoint_every: int = Field(
        0,
        ge=0,
        json_schema_extra=may_change(),
        description="Iterations between checkpoints, besides those of promotions and `ludus save`: "
        "10 writes one at the end of the 10th, 20th, ... iteration; 0: at promotions only.",
    )
    checkpoint_compression: int = Field(
        0,
        ge=0,
        le=19,
        json_schema_extra=may_change(),
        description="Level of zstd for checkpoints: 0 stores them plain, 19 is smallest and "
        "slowest.",
    )
    retention: Literal["keep_last", "milestones"] = Field(
        "keep_last",
        json_schema_extra=may_change(),
        description="Which checkpoints stay: the newest ones, or every milestone_every-th "
        "iteration's for ever and the newest of the others.",
    )
    keep_checkpoints: int = Field(
        5,
        ge=1,
        json_schema_extra=may_change(),
        description="Newest checkpoints kept (keep_last); the champion's is never removed.",
    )
    milestone_every: int = Field(
        5,
        ge=1,
        json_schema_extra=may_change(),
        description="Iterations between checkpoints that stay for ever (milestones).",
    )
    milestone_cache: int = Field(
        4,
        ge=1,
        json_schema_extra=may_change(),
        description="Newest other checkpoints kept (milestones).",
    )
    warn_free_mb: int = Field(
        2000,
        ge=0,
        json_schema_extra=may_change(),
        description="Free disk space in MB under which a warning is given.",
    )
    floor_free_mb: int = Field(
        512,
        ge=0,
        json_schema_extra=may_change(),
        description="Free disk space in MB under which the run waits for space.",
    )

    def policy(self) -> RetentionPolicy:
        """The retention policy that these settings ask for."""
        if self.retention == "milestones":
            return Milestones(self.milestone_every, self.milestone_cache)
        return KeepLast(self.keep_checkpoints)
