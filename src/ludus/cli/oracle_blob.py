"""``ludus oracle blob values | test``: the last cards of a round with best play of everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.output import in_range, print_json, say, table
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus.games.registry import GameEntry

MOST_WORLDS = 100_000
MOST_ROUNDS = 100_000
ANY_ROUND = "blob:players=3-8,cards=1-13,dealer=free"
"""Rules that have every round that there can be."""

Game = Annotated[
    str, typer.Option("--game", help="The rules, such as blob:players=4,cards=1-7,dealer=free.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def commands() -> typer.Typer:
    """The commands."""
    blob = typer.Typer(
        help="The last cards of a round of Blob with best play of everybody.",
        no_args_is_help=True,
        add_completion=False,
    )
    blob.command("values")(values)
    blob.command("test")(check)
    return blob


def values(
    position: Annotated[
        str, typer.Option("--position", help="A position in one line, as games and replays show.")
    ],
    game: Game = ANY_ROUND,
    worlds: Annotated[
        int, typer.Option("--worlds", help="Deals that the seat to move thinks possible.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", help="The worlds follow from it.")] = 0,
    as_json: Json = False,
) -> None:
    """Points that each card can expect: with all hands open, and over worlds."""
    import numpy as np

    from ludus.games.blob_endgame import open_values, world_values

    entry = _entry(game)
    in_range("--worlds", worlds, 1, MOST_WORLDS)
    in_range("--seed", seed, 0, 2**31 - 1)
    state = entry.parse_position(position)
    if state.kind != "decision":
        raise UserError("--position is no decision: there is no card to play")
    packed = np.frombuffer(state.packed(), np.uint8)[None]
    known = open_values(entry.rules, packed)[0]
    guessed = world_values(entry.rules, packed, worlds, seed)[0]
    actions = sorted(state.legal().tolist(), key=lambda a: (-guessed[a], a))
    rows = [
        {
            "action": action,
            "name": entry.action_text(state, action),
            "open": float(known[action]),
            "worlds": float(guessed[action]),
            "loss": float(guessed[actions[0]] - guessed[action]),
        }
        for action in actions
    ]
    if as_json:
        print_json({"seat": state.seat, "worlds": worlds, "actions": rows})
        return
    say(f"Points of the round that seat {state.seat} can expect, by card")
    say()
    body = [
        (row["name"], f"{row['open']:.2f}", f"{row['worlds']:.2f}", f"{row['loss']:.2f}")
        for row in rows
    ]
    say(table(("card", "all hands open", f"mean of {worlds} worlds", "loss"), body))


def check(
    players: Annotated[list[str], typer.Argument(metavar="PLAYER...", help="Whom to measure.")],
    game: Game = "blob",
    rounds: Annotated[int, typer.Option("--rounds", help="Rounds that positions are from.")] = 200,
    worlds: Annotated[int, typer.Option("--worlds", help="Worlds of each position.")] = 64,
    cards: Annotated[
        int, typer.Option("--cards", help="Most cards in all hands together, up to 24.")
    ] = 15,
    seed: Annotated[int, typer.Option("--seed", help="Rounds and worlds follow from it.")] = 1,
    as_json: Json = False,
) -> None:
    """Points that players give away a card, over worlds, in the same positions for all."""
    import numpy as np

    from ludus import _core
    from ludus.arena.stats import describe
    from ludus.games.blob_endgame import judge_plays
    from ludus.players import parse_player

    entry = _entry(game)
    in_range("--rounds", rounds, 1, MOST_ROUNDS)
    in_range("--worlds", worlds, 1, MOST_WORLDS)
    in_range("--cards", cards, 1, _core.BlobEndgame.most_cards)
    in_range("--seed", seed, 0, 2**31 - 1)
    asked = [(spec, parse_player(spec, entry)) for spec in players]
    states, records = _positions(entry, rounds, cards, seed)
    if not records:
        raise UserError(f"no position of {rounds} rounds has a choice with {cards} cards in hands")
    report: list[dict[str, Any]] = []
    for spec, player in asked:
        chosen = _choices(entry, player, states, records)
        found = judge_plays(entry.rules, states, chosen, worlds=worlds, most=cards, seed=seed)
        regret = found["regret"]
        report.append(
            {
                "player": spec,
                "decisions": len(states),
                "mean_regret": float(regret.mean()),
                "standard_error": describe(regret)["mean_se"],
                "matched": float(np.mean(found["matched"])),
                "over_1": float(np.mean(regret > 1.0)),
            }
        )
    if as_json:
        print_json({"rounds": rounds, "worlds": worlds, "cards": cards, "players": report})
        return
    say(
        f"{len(states):,} plays with a choice and at most {cards} cards in hands, "
        f"from {rounds:,} rounds of rules among itself; {worlds} worlds each"
    )
    say()
    body = [
        (
            row["player"],
            f"{row['mean_regret']:.3f}",
            f"{row['standard_error']:.3f}",
            f"{100 * row['matched']:.1f} %",
            f"{100 * row['over_1']:.1f} %",
        )
        for row in report
    ]
    say(table(("player", "points lost a card", "se", "best card", "over 1 point"), body))


def _positions(entry: GameEntry, rounds: int, cards: int, seed: int) -> tuple[Any, list[Any]]:
    """Plays with a choice that the rule-based player comes to, packed, and the games so far."""
    import numpy as np

    from ludus.games.blob_endgame import judged
    from ludus.players.single import SingleGame

    thumb = entry.players["rules"]({})
    key = np.zeros(1, np.uint64)
    states, records = [], []
    for number in range(rounds):
        game = SingleGame(entry.rules, [None], (seed << 32) + number)
        while game.advance():
            assert game.state is not None  # a person is asked
            packed = np.frombuffer(game.state.packed(), np.uint8)
            if len(game.state.legal()) > 1 and judged(entry.rules, packed[None], cards)[0]:
                states.append(packed)
                records.append(game.columns())
            game.play(int(thumb(packed[None], key)[0]))
    return (np.stack(states) if states else np.zeros((0, 0), np.uint8)), records


def _choices(entry: GameEntry, player: Any, states: Any, records: list[Any]) -> Any:
    """What a player does in each position, ``i32[n]``."""
    import numpy as np

    from ludus.players import ExternalPlayer
    from ludus.players.single import choice_after

    if isinstance(player, ExternalPlayer):
        choose: Callable[..., Any] = player.choose
        return choose(states, np.arange(1, len(states) + 1, dtype=np.uint64))
    return np.array([choice_after(entry.rules, player, one) for one in records], np.int32)


def _entry(game: str) -> GameEntry:
    from ludus.games.registry import get_game

    if game.partition(":")[0] != "blob":
        raise UserError(f"--game is {game!r}; it must be blob or blob: with options")
    return get_game(game)
