"""What a tripwire says when something touched it, and where it is stretched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ludus.replay.rows import TrainingRows

Severity = Literal["error", "warning"]
"""``error``: data are wrong and must not be learned from; ``warning``: a person should look."""


@dataclass(frozen=True)
class Finding:
    """One thing that an audit found.

    Attributes:
        tripwire: its name, as in docs/tripwires.md.
        severity: see :data:`Severity`.
        text: a sentence with numbers; names game and ply where there are.
        game: id of the game, None where it concerns many.
        ply: number of the ply in that game.
        figures: the numbers of the sentence by name.
    """

    tripwire: str
    severity: Severity
    text: str
    game: int | None = None
    ply: int | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """A JSON object; without the fields that are empty."""
        found: dict[str, Any] = {
            "tripwire": self.tripwire,
            "severity": self.severity,
            "text": self.text,
        }
        if self.game is not None:
            found["game"] = self.game
        if self.ply is not None:
            found["ply"] = self.ply
        if self.figures:
            found["figures"] = dict(self.figures)
        return found


@dataclass(frozen=True)
class AuditLimits:
    """Where a figure becomes a warning.

    Attributes:
        entropy_floor: mean entropy of policy targets in nats, over decisions with a choice.
        imbalance_errors: standard errors by which a seat's mean result may differ from its
            fair share, and ``imbalance`` by how much it may, in [0, 2]; both must be passed.
        imbalance: see above.
        duplicates: share of games that repeat another one move by move.
        teaching: least share of decisions with a choice that have a policy target.
        contradiction: standard errors below 0 of the covariance of root values with results.
    """

    entropy_floor: float = 0.02
    imbalance_errors: float = 6.0
    imbalance: float = 0.2
    duplicates: float = 0.9
    teaching: float = 0.05
    contradiction: float = 6.0


@dataclass
class Audit:
    """What an audit came to.

    Attributes:
        figures: numbers by name, JSON.
        findings: sentences, errors first.
        rows: the training rows that were looked at, None if there are none.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    rows: TrainingRows | None = None

    def add(self, other: Audit) -> None:
        """Take another audit's results in."""
        self.figures.update(other.figures)
        both = self.findings + other.findings
        self.findings = sorted(both, key=lambda finding: finding.severity != "error")

    @property
    def errors(self) -> list[Finding]:
        """Findings for which nothing may be learned from these data."""
        return [finding for finding in self.findings if finding.severity == "error"]
