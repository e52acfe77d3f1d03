"""Suites: figures of one player measured by games against a fixed opponent.

*Solitaire*: the mean total of a player's seat over 2,000 games against the game's oracle, seats
alternating, every game with a seed of its own. It is a figure of points: a player that maximises
wins may score lower and still be stronger.

*Agreement with an oracle*: how often a player's action is as good as the oracle's best one, by kind
of decision, and how much expected value it gives away (regret).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.arena import stats
from ludus.arena.finished import Columns, GameFigures
from ludus.arena.match import Match
from ludus.arena.playing import MatchSettings
from ludus.arena.replays import decisions_of, final_states
from ludus.arena.seeds import SeedSet
from ludus.errors import UserError
from ludus.players import Player

Floats = npt.NDArray[np.float64]

REGRETS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Regrets, in the oracle's units (Yatzy: points), over which decisions are counted."""


class Judge(Protocol):
    """An oracle's opinion of actions; a game provides it among its suites."""

    def __call__(
        self, states: npt.NDArray[np.uint8], actions: npt.NDArray[np.int32]
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Judge one action in each state.

        Args:
            states: packed decisions ``u8[n, state_size]``.
            actions: legal actions ``i32[n]``.

        Returns: ``matched`` bool[n], the action is as good as the best one; ``ignored`` bool[n],
            the decision does not count, since the oracle's answer is no action of the game;
            ``regret`` f64[n], expected value given away, at least 0.
        """
        ...


def solitaire_figures(
    game: _core.Game, bonus: Callable[[npt.NDArray[np.uint8], npt.NDArray[np.int32]], Any] | None
) -> GameFigures:
    """Total of player 0 and, where the game has one, whether it got the bonus, of each game.

    Args:
        game: the rules.
        bonus: tells from final states ``u8[n, state_size]`` and seats ``i32[n]`` who got it.
    """

    def figures(columns: Columns) -> Mapping[str, Floats]:
        seats = np.argmin(columns["seat_players"], axis=1).astype(np.int32)
        totals = columns["scores"][np.arange(len(seats)), seats].astype(np.float64)
        out = {"total": totals}
        if bonus is not None:
            out["bonus"] = np.asarray(bonus(final_states(game, columns), seats), dtype=np.float64)
        return out

    return figures


class Solitaire:
    """Mean total of a player against the oracle, in slices like a match.

    Args:
        game: the rules.
        player: whom to measure.
        oracle: the opponent.
        games: an even number.
        seed: all seeds follow from it.
        policy_id: how reports call the player (``oracle``, ``champion``, ``candidate``, ...).
        bonus: see :func:`solitaire_figures`.
        settings: how to play; ``paired`` is off whatever it says.

    Raises:
        UserError: an odd number of games, or none.
    """

    def __init__(
        self,
        game: _core.Game,
        player: Player,
        oracle: Player,
        *,
        games: int = 2000,
        seed: int = 1,
        policy_id: str = "player",
        bonus: Callable[[npt.NDArray[np.uint8], npt.NDArray[np.int32]], Any] | None = None,
        settings: MatchSettings | None = None,
        figures: GameFigures | None = None,
    ) -> None:
        if games < 2 or games % 2:
            raise UserError(f"a solitaire suite needs an even number of games, not {games}")
        how = settings or MatchSettings()
        own = solitaire_figures(game, bonus)

        def both(columns: Columns) -> Mapping[str, Floats]:
            return {**own(columns), **(figures(columns) if figures is not None else {})}

        self.policy_id = policy_id
        self.games = games
        self.has_bonus = bonus is not None
        self.match = Match(
            game,
            player,
            oracle,
            SeedSet.generate(seed, games, purpose="solitaire"),
            MatchSettings(how.lanes, how.rows, how.groups, paired=False, record=False),
            figures=both,
        )

    def advance(self, seconds: float) -> bool:
        """Play on for about ``seconds``; True while games are left."""
        return self.match.advance(seconds)

    def run(self) -> dict[str, Any]:
        """Play to the end, close and summarise."""
        self.match.run()
        return self.summary()

    def close(self) -> None:
        """End the lanes."""
        self.match.close()

    def summary(self) -> dict[str, Any]:
        """Mean, std, median, min, max, bonus_rate, games and policy_id of the finished games.

        ``bonus_rate`` is None for a game without a bonus; ``win_rate`` against the oracle comes
        along with its interval.

        Raises:
            ValueError: no game is finished.
        """
        pairs = self.match.pairs_finished
        result = self.match.result(pairs)
        table = self.match.table
        total = stats.describe(table.figures["total"][: 2 * pairs])
        bonus = table.figures["bonus"][: 2 * pairs].mean() if self.has_bonus else None
        return {
            "policy_id": self.policy_id,
            "player": self.match.names[0],
            "opponent": self.match.names[1],
            "games": result.games,
            **total,
            "bonus_rate": None if bonus is None else float(bonus),
            "win_rate": result.rate.rate,
            "win_rate_low": result.rate.low,
            "win_rate_high": result.rate.high,
            "seeds_id": result.seeds_id,
            "seeds_hash": result.seeds_hash,
        }


def match_figures(game: _core.Game, judge: Judge) -> GameFigures:
    """Counts of player 0's decisions, matches, ignored ones and regret in each game, by kind.

    Names: ``<kind>.decisions``, ``<kind>.matched``, ``<kind>.regret`` for each decision kind of the
    game, ``regret_over.<r>`` for each of :data:`REGRETS`, and ``ignored``. Ignored decisions are
    in none of the others.
    """

    def figures(columns: Columns) -> Mapping[str, Floats]:
        count = len(columns["game_id"])
        rows = decisions_of(game, columns, player=0)
        judged = judge(rows.states, rows.actions)
        ignored = np.asarray(judged["ignored"], dtype=bool)
        out: dict[str, Floats] = {"ignored": _per_game(rows.games, ignored, count)}
        regrets = np.where(ignored, 0.0, np.asarray(judged["regret"], dtype=np.float64))
        for least in REGRETS:
            out[f"regret_over.{least}"] = _per_game(rows.games, regrets > least, count)
        for number, kind in enumerate(game.decision_kinds):
            mine = (rows.kinds == number) & ~ignored
            matched = mine & np.asarray(judged["matched"], dtype=bool)
            out[f"{kind}.decisions"] = _per_game(rows.games, mine, count)
            out[f"{kind}.matched"] = _per_game(rows.games, matched, count)
            out[f"{kind}.regret"] = _per_game(rows.games, np.where(mine, regrets, 0.0), count)
        return out

    return figures


def _per_game(games: npt.NDArray[np.int64], values: npt.NDArray[Any], count: int) -> Floats:
    sums = np.bincount(games, weights=values.astype(np.float64), minlength=count)
    return sums.astype(np.float64)


def match_rates(figures: Mapping[str, float], kinds: list[str]) -> dict[str, Any]:
    """The oracle fields of a gate report from summed figures of :func:`match_figures`.

    Args:
        figures: sums over games, as in :attr:`ludus.arena.results.MatchResult.figures`.
        kinds: the game's decision kinds.

    Returns: ``oracle_match_rate_overall`` and ``oracle_match_rate_<kind>`` (None without such a
        decision), ``oracle_keepall_ignored``, ``decisions``, ``mean_regret`` a decision, and
        ``regret_distribution``: the share of decisions that give away more than so much.
    """
    decisions = int(sum(figures[f"{kind}.decisions"] for kind in kinds))

    def share(of: str, by: str, chosen: list[str]) -> float | None:
        total = sum(figures[f"{kind}.{by}"] for kind in chosen)
        return sum(figures[f"{kind}.{of}"] for kind in chosen) / total if total else None

    return {
        "oracle_match_rate_overall": share("matched", "decisions", kinds),
        **{f"oracle_match_rate_{kind}": share("matched", "decisions", [kind]) for kind in kinds},
        "oracle_keepall_ignored": int(figures["ignored"]),
        "decisions": decisions,
        "mean_regret": share("regret", "decisions", kinds),
        **{f"mean_regret_{kind}": share("regret", "decisions", [kind]) for kind in kinds},
        "regret_distribution": {
            str(least): figures[f"regret_over.{least}"] / decisions if decisions else None
            for least in REGRETS
        },
    }
