"""Random games of Blob for tests of its room."""

import random
from dataclasses import replace

from ludus.games import get_game
from ludus.games.blob_cards import Table


def walk(spec, seed):
    """Every state of a random game, and what happened there: [(state, action or outcome)]."""
    rng = random.Random(seed)
    state = get_game(spec).rules.initial()
    steps = []
    while state.kind != "terminal":
        step = (
            state.draw(rng.getrandbits(40))
            if state.kind == "chance"
            else rng.choice(state.legal().tolist())
        )
        steps.append((state.copy(), step))
        (state.apply_outcome if state.kind == "chance" else state.apply)(step)
    return [*steps, (state, None)]


def same_to(start, actions, seat, seed):
    """The start of a round as it might have been for a seat that has seen all these actions.

    What the others still hold behind these actions is dealt again, by all that has been seen; what
    they played stays theirs.
    """
    state = start.copy()
    for action in actions:
        state.apply(action)
    if state.kind == "decision":
        state = state.sample_world(seat, seed)[0]
    now = Table.of(state)
    hands = tuple(hand | laid for hand, laid in zip(now.hands, now.laid, strict=True))
    return start.game.state(replace(Table.of(start), hands=hands).packed())
