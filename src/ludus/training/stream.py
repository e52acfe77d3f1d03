"""Records of the metric stream that are made of finished games and of checkpoints.

``game_stats`` and ``game_details`` are about blocks of consecutive games (:mod:`blocks`): game
numbers decide what is in a record, never the clock, so a run that was killed has the same records
as one that was not. Two things depend on time: figures of time and of search work, and, only where
play is faster than :data:`RECORDS_A_SECOND` blocks a second for long, how many of them share one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ludus.logs import get_logger
from ludus.replay import GameRecords
from ludus.runs import CheckpointEntry
from ludus.training.blocks import SCALE, Blocks, Sums, Table
from ludus.training.memory import resident_bytes
from ludus.training.rating import elo_of
from ludus.training.session import Session

RECORDS_A_SECOND = 1.0
"""Records of a kind in the long run; blocks that are complete beyond that share the next one."""

BURST = 32
"""Records of a kind that may come at once: all games of a lane like to end together."""

SEARCH = ("simulations", "expansions", "collisions", "terminals", "depth", "decisions")
"""Counters of the slots that ``game_details`` tells of."""

_LOG = get_logger("training.stream")


class GameStream:
    """Writes ``game_stats`` and ``game_details`` for the phase that plays."""

    def __init__(
        self,
        session: Session,
        counters: Mapping[str, int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on where the run's last commit left the stream.

        Args:
            session: of the run; ``session.record`` has the phase already.
            counters: of the slots, as they begin in this process.
            clock: seconds, monotonic.
        """
        self._session = session
        self._clock = clock
        self._played = session.settings.selfplay.games_before(session.iteration)
        self._counters = dict(counters)
        metrics = session.settings.metrics
        saved = _stored(session)
        self._blocks: dict[str, Blocks] = {}
        self._held: dict[str, Sums | None] = {}
        self._allowed = {"game_stats": float(BURST), "game_details": float(BURST)}
        self._last = clock()
        for kind, every in (
            ("game_stats", metrics.game_stats_every),
            ("game_details", metrics.game_details_every),
        ):
            mine = saved.get(kind)
            blocks = Blocks(every, self._played) if mine is None else Blocks.from_json(mine)
            blocks.begin(every, self._played)
            self._blocks[kind] = blocks
            held = None if mine is None else mine["held"]
            self._held[kind] = None if held is None else Sums(**held)
        self._search: dict[str, float] = dict(saved.get("search") or dict.fromkeys(SEARCH, 0))

    def add(
        self,
        table: Table,
        counters: Mapping[str, int],
        games_per_second: float | None,
    ) -> None:
        """Count games that have ended, and write the records that are due.

        Args:
            table: of the games, at least one.
            counters: of the slots of this process.
            games_per_second: present speed, for the records.
        """
        totals = self._session.run.counters
        totals.add("selfplay_games", len(table.ids))
        totals.add("plies", int(table.sums["plies"].sum()))
        totals.add("draws", int(table.sums["draws"].sum()))
        for seat in range(table.seats):
            totals.add(f"wins_seat_{seat}", int(table.sums[f"wins_{seat}"].sum()))
        for blocks in self._blocks.values():
            blocks.add(table)
        self._look(counters)
        self._write(self._played, games_per_second, at_once=False)

    def finish(
        self, played: int, counters: Mapping[str, int], games_per_second: float | None
    ) -> None:
        """Write what is complete at the end of the phase.

        Args:
            played: id below which every game has ended or never will.
            counters: of the slots of this process.
            games_per_second: speed of the phase.
        """
        self._look(counters)
        self._played = played
        self._write(played, games_per_second, at_once=True)

    def save(self) -> None:
        """Put the state into the record of the iteration, with which it is committed."""
        for entry in self._session.run.iterations[-2:-1]:
            (entry.get("selfplay") or {}).pop("stream", None)
        state: dict[str, Any] = {"search": self._search}
        for kind, blocks in self._blocks.items():
            held = self._held[kind]
            state[kind] = {**blocks.as_json(), "held": None if held is None else held.as_json()}
        self._session.record["selfplay"]["stream"] = state

    def _look(self, counters: Mapping[str, int]) -> None:
        for name in SEARCH:
            self._search[name] += max(0, counters[name] - self._counters[name])
            self._counters[name] = counters[name]

    def _write(self, played: int, games_per_second: float | None, *, at_once: bool) -> None:
        now = self._clock()
        gained, self._last = RECORDS_A_SECOND * (now - self._last), now
        for kind in self._blocks:
            self._allowed[kind] = min(float(BURST), self._allowed[kind] + gained)
            for sums in self._blocks[kind].take(played):
                held = self._held[kind]
                self._held[kind] = sums if held is None else held.merge(sums)
                if self._allowed[kind] >= 1.0:
                    self._append(kind, games_per_second)
            if self._held[kind] is not None and (at_once or self._allowed[kind] >= 1.0):
                self._append(kind, games_per_second)

    def _append(self, kind: str, games_per_second: float | None) -> None:
        session, sums = self._session, self._held[kind]
        assert sums is not None
        self._held[kind] = None
        self._allowed[kind] -= 1.0
        fields = self._stats(sums) if kind == "game_stats" else self._details(sums)
        session.run.metrics.append(
            kind,
            step=sums.end,
            iteration=session.iteration,
            first_game=sums.first,
            games=int(sums["games"]),
            **fields,
            elapsed_seconds=session.run.elapsed_seconds,
            games_per_second=games_per_second,
            eta_seconds=session.eta_seconds(),
        )
        _LOG.debug(kind, event=kind, first_game=sums.first, games=int(sums["games"]), **fields)

    def _stats(self, sums: Sums) -> dict[str, Any]:
        seats = self._session.rules.num_seats
        # Where all points are always shared out, their mean never changes and says nothing.
        fixed = self._session.entry.fixed_total is not None
        return {
            "win_rates": [sums.mean(f"wins_{seat}") for seat in range(seats)],
            "draws": int(sums["draws"]),
            "mean_score": None if fixed else sums.mean("score", scale=SCALE),
            "score_difference": sums.mean("difference", scale=SCALE) if seats > 1 else None,
            "score_difference_std": sums.std("difference", "difference_squares", "games", SCALE)
            if seats > 1
            else None,
            "mean_plies": sums.mean("plies"),
        }

    def _details(self, sums: Sums) -> dict[str, Any]:
        search, self._search = self._search, dict.fromkeys(SEARCH, 0)
        simulations = search["simulations"]
        return {
            "value": {
                "mean": sums.mean("value", "searched", SCALE),
                "std": sums.std("value", "value_squares", "searched", SCALE * SCALE),
                "min": sums.low,
                "max": sums.high,
            },
            "searched": int(sums["searched"]),
            "simulations": int(sums["simulations"]),
            "simulations_per_decision": sums.mean("simulations", "searched"),
            "depth": search["depth"] / simulations if simulations else None,
            "expansions": int(search["expansions"]),
            "collisions": int(search["collisions"]),
            "terminals": int(search["terminals"]),
            "cache_hit_rate": None,  # self-play has no cache: each leaf is another position
            "memory_bytes": resident_bytes(),
        }


def _stored(session: Session) -> Mapping[str, Any]:
    """The state of the newest entry that has one: of this phase, or of the iteration before."""
    for entry in reversed(session.run.iterations[-2:]):
        found = (entry.get("selfplay") or {}).get("stream")
        if found is not None:
            return dict(found)
    return {}


def checkpoint_summary(session: Session, entry: CheckpointEntry) -> None:
    """Write the record ``checkpoint_summary``: what the run has come to at a checkpoint.

    Args:
        session: of the run.
        entry: the checkpoint that was just saved.
    """
    run = session.run
    counters = run.counters.as_dict()
    games = counters.get("selfplay_games", 0)
    seconds = run.elapsed_seconds
    losses: dict[str, Any] = next(
        (one["train"] for one in reversed(run.iterations) if "loss_total" in one.get("train", {})),
        {},
    )
    run.metrics.append(
        "checkpoint_summary",
        step=games,
        iteration=session.iteration,
        path=entry.path,
        bytes=entry.size,
        kind=entry.where,
        counters=counters,
        promotions=sum(bool(one.get("promoted")) for one in run.iterations),
        mean_plies=counters.get("plies", 0) / games if games else None,
        draw_rate=counters.get("draws", 0) / games if games else None,
        win_rates=[
            counters.get(f"wins_seat_{seat}", 0) / games if games else None
            for seat in range(session.rules.num_seats)
        ],
        loss=losses.get("loss_total"),
        loss_policy=losses.get("loss_policy"),
        loss_value=losses.get("loss_value"),
        elo=elo_of(run.iterations, session.champion.ref.sha256),
        **session.learned_so_far(),
        elapsed_seconds=seconds,
        games_per_second=games / seconds if seconds > 0 else None,
        eta_seconds=session.eta_seconds(),
    )


def score_figures(
    records: GameRecords, *, margin_weight: float = 0.0, margin_scale: float = 1.0
) -> dict[str, float | None]:
    """What learning health looks at in the games of an iteration.

    Args:
        records: games of the iteration that are at hand.
        margin_weight: share of the margin in the values of the search.
        margin_scale: points that make a large margin (of the game).

    Returns: ``score_variance``: of scores over games and seats. ``value_error_variance``: of the
        difference between a search's root value and what its seat got (return and margin in the
        search's own shares), over searched plies. None where there is nothing to count, and
        with more than two seats.
    """
    columns = records.columns
    scores = columns["scores"][records.seats_in_play]
    searched = columns["edges"] > 0
    owner = np.repeat(np.arange(len(records)), columns["plies"])[searched]
    seats = columns["seat"].astype(np.int64)[searched]
    came = columns["returns"].astype(np.float64)
    variance = {"score_variance": float(scores.var(dtype=np.float64)) if scores.size else None}
    if records.seats > 2:  # the search values stages there, and margins are the game's own
        return {**variance, "value_error_variance": None}
    if margin_weight > 0.0 and records.seats > 1:
        points = columns["scores"].astype(np.float64)
        others = [np.delete(points, seat, 1).max(1) for seat in range(records.seats)]
        margins = np.tanh((points - np.stack(others, 1)) / margin_scale)
        came = (1.0 - margin_weight) * came + margin_weight * margins
    error = columns["root_value"].astype(np.float64)[searched] - came[owner, seats]
    return {**variance, "value_error_variance": float(error.var()) if error.size else None}
