"""Format versions, and the ids that bind an artefact to its rules and encodings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PROTOCOL_VERSION = 1
"""Version of the run directory as a whole: its layout and the envelope of its log records."""

MANIFEST_VERSION = 1
"""Version of the manifest document."""

CONTAINER_VERSION = 1
"""Version of the checkpoint container."""


@dataclass(frozen=True)
class SchemaIds:
    """What the numbers in a run mean.

    Attributes:
        feature_schema_id: the encoder of observations (``Game.encoder_id``).
        action_space_id: the numbering of actions (``Game.action_space_id``).
        ruleset_id: the variant of the rules (``Game.rules_id``).
    """

    feature_schema_id: str
    action_space_id: str
    ruleset_id: str

    def envelope(self) -> dict[str, Any]:
        """The four ids of a log record's ``v`` field."""
        return {"protocol_version": PROTOCOL_VERSION, **asdict(self)}

    @classmethod
    def from_envelope(cls, document: dict[str, Any]) -> SchemaIds:
        """The ids back from :meth:`envelope`; raises ``KeyError`` if one is missing."""
        return cls(
            feature_schema_id=str(document["feature_schema_id"]),
            action_space_id=str(document["action_space_id"]),
            ruleset_id=str(document["ruleset_id"]),
        )
