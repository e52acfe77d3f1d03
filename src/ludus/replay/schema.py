"""What a shard of game records was made for, and the refusal of what was made for others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ludus.errors import VersionError
from ludus.nets import GameShape

FORMAT_VERSION = 2
"""Version of the columns of game records and of the files that hold them."""

READABLE_VERSIONS = (1, 2)
"""Versions that are read: in 1 outcomes of chance events had 16 bits."""


@dataclass(frozen=True, kw_only=True)
class ReplaySchema:
    """Identifiers of a replay: equal ones mean that the same rows will be derived.

    Attributes:
        game: name of the game.
        ruleset_id: rules variant.
        feature_schema_id: observation encoding that derives the rows.
        action_space_id: action numbering.
        c_visit: of the improved policy (Danihelka et al. 2022, section 3) in derived targets.
        c_scale: likewise.
        q_spread: spread of true Q that its standard error is held against, with chance.
        protocol_version: of the columns.
    """

    game: str
    ruleset_id: str
    feature_schema_id: str
    action_space_id: str
    c_visit: float = 50.0
    c_scale: float = 1.0
    q_spread: float = 0.2
    protocol_version: int = FORMAT_VERSION

    @classmethod
    def of(
        cls, game: GameShape, *, c_visit: float = 50.0, c_scale: float = 1.0, q_spread: float = 0.2
    ) -> ReplaySchema:
        """The schema of a game and of the search settings that targets are derived with."""
        return cls(
            game=game.name,
            ruleset_id=game.rules_id,
            feature_schema_id=game.encoder_id,
            action_space_id=game.action_space_id,
            c_visit=c_visit,
            c_scale=c_scale,
            q_spread=q_spread,
        )

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)

    def require(self, found: Any, where: str) -> None:
        """Refuse what was made for another schema.

        Args:
            found: JSON object of the other side; further keys are ignored.
            where: name of its file, for the sentence.

        Raises:
            VersionError: a field is missing or differs; the sentence names both values. A
                protocol_version need only be one that can be read.
        """
        for key, wanted in self.as_json().items():
            have = found.get(key) if isinstance(found, dict) else None
            if key == "protocol_version" and have in READABLE_VERSIONS:
                continue
            if have != wanted:
                raise VersionError(
                    f"replay {where} has {key} {have!r}, but this run needs {wanted!r}"
                )
