"""Games worth looking at, of a run's replay or of those that it kept: played again by the rules.

Rules of a user's own may raise whatever they like: then the report says so and goes without.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ludus import _core
from ludus.errors import LudusError
from ludus.games import GameEntry
from ludus.monitor.inspect.sampled import newest_sampled
from ludus.monitor.inspect.stored import NoGamesError, newest_of
from ludus.players.tables import is_table_run
from ludus.replay import GameRecords
from ludus.runs import Run
from ludus.training.plays import game_of_run

MOST_GAMES = 4096
"""Newest games that are looked through."""

MOST_KEPT = 1000
"""Newest games that were kept, likewise."""

MOST_PLIES = 600
"""Plies of a transcript."""

_DRAWING_LIMIT = 20_000


def notable_games(path: Path) -> dict[str, Any]:
    """The best and the worst of the newest games.

    With points these are the highest score, the biggest win and the lowest score; without, the
    quickest win and the longest game.

    Returns: ``looked_at`` games, ``games`` (each ``title``, ``game``, ``seats``, ``scores``,
        ``returns``, ``plies``, ``drawing``, ``picture`` (SVG or None), ``moves``), ``problem`` (a
        sentence, or None).
    """
    found: dict[str, Any] = {"looked_at": 0, "games": [], "problem": None}
    try:
        if is_table_run(path):
            _of_tables(path, found)
            return found
        replay, records = newest_of(path, MOST_GAMES)
        entry = game_of_run(replay.run)
        found["looked_at"] = len(records)
        for title, row in _choose(records, has_scores=entry.has_scores):
            found["games"].append({"title": title, **_told(entry, records.take([row]))})
    except NoGamesError:
        found["problem"] = "No game is finished yet."
    except (LudusError, OSError) as error:
        found["problem"] = f"Games cannot be shown: {error}"
    except Exception as error:  # noqa: BLE001 - rules and drawings of users may raise anything
        found["problem"] = f"Games cannot be shown: {type(error).__name__}: {error}"
    return found


def _of_tables(path: Path, found: dict[str, Any]) -> None:
    """Put in the biggest and the narrowest win of the games that a training of tables kept.

    Raises:
        NoGamesError: it has kept none.
    """
    entry, records = game_of_run(Run.open(path, write=False)), newest_sampled(path, MOST_KEPT)
    apart = {number: abs(record.result or 0) for number, record in records.items()}
    found["looked_at"] = len(records)
    chosen = (("Biggest win", max), ("Narrowest win or draw", min))
    for title, most in chosen:
        number = most(apart, key=lambda one: apart[one])
        states, actions = list(records[number].states()), records[number].actions
        moves = [
            {
                "ply": ply,
                "seat": int(state.seat),
                "before": "",
                "action": str(entry.action_text(state, action)),
                "value": None,
            }
            for ply, (state, action) in enumerate(zip(states, actions, strict=False))
        ]
        end = states[-1]
        found["games"].append(
            {
                "title": title,
                "game": number,
                "scores": [float(score) for score in end.scores().tolist()],
                "returns": [float(value) for value in end.returns().tolist()],
                "plies": len(actions),
                **_drawn(entry, end),
                "moves": moves,
            }
        )


def _drawn(entry: GameEntry, state: _core.State) -> dict[str, Any]:
    return {
        "drawing": str(entry.render(state))[:_DRAWING_LIMIT],
        "picture": None if entry.picture is None else entry.picture(state),
    }


def _choose(records: GameRecords, *, has_scores: bool) -> Iterator[tuple[str, int]]:
    """Titles and positions of the games to show; of equals, the first one."""
    scores, plies = records.columns["scores"], records.columns["plies"]
    pointed = has_scores and not np.array_equal(scores, records.columns["returns"])
    if pointed and (scores != scores[0, 0]).any():
        yield "Highest score", int(np.argmax(scores.max(1)))
        if records.seats > 1:
            yield "Biggest win", int(np.argmax(scores.max(1) - scores.min(1)))
        yield "Lowest score", int(np.argmin(scores.min(1)))
        return
    won = (records.columns["returns"] > 0).any(1)
    if won.any():
        yield "Quickest win", int(np.argmin(np.where(won, plies, np.iinfo(plies.dtype).max)))
    yield "Longest game", int(np.argmax(plies))


def _told(entry: GameEntry, record: GameRecords) -> dict[str, Any]:
    """A game from its first move to its last position."""
    columns = record.columns
    state = entry.rules.initial()
    moves: list[dict[str, Any]] = []
    opening, length = int(columns["opening"][0]), int(columns["plies"][0])
    event = entry.event_text(state, opening) if opening >= 0 else ""
    if opening >= 0:
        state.apply_outcome(opening)
    for ply in range(length):
        action, outcome = int(columns["action"][ply]), int(columns["outcome"][ply])
        if ply < MOST_PLIES:
            value = float(columns["root_value"][ply])
            moves.append(
                {
                    "ply": ply,
                    "seat": int(state.seat),
                    "before": str(event),
                    "action": str(entry.action_text(state, action)),
                    "value": round(value, 3),
                }
            )
        state.apply(action)
        event = ""
        if outcome >= 0:
            event = entry.event_text(state, outcome)
            state.apply_outcome(outcome)
    return {
        "game": int(columns["game_id"][0]),
        "scores": [float(score) for score in columns["scores"][0].tolist()],
        "returns": [float(value) for value in columns["returns"][0].tolist()],
        "plies": length,
        **_drawn(entry, state),
        "moves": moves,
    }
