"""A recorded game, ply by ply, and its searches done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ludus import _core
from ludus.errors import RunError
from ludus.games import GameEntry
from ludus.monitor.inspect.position import searched_document
from ludus.monitor.inspect.searching import Searched, decide
from ludus.monitor.inspect.stored import StoredReplay, first_plies, plies_of
from ludus.players import Player, SearchPlayer, parse_player, search_player
from ludus.replay import GameRecords
from ludus.runs import Run
from ludus.training import amounts
from ludus.training.derived import search_settings
from ludus.training.plays import game_of_run
from ludus.training.settings import Settings

RULES = ("none", "puct", "gumbel")
"""Rules of a search as records number them."""

_FLAGS = {1: "searched", 2: "forced", 4: "capped", 8: "fallback"}

PLAYED = "played"
"""Asks for the weights and settings that played the game."""


def flag_names(flags: int) -> list[str]:
    """What a ply's flags say."""
    return [name for bit, name in _FLAGS.items() if flags & bit]


def state_before(entry: GameEntry, record: GameRecords, ply: int) -> _core.State:
    """The position of a recorded game before its decision ``ply``; after the last one its end."""
    columns = record.columns
    state = entry.rules.initial()
    opening = int(columns["opening"][0])
    if opening >= 0:
        state.apply_outcome(opening)
    for number in range(ply):
        state.apply(int(columns["action"][number]))
        outcome = int(columns["outcome"][number])
        if outcome >= 0:
            state.apply_outcome(outcome)
    return state


def require_ply(record: GameRecords, ply: int) -> int:
    """A ply that the game has.

    Raises:
        RunError: naming those that there are.
    """
    last = int(record.columns["plies"][0]) - 1
    if not 0 <= ply <= last:
        game = int(record.game_ids[0])
        raise RunError(f"game {game} has the plies 0 to {last}, and no ply {ply}")
    return ply


def describe_game(
    replay: StoredReplay, game: int, plies: Sequence[int] | None = None, *, drawings: bool = False
) -> dict[str, Any]:
    """A recorded game as a document.

    Args:
        replay: of the run.
        game: its number, from the run's birth.
        plies: which ones; all by default.
        drawings: whether each ply has a drawing of its position.

    Returns: JSON: game, seed, iteration, scores, returns, ``opening`` and ``plies``, each with
        position, action, text, ``chance`` after it, value, temperature, simulations, rule, flags
        and ``edges`` as in :func:`~ludus.monitor.inspect.position.searched_document`.

    Raises:
        RunError: the replay does not have the game, or the game not the ply.
    """
    record = replay.find(game)
    entry = game_of_run(replay.run)
    columns = record.columns
    stored = plies_of(record)
    targets = _targets(replay, entry, record)
    chosen = range(len(stored)) if plies is None else plies
    shown = []
    for ply in chosen:
        state = state_before(entry, record, require_ply(record, ply))
        shown.append(_ply(entry, state, ply, stored[ply], targets[ply], drawings=drawings))
    opening = int(columns["opening"][0])
    players = state_before(entry, record, 0).players
    return {
        "game": game,
        "seed": int(columns["seed"][0]),
        "iteration": iteration_of(replay.run, game),
        "scores": columns["scores"][0].tolist()[:players],
        "returns": columns["returns"][0].tolist()[:players],
        "opening": entry.event_text(entry.rules.initial(), opening) if opening >= 0 else None,
        "total_plies": len(stored),
        "plies": shown,
    }


def _targets(replay: StoredReplay, entry: GameEntry, record: GameRecords) -> list[Sequence[float]]:
    """The policy target of each ply over its searched actions; empty where nothing is taught."""
    schema, plies = replay.schema, record.samples
    rows = _core.decode_rows(
        entry.rules,
        dict(record.columns),
        np.zeros(plies, np.int64),
        np.arange(plies, dtype=np.int32),
        schema.c_visit,
        schema.c_scale,
        schema.q_spread,
    )
    offsets = rows["offsets"].tolist()
    return [
        rows["policy"][offsets[ply] : offsets[ply + 1]].tolist() if rows["searched"][ply] else ()
        for ply in range(plies)
    ]


def _ply(
    entry: GameEntry,
    state: _core.State,
    ply: int,
    stored: Any,
    target: Sequence[float],
    *,
    drawings: bool,
) -> dict[str, Any]:
    edges = len(stored["visits"])
    searched = Searched(
        int(stored["action"]),
        float(stored["root_value"]) if edges else None,
        state.search_actions().tolist() if edges else (),
        stored["visits"],
        stored["q"],
        stored["prior"],
        target if len(target) == edges else (),
    )
    document = searched_document(entry, state, searched)
    found = {
        "ply": ply,
        "seat": int(state.seat),
        "position": entry.position_text(state),
        "action": document["action"],
        "text": document["text"],
        "value": document["value"],
        "simulations": int(stored["simulations"]),
        "temperature": float(stored["temperature"]),
        "rule": RULES[int(stored["rule"])],
        "flags": flag_names(int(stored["flags"])),
        "edges": document["edges"],
        "chance": None,
    }
    if drawings:
        found["drawing"] = entry.render(state)
    outcome = int(stored["outcome"])
    if outcome >= 0:
        after = state.copy()
        after.apply(document["action"])
        found["chance"] = entry.event_text(after, outcome)
    return found


def iteration_of(run: Run, game: int) -> int:
    """The iteration that played a game; their numbers of games are fixed at the run's birth."""
    return amounts.iteration_of(game, *amounts.amounts_of(run.config["selfplay"]))


def champion_of(run: Run, iteration: int) -> int:
    """The unit of the champion that played an iteration: the last one promoted before it."""
    promoted = [
        int(entry["iteration"]) + 1
        for entry in run.iterations
        if entry.get("promoted") and int(entry["iteration"]) < iteration
    ]
    return max(promoted, default=0)


def player_that_played(run: Run, entry: GameEntry, game: int) -> SearchPlayer:
    """The champion that played a game with the search of self-play: noise, budgets, playout cap.

    Settings are those of the run's birth, with the budgets that the iteration recorded.

    Raises:
        RunError: the weights are not stored any more.
    """
    iteration = iteration_of(run, game)
    unit = champion_of(run, iteration)
    sections = {key: run.config[key] for key in Settings.model_fields if key in run.config}
    settings = Settings.model_validate(sections)
    search = search_settings(settings, entry.rules)
    record: dict[str, Any] = next(
        (one for one in run.iterations if one.get("iteration") == iteration), {}
    )
    budgets = (record.get("selfplay") or {}).get("budgets") or search["simulations"]
    search |= {
        "simulations": budgets,
        "noise_alpha": settings.search.dirichlet_alpha,
        "noise_fraction": settings.search.dirichlet_fraction,
    }
    if settings.search.full_fraction < 1.0:
        search["full_fraction"] = settings.search.full_fraction
        search["fast_simulations"] = [settings.search.fast_budget] * len(budgets)
    found = search_player(entry.rules, run.path, model=str(unit))
    return replace(found, settings=search, name=f"champion of unit {unit}")


def search_again(
    replay: StoredReplay, game: int, plies: Sequence[int], who: str
) -> list[dict[str, Any]]:
    """Do searches of a recorded game again, and say where they differ from the record.

    Args:
        replay: of the run.
        game: its number.
        plies: which decisions.
        who: :data:`PLAYED`, ``champion``, or a player's specification.

    Returns: for each ply ``ply``, ``search`` (as in
        :func:`~ludus.monitor.inspect.position.searched_document`), ``same_action``,
        ``same_visits`` and ``moved_visits``, the share of visits that went elsewhere.

    Raises:
        RunError, PlayerError: no such game, ply or player, or its weights are gone.
    """
    run = replay.run
    entry = game_of_run(run)
    record = replay.find(game)
    player = _player(run, entry, game, who)
    seed, (slots, group) = int(run.config["run"]["seed"]), _shape(run)
    stored = plies_of(record)
    found = []
    for ply in plies:
        state = state_before(entry, record, require_ply(record, ply))
        then = stored[ply]
        now = decide(
            entry.rules,
            _at(player, then) if who == PLAYED else player,
            first_plies(record, ply),
            seed=seed,
            slots=slots,
            group_size=group,
        )
        same = list(now.visits) == list(then["visits"])
        found.append(
            {
                "ply": ply,
                "player": player.name,
                "search": searched_document(entry, state, now),
                "same_action": now.action == int(then["action"]),
                "same_visits": same,
                "moved_visits": 0.0 if same else _moved(now.visits, then["visits"]),
            }
        )
    return found


def _at(player: Player, stored: Any) -> Player:
    """The player with the temperature that a ply was played with."""
    assert isinstance(player, SearchPlayer)
    return replace(
        player, settings={**player.settings, "temperature": [float(stored["temperature"])]}
    )


def _player(run: Run, entry: GameEntry, game: int, who: str) -> Player:
    if who == PLAYED:
        return player_that_played(run, entry, game)
    if who in ("champion", "candidate"):
        return search_player(entry.rules, run.path, model=who)
    player: Player = parse_player(who, entry)
    if not isinstance(player, SearchPlayer):
        raise RunError(f"player {who!r} does not search: name one that does, or {PLAYED}")
    return player


def _shape(run: Run) -> tuple[int, int]:
    selfplay = run.config["selfplay"]
    return int(selfplay["slots"]), int(selfplay["group_size"])


def _moved(now: Sequence[int], then: Sequence[int]) -> float | None:
    """The share of visits that another edge got; None where edges or visits are missing."""
    if len(now) != len(then) or not sum(now) or not sum(then):
        return None
    return 0.5 * sum(abs(a / sum(now) - b / sum(then)) for a, b in zip(now, then, strict=True))
