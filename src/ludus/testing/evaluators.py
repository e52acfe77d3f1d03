"""What every evaluator must do, checked on positions of random games."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from ludus import _core
from ludus.evaluators import Evaluator, LeafBatch
from ludus.testing.say import require


def check_evaluator(
    evaluator: Evaluator, game: _core.Game, *, rows: int = 64, seed: int = 0
) -> None:
    """Evaluate a batch of real positions and check the answer.

    Finite logits, values in [-1, 1], the same bits when asked again, the same bits in a batch whose
    other rows hold other positions, and none of the inputs written.

    Args:
        evaluator: what is checked.
        game: whose positions.
        rows: rows of the batch, a multiple of 64.
        seed: of the positions.

    Raises:
        AssertionError: a sentence that says what is wrong.
    """
    name = type(evaluator).__name__
    where = f"batch of {rows} rows"
    require(name, where, bool(evaluator.weights_id), "weights_id is empty: weights need a name")
    batch = random_batch(game, rows, seed)
    inputs = [batch.observations, batch.seats, batch.players, batch.legal, batch.offsets]
    before = [array.copy() for array in inputs]
    batch.logits.fill(np.nan)
    batch.values.fill(np.nan)
    evaluator.evaluate(batch)
    logits, values = batch.logits[: batch.used].copy(), batch.values.copy()
    require(name, where, bool(np.isfinite(logits).all()), "a logit is NaN, infinite or not written")
    require(
        name, where, bool((np.abs(values) <= 1.0).all()), "a value is missing or leaves [-1, 1]"
    )
    unchanged = all(np.array_equal(a, b) for a, b in zip(inputs, before, strict=True))
    require(name, where, unchanged, "evaluate() wrote to its inputs")
    evaluator.evaluate(batch)
    same = np.array_equal(logits, batch.logits[: batch.used]) and np.array_equal(
        values, batch.values
    )
    require(name, where, same, "the same batch gave other bits the second time")
    # The first half stays, the rest are other positions: its answers must not notice.
    other = random_batch(game, rows, seed, changed_from=rows // 2)
    evaluator.evaluate(other)
    half = int(batch.offsets[rows // 2])
    same = np.array_equal(logits[:half], other.logits[:half]) and np.array_equal(
        values[: rows // 2], other.values[: rows // 2]
    )
    require(name, where, same, "the answer for a position depends on its neighbours in the batch")


def random_batch(
    game: _core.Game, rows: int, seed: int, *, changed_from: int | None = None
) -> LeafBatch:
    """A full batch of decisions of random games, as slots would fill it.

    Args:
        game: the rules.
        rows: a multiple of 64.
        seed: of the positions; row r depends on (seed, r) alone.
        changed_from: rows from here on hold other positions than without it.
    """
    batch = LeafBatch.allocate(game, rows, rows * game.max_legal)
    for row in range(rows):
        variant = "" if changed_from is None or row < changed_from else "/other"
        state = random_decision(game, random.Random(f"{seed}/{row}{variant}"))
        actions = state.search_actions()
        begin = int(batch.offsets[row])
        batch.observations[row] = state.observe(state.seat)
        batch.seats[row] = state.seat
        batch.legal[begin : begin + len(actions)] = row * game.num_actions + actions
        batch.offsets[row + 1] = begin + len(actions)
    return batch


def random_decision(game: _core.Game, chooser: random.Random) -> Any:
    """A decision some random plies into a random game; a copy of its own."""
    left = chooser.randrange(game.max_plies // 2 + 1)
    state = game.initial()
    found = None
    while state.kind != "terminal":
        if state.kind == "chance":
            state.apply_outcome(state.draw(chooser.getrandbits(63)))
            continue
        found = state.copy()
        if left == 0:
            break
        left -= 1
        state.apply(chooser.choice(state.legal().tolist()))
    assert found is not None, "the game has no decision"
    return found
