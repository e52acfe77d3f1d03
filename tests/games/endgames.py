"""Stored Othello positions, and random ones near the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ludus.games import get_game
from ludus.games.othello_position import Discs
from ludus.games.othello_problems import problems

OTHELLO = get_game("othello")
DATA = Path(__file__).parents[1] / "data"


def published():
    """Number -> (state, exact score for the mover, best actions) of the endgame test set."""
    return {one.number: (one.state, one.score, one.best) for one in problems(64)}


def midgames():
    """The stored positions with 36 empty squares."""
    lines = (DATA / "othello_midgames.txt").read_text().splitlines()
    return [OTHELLO.parse_position(line) for line in lines if not line.startswith("#")]


def sides(state):
    """Discs of the side to move and of the other."""
    discs = Discs.of(state)
    return (discs.black, discs.white)[:: -1 if discs.seat else 1]


def follow(state, actions):
    state = state.copy()
    for action in actions:
        state.apply(OTHELLO.parse_action(state, action))
    return state


def plain(tables, state, depth):
    """Minimax for the side to move, in 1/256 disc; a pass takes no depth."""
    own, opp = sides(state)
    if state.kind != "decision":
        black, white = Discs.of(state).counts
        ahead = black - white
        ahead += (64 - black - white) * ((ahead > 0) - (ahead < 0))
        return 256 * ahead * (1 if Discs.of(state).seat == 0 else -1)
    if depth == 0:
        return int(tables.evaluate_words(np.array([[own, opp]], np.uint64))[0])
    best = -(2**31)
    for action in state.legal().tolist():
        reply = state.copy()
        reply.apply(action)
        score = plain(tables, reply, depth - (action != 64))
        if Discs.of(reply).seat != Discs.of(state).seat:
            score = -score
        best = max(best, score)
    return best


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
