"""Players of Blob without a network: rules of thumb, and flat Monte Carlo over worlds.

Both know what their seat can see and nothing else. How they think is told where they are:
``cpp/games/blob_players.h`` and ``cpp/search/flat_montecarlo.h``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import PlayerError
from ludus.games.player_options import number_option, require_known
from ludus.games.registry import Chooser

States = npt.NDArray[np.uint8]
Keys = npt.NDArray[np.uint64]

WORLDS: Final = 256
"""Worlds of a decision where neither a number nor a time is asked for."""

NOISE: Final = 0.2
"""Chance of a random action in playouts by the rules: it plays stronger than without any."""

MONTECARLO_OPTIONS: Final = ("worlds", "playouts", "ms", "policy", "noise", "evidence")
POLICIES: Final = ("rules", "random")

ABOUT: Final[Mapping[str, str]] = {
    "rules": "counts sure and likely tricks, bids them, and plays to take exactly those",
    "montecarlo": "plays every action to the end in sampled worlds; worlds=N,playouts=N,"
    "policy=rules|random,noise=P,evidence=W; with ms=N by the clock, and not to be repeated",
}
"""One line on each player."""


def players(rules: _core.Game) -> dict[str, Callable[[Mapping[str, str]], Chooser]]:
    """Makers of the players, by name, for ``GameEntry.players``.

    Args:
        rules: Blob with its options.
    """

    def make_rules(options: Mapping[str, str]) -> Chooser:
        require_known("rules", options, ())

        def choose(states: States, keys: Keys) -> npt.NDArray[np.int32]:
            return _core.blob_rules_choose(rules, np.ascontiguousarray(states))

        return choose

    def make_montecarlo(options: Mapping[str, str]) -> Chooser:
        return MonteCarlo.of(rules, options)

    return {"rules": make_rules, "montecarlo": make_montecarlo}


@dataclass(frozen=True)
class MonteCarlo:
    """Flat Monte Carlo over worlds, a chooser.

    Attributes:
        rules: Blob with its options.
        worlds: drawn for each decision.
        playouts: of each action in each world.
        seconds: of each decision, instead of ``worlds``; 0 for none. What is chosen then depends on
            the speed of the machine, and cannot be repeated.
        policy: how the seats act in playouts, one of :data:`POLICIES`.
        noise: chance that a seat in a playout acts at random instead.
        evidence: power of what the bids of the others say of a world by which it weighs; 0: worlds
            weigh alike.
    """

    rules: _core.Game
    worlds: int = WORLDS
    playouts: int = 1
    seconds: float = 0.0
    policy: str = "rules"
    noise: float = 0.0
    evidence: float = 0.0

    @classmethod
    def of(cls, rules: _core.Game, options: Mapping[str, str]) -> MonteCarlo:
        """The player with these options, as texts.

        Raises:
            PlayerError: an option that it does not have, a value out of range, or both a number of
                worlds and a time.
        """
        require_known("montecarlo", options, MONTECARLO_OPTIONS)
        if "ms" in options and "worlds" in options:
            raise PlayerError("player montecarlo goes by worlds or by ms, not by both")
        policy = options.get("policy", "rules")
        if policy not in POLICIES:
            raise PlayerError(f"option policy={policy} must be {' or '.join(POLICIES)}")
        playouts = int(number_option(options, "playouts", 1, 1_000_000, default=1))
        noise = NOISE if policy == "rules" else 0.0
        return cls(
            rules,
            worlds=int(number_option(options, "worlds", 1, 10_000_000, default=WORLDS)),
            playouts=playouts,
            seconds=number_option(options, "ms", 1.0, 3.6e6, whole=False) / 1000.0,
            policy=policy,
            noise=number_option(options, "noise", 0.0, 1.0, default=noise, whole=False),
            evidence=number_option(options, "evidence", 0.0, 10.0, whole=False),
        )

    def __call__(self, states: States, keys: Keys) -> npt.NDArray[np.int32]:
        """Actions ``i32[n]`` for packed decisions ``u8[n, state_size]`` and keys ``u64[n]``.

        Raises:
            GameError: a position that is no decision.
        """
        return self.means(states, keys)[0]

    def means(
        self, states: States, keys: Keys
    ) -> tuple[
        npt.NDArray[np.int32],
        npt.NDArray[np.float64],
        npt.NDArray[np.int64],
        npt.NDArray[np.int64],
    ]:
        """What it chooses and why.

        Args:
            states: packed decisions ``u8[n, state_size]``.
            keys: of each decision, ``u64[n]``; all random numbers follow from them.

        Returns: actions ``i32[n]``; mean results of the round for the seat to move, ``f64[n, 66]``
            in [-1, 1], NaN where illegal and 0 where there is no choice; worlds ``i64[n]``;
            playouts ``i64[n]``.

        Raises:
            GameError: a position that is no decision.
        """
        return _core.blob_montecarlo(
            self.rules,
            np.ascontiguousarray(states),
            np.ascontiguousarray(keys),
            worlds=self.worlds,
            playouts=self.playouts,
            seconds=self.seconds,
            noise=self.noise,
            evidence=self.evidence,
            policy=self.policy,
        )
