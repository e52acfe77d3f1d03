"""Stored Othello positions, and random ones near the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ludus.games import get_game
from ludus.games.othello_position import SQUARES, Discs

OTHELLO = get_game("othello")
DATA = Path(__file__).parents[1] / "data"


def published():
    """Number -> (state, exact score for the mover, best actions) of the endgame test set."""
    found = {}
    for line in (DATA / "othello_endgames.txt").read_text().splitlines():
        if not line.startswith("#"):
            number, board, side, _, score, *moves = line.split()
            best = [SQUARES.index(move) for move in moves[: moves.index("next")]]
            found[int(number)] = (OTHELLO.parse_position(f"{board} {side}"), int(score), best)
    return found


def midgames():
    """The stored positions with 36 empty squares."""
    lines = (DATA / "othello_midgames.txt").read_text().splitlines()
    return [OTHELLO.parse_position(line) for line in lines if not line.startswith("#")]


def sides(state):
    """Discs of the side to move and of the other."""
    discs = Discs.of(state)
    return (discs.black, discs.white)[:: -1 if discs.seat else 1]


def late_positions(count, empty, seed=1):
    """Decisions of random games with exactly so many empty squares."""
    chooser = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        state = OTHELLO.rules.initial()
        while state.kind == "decision":
            discs = Discs.of(state)
            if 64 - sum(discs.counts) == empty:
                found.append(state)
                break
            state.apply(int(chooser.choice(state.legal())))
    return found


def packed(states):
    """``u8[n, 32]``."""
    return np.stack([np.frombuffer(state.packed(), np.uint8) for state in states])
