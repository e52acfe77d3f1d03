"""Games that a training of pattern tables has kept: its samples, move by move.

Such a training has no replay; one game in ``td.record_every`` is a transcript in
``logs/games.ndjson``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ludus import _core
from ludus.errors import GameError, RunError
from ludus.evaluators.tables import TableEvaluator
from ludus.games.othello import render
from ludus.games.othello_position import PASS, position_text
from ludus.games.othello_records import OthelloRecord, difference, parse_transcript
from ludus.monitor.inspect.findings import Anomaly
from ludus.monitor.inspect.learning import trace_game
from ludus.monitor.inspect.stored import NoGamesError
from ludus.runs import Run, read_ndjson

_SHOWN = 5


def sampled_games(run: str | Path) -> dict[int, str]:
    """Transcripts of the games that a run has kept, by their number from its birth.

    Raises:
        NoGamesError: it has kept none.
    """
    path = Path(run) / "logs" / "games.ndjson"
    records = read_ndjson(path)[0] if path.is_file() else []
    found = {
        int(record["step"]): str(record["moves"])
        for record in records
        if record.get("event") == "transcript"
    }
    if not found:
        raise NoGamesError(
            f"{run} has kept no game yet: it keeps one in td.record_every (see its config.yaml)"
        )
    return dict(sorted(found.items()))


def newest_sampled(run: str | Path, most: int) -> dict[int, OthelloRecord]:
    """The newest games that a run has kept, played again by the rules, by number.

    Raises:
        NoGamesError: it has kept none.
        GameError: a damaged transcript.
    """
    newest = list(sampled_games(run).items())[-most:]
    return {number: parse_transcript(moves, number=number) for number, moves in newest}


def sampled_game(run: str | Path, number: int) -> OthelloRecord:
    """A game that a run has kept, played again by the rules.

    Raises:
        RunError: it was not kept; the sentence names some that were.
        GameError: its transcript is damaged.
    """
    games = sampled_games(run)
    if number not in games:
        near = sorted(sorted(games, key=lambda one: abs(one - number))[:_SHOWN])
        raise RunError(
            f"{run} has not kept game {number}; it has {len(games)} games, such as "
            f"{', '.join(map(str, near))}"
        )
    return parse_transcript(games[number], number=number)


def sampled_state(run: str | Path, number: int, ply: int) -> _core.State:
    """The position of a kept game before its decision ``ply``, passes counted.

    Raises:
        RunError: no such game, or no such decision in it.
    """
    states = list(sampled_game(run, number).states())
    if ply >= len(states):
        raise RunError(f"game {number} has {len(states) - 1} plies: there is no decision {ply}")
    return states[ply]


def describe_sampled(
    run: str | Path, number: int, plies: Sequence[int] | None = None, *, drawings: bool = False
) -> dict[str, Any]:
    """A kept game as a document, with what the newest committed tables think of each move.

    Args:
        run: the directory.
        number: of the game.
        plies: which ones, passes counted; all by default.
        drawings: whether each ply has a drawing of its position.

    Returns: JSON: ``game``, ``transcript``, ``difference`` (black's discs less white's),
        ``total_plies`` and ``plies``, each with ``ply``, ``position``, ``text`` (the move), and for
        moves the fields of :class:`~ludus.monitor.inspect.learning.TracedMove`.

    Raises:
        RunError: no such game or ply.
        GameError: its transcript is damaged.
    """
    record = sampled_game(run, number)
    settings = Run.open(run, write=False).config["td"]
    trace = trace_game(
        TableEvaluator(run).tables,
        record.actions,
        trace_lambda=float(settings["trace_lambda"]),
        cut=bool(settings["cut"]),
        error_clip=float(settings["error_clip"]),
    )
    moves, shown = iter(trace.moves), list[dict[str, Any]]()
    for ply, (state, action) in enumerate(zip(record.states(), record.actions, strict=False)):
        one: dict[str, Any] = {"ply": ply, "position": position_text(state)}
        one |= {"text": "pass"} if action == PASS else asdict(next(moves))
        one.setdefault("text", one.get("square"))
        if drawings:
            one["drawing"] = render(state)
        shown.append(one)
    for ply in plies or ():
        if ply >= len(shown):
            raise RunError(f"game {number} has the plies 0 to {len(shown) - 1}, and no ply {ply}")
    return {
        "game": number,
        "transcript": sampled_games(run)[number],
        "difference": difference(record.end()),
        "total_plies": len(shown),
        "plies": shown if plies is None else [shown[ply] for ply in plies],
    }


def sampled_text(document: dict[str, Any]) -> str:
    """:func:`describe_sampled` for people: a line a move, in discs for the side that moved."""
    lines = [
        f"game {document['game']}, {document['total_plies']} plies, black ends "
        f"{document['difference']:+d}; by the newest tables, in discs for the side that moves; "
        "* is not the best move",
        document["transcript"],
    ]
    for one in document["plies"]:
        if "drawing" in one:
            lines += ["", one["drawing"]]
        line = f"{one['ply']:>4} {one['text']:>4}"
        if "seat" in one:
            line = (
                f"{one['ply']:>4} {'XO'[one['seat']]} {one['text']}{' ' if one['greedy'] else '*'}"
            )
            line += f" best {one['best']:+8.3f}  value {one['value']:+8.3f}"
            line += f"  target {one['target']:+8.3f}"
            line += f"  error {one['error']:+7.3f}" if one["learns"] else ""
        lines.append(line)
    return "\n".join(lines)


def sampled_anomalies(run: str | Path, games: int) -> tuple[int, list[Anomaly]]:
    """What is odd in the newest games that a run has kept.

    Args:
        run: the directory.
        games: at most so many are played again.

    Returns: how many were, and the findings: games against the rules, cut off, or the same again.

    Raises:
        NoGamesError: it has kept none.
    """
    newest = list(sampled_games(run).items())[-games:]
    found: list[Anomaly] = []
    same: defaultdict[str, list[int]] = defaultdict(list)
    for number, moves in newest:
        same[moves].append(number)
        try:
            over = difference(parse_transcript(moves, number=number).end()) is not None
        except GameError as error:
            found.append(Anomaly("game_damaged", "error", str(error), {"game": number}))
            continue
        if not over:
            text = f"game {number} ends after {len(moves) // 2} moves, before it is over"
            found.append(Anomaly("game_damaged", "error", text, {"game": number}))
    groups = [numbers for numbers in same.values() if len(numbers) > 1]
    if groups:
        extra = sum(len(numbers) - 1 for numbers in groups)
        first = max(groups, key=len)[:_SHOWN]
        found.append(
            Anomaly(
                "repeated_games",
                "notice",
                f"{extra} of {len(newest)} games repeat another one move by move, such as games "
                f"{', '.join(map(str, first))}",
                {"game": first[0], "games": first, "repeated": extra},
            )
        )
    return len(newest), found
