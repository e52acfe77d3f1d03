"""``ludus oracle``: exact answers. ``ludus oracle yatzy expected | simulate | value | advise``.

Those of other games are in :mod:`ludus.cli.oracle_othello` and :mod:`ludus.cli.oracle_blob`.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import Annotated, Any

import typer

from ludus.cli import oracle_blob, oracle_othello
from ludus.cli.output import in_range, note, print_json, say, table
from ludus.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Mask = Annotated[
    int, typer.Argument(metavar="MASK", help="Free categories: bit (14 - category); all are 32767.")
]
Upper = Annotated[
    int, typer.Argument(metavar="UPPER", help="Points of the upper half so far, 63 at most.")
]

MAX_GAMES = 100_000_000


def register(app: typer.Typer) -> None:
    """Add the commands."""
    oracle = typer.Typer(help="Ask an exact solver.", no_args_is_help=True, add_completion=False)
    yatzy = typer.Typer(
        help="Solitaire Yatzy, solved exactly for expected points.",
        no_args_is_help=True,
        add_completion=False,
    )
    yatzy.command("expected")(expected)
    yatzy.command("simulate")(simulate)
    yatzy.command("value")(value)
    yatzy.command("advise")(advise)
    oracle.add_typer(yatzy, name="yatzy")
    oracle.add_typer(oracle_othello.commands(), name="othello")
    oracle.add_typer(oracle_blob.commands(), name="blob")
    app.add_typer(oracle, name="oracle")


def expected(as_json: Json = False) -> None:
    """Expected points of a whole game."""
    from ludus.games.yatzy_oracle import shared_oracle

    oracle = shared_oracle()
    points = oracle.expected()
    if as_json:
        print_json(
            {
                "expected": points,
                "build_seconds": oracle.build_seconds,
                "table_bytes": oracle.table_bytes,
                "classes": oracle.classes,
            }
        )
    else:
        say(f"{points:.2f}")


def simulate(
    games: Annotated[int, typer.Option("--games", help="How many games.")] = 100_000,
    seed: Annotated[int, typer.Option("--seed", help="All dice follow from it.")] = 1,
    policy: Annotated[str, typer.Option("--policy", help="oracle or greedy.")] = "oracle",
    threads: Annotated[int, typer.Option("--threads", help="Changes speed, not results.")] = 2,
    as_json: Json = False,
) -> None:
    """Play solitaire games and describe their points."""
    from ludus.games.yatzy_oracle import play_in_slices, summarise

    in_range("--games", games, 1, MAX_GAMES)
    in_range("--seed", seed, 0, 2**64 - 1)
    in_range("--threads", threads, 1, 64)
    if policy not in ("oracle", "greedy"):
        raise UserError(f"--policy is {policy!r}; it must be oracle or greedy")
    start = time.perf_counter()
    slices = []
    done = 0
    live = sys.stderr.isatty()
    for part in play_in_slices(games, seed, policy, threads):
        slices.append(part)
        done += len(part[0])
        if live:
            sys.stderr.write(f"\r{done:,} of {games:,} games")
            sys.stderr.flush()
    if live:
        sys.stderr.write("\r\x1b[K")
    result = summarise(slices, seed=seed, policy=policy)
    seconds = time.perf_counter() - start
    if as_json:
        print_json({**dataclasses.asdict(result), "seconds": seconds})
        return
    say(f"{result.games:,} solitaire games of {policy}, seed {seed}")
    say(f"  mean       {result.mean:.2f}  (standard error {result.standard_error:.2f})")
    say(f"  std        {result.std:.2f}")
    say(f"  median     {result.median:.0f}")
    say(f"  min, max   {result.min}, {result.max}")
    say(f"  bonus      {100 * result.bonus_rate:.2f} %")
    say(f"  yatzy      {100 * result.yatzy_rate:.2f} %")
    say()
    most = max(result.bins)
    for number, count in enumerate(result.bins):
        low = result.bin_start + number * result.bin_width
        bar = "#" * round(50 * count / most)
        say(f"  {low:>3}-{low + result.bin_width - 1:<3} {count:>9,}  {bar}".rstrip())
    note(f"{seconds:.1f} s")


def value(free: Mask, upper: Upper, as_json: Json = False) -> None:
    """Expected points still to come on a card, a bonus still to be earned included."""
    from ludus.games.yatzy_oracle import shared_oracle

    _require_card(free, upper)
    points = shared_oracle().value(free, upper)
    if as_json:
        print_json({"value": points, "mask": free, "upper": upper, "free": _names(free)})
    else:
        say(f"{points:.4f}")


def advise(
    dice: Annotated[str, typer.Argument(metavar="DICE", help="As 66345 or 6,6,3,4,5.")],
    rerolls: Annotated[int, typer.Argument(metavar="REROLLS", help="Rerolls left: 0, 1 or 2.")],
    free: Mask,
    upper: Upper,
    as_json: Json = False,
) -> None:
    """All legal actions with their expected points, best first."""
    faces = parse_dice(dice)
    in_range("REROLLS", rerolls, 0, 2)
    _require_card(free, upper)
    if free == 0:
        raise UserError("MASK is 0: every category is marked, there is nothing to decide")
    actions = _advice(faces, rerolls, free, upper)
    if as_json:
        print_json(
            {
                "dice": faces,
                "rerolls": rerolls,
                "mask": free,
                "upper": upper,
                "value": actions[0]["value"],
                "actions": actions,
            }
        )
        return
    left = ("no reroll", "1 reroll", "2 rerolls")[rerolls]
    say(f"dice {' '.join(map(str, faces))}, {left} left, upper total {upper}")
    say(f"free: {', '.join(_names(free))}")
    say()
    rows: dict[str, list[Any]] = {}
    for action in actions:
        if action["name"] in rows:
            rows[action["name"]][2] += f" {action['index']}"
            continue
        rows[action["name"]] = [
            "*" if action["optimal"] else "",
            action["name"],
            str(action["index"]),
            f"{action['value']:9.4f}",
            f"{action['value'] - actions[0]['value']:9.4f}" if not action["optimal"] else "",
        ]
    say(table(("", "action", "index", "   points", "    loss"), list(rows.values())))


def parse_dice(text: str) -> list[int]:
    """Five sorted faces from ``66345``, ``6,6,3,4,5`` or ``6 6 3 4 5``.

    Raises:
        UserError: not five faces 1..6.
    """
    digits = text.replace(",", "").replace(" ", "")
    if len(digits) != 5 or any(char not in "123456" for char in digits):
        raise UserError(f"DICE is {text!r}; it must be five faces from 1 to 6, such as 66345")
    return sorted(map(int, digits))


def _advice(faces: list[int], rerolls: int, free: int, upper: int) -> list[dict[str, Any]]:
    from ludus.games.yatzy_cards import CATEGORIES, MARK, kept_dice, score
    from ludus.games.yatzy_oracle import shared_oracle

    oracle = shared_oracle()
    indices, values = oracle.advise(faces, rerolls, free, upper)
    best = float(values.max())
    dice = tuple(faces)
    actions: list[dict[str, Any]] = []
    for index, points in zip(indices.tolist(), values.tolist(), strict=True):
        action: dict[str, Any] = {"index": index, "value": points}
        if index < MARK:
            kept = kept_dice(dice, index)
            name = f"keep {' '.join(map(str, kept)) or 'none'}"
            action |= {"kind": "keep", "name": name, "mask": index, "kept": list(kept)}
        else:
            category = index - MARK
            action |= {
                "kind": "mark",
                "name": f"mark {CATEGORIES[category]}",
                "mask": None,
                "category": category,
                "score": score(dice, category),
            }
        actions.append(action | {"optimal": points >= best - oracle.tolerance})
    # Equal values stay in order of their index, and so do the masks of equal dice.
    return sorted(actions, key=lambda action: (not action["optimal"], -action["value"]))


def _names(free: int) -> list[str]:
    from ludus.games.yatzy_cards import CATEGORIES, free_categories

    return [CATEGORIES[category] for category in free_categories(free)]


def _require_card(free: int, upper: int) -> None:
    from ludus import _core

    in_range("MASK", free, 0, 32767)
    in_range("UPPER", upper, 0, 63)
    if not _core.YatzyOracle.reachable(free, upper):
        raise UserError(
            f"UPPER is {upper}, but no marks that leave the free categories of mask {free} "
            "can give that upper total"
        )
