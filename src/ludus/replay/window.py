"""How many of the newest games an iteration learns from.

Early games are played badly and soon teach less than what came after; late ones differ little. So
the window begins small and grows more slowly than the games played, as in KataGo (Wu 2019,
"Accelerating Self-Play Learning in Go", arXiv 1902.10565, appendix C):

    window = c * (1 + slope * ((played / c)^exponent - 1) / exponent)

with the window's first size c. At ``played = c`` this is c, and there it grows by ``slope`` games
for each game played. KataGo counts rows; here it is games, which the index of the replay counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from ludus.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class WindowLaw:
    """A window that grows with the games played.

    Attributes:
        start_games: c; up to so many games all are learned from.
        exponent: in (0, 1]; 1 grows in proportion, small ones with the logarithm.
        slope: in (0, 1]; games that the window grows by for a game played, when it starts to.
    """

    start_games: int
    exponent: float = 0.75
    slope: float = 0.4

    def __post_init__(self) -> None:
        """Refuse laws that shrink or outgrow what was played.

        Raises:
            ConfigError: a number out of range.
        """
        if self.start_games < 1:
            raise ConfigError(f"replay.window_start_games = {self.start_games} must be at least 1")
        for name, value in (("exponent", self.exponent), ("slope", self.slope)):
            if not 0.0 < value <= 1.0:
                raise ConfigError(f"replay.window_{name} = {value} must be above 0 and at most 1")

    def games(self, played: int) -> int:
        """The newest games to learn from after ``played`` games since the run's birth."""
        if played <= self.start_games:
            return played
        grown = (played / self.start_games) ** self.exponent - 1.0
        return int(self.start_games * (1.0 + self.slope * grown / self.exponent))
