"""What looking for anomalies finds: a sentence, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Anomaly:
    """One thing that a person should know.

    Attributes:
        kind: what it is, such as ``outlier`` or ``weights_unchanged``.
        severity: ``error``: wrong; ``warning``: worth a look; ``notice``: may well be as it should.
        text: one sentence that names the place and the numbers.
        place: the same place for programs.
    """

    kind: str
    severity: Literal["error", "warning", "notice"]
    text: str
    place: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "text": self.text,
            "place": dict(self.place),
        }
