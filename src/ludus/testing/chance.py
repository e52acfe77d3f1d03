"""Chance events: probabilities, event-keyed draws, frequencies."""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import Any

import numpy as np

from ludus.testing.say import refuses, require

DRAWS = 4000
"""Seeds drawn for the comparison of frequencies."""


def check_chance_event(game: Any, state: Any, where: str) -> None:
    """Probabilities of one chance event, and draws that depend on the seed and the event alone.

    Raises:
        AssertionError: what is wrong.
    """
    before = state.packed()
    ids, probabilities = state.outcomes()
    names = [int(i) for i in ids]
    require(game, where, len(names) > 0, "a chance event without outcomes")
    require(game, where, len(names) == len(probabilities), "outcomes() gives uneven arrays")
    require(game, where, len(set(names)) == len(names), "outcomes() names an outcome twice")
    positive = bool((np.asarray(probabilities) > 0.0).all())
    require(game, where, positive, "an outcome has no positive probability: leave it out")
    total = math.fsum(float(p) for p in probabilities)
    require(game, where, abs(total - 1.0) < 1e-9, f"probabilities sum to {total}, not to 1")
    drawn = set()
    for seed in range(16):
        outcome = state.draw(seed)
        drawn.add(outcome)
        require(game, where, outcome in names, f"draw({seed}) = {outcome} is not in outcomes()")
        again = {state.draw(seed), state.copy().draw(seed), game.state(before).draw(seed)}
        require(
            game,
            where,
            again == {outcome},
            f"draw({seed}) gives {outcome} and then {sorted(again)}: it must depend on the seed "
            "and the event alone",
        )
    if len(names) > 3 and max(probabilities) < 0.5:
        require(game, where, len(drawn) > 1, "draw() gives the same outcome for 16 seeds")
    require(game, where, state.packed() == before, "draw() or outcomes() changed the position")
    refuses(game, where, lambda: state.apply(0), "an action at a chance event")
    absent = next(i for i in range(len(names) + 1) if i not in names)
    refuses(game, where, lambda: state.apply_outcome(absent), f"the impossible outcome {absent}")
    for outcome in (names[0], names[-1]):
        child = state.copy()
        child.apply_outcome(outcome)
        require(game, where, child.kind != "chance", "an outcome leads to another chance event")
        same = state.packed() == before
        require(game, where, same, "an outcome applied to a copy changed the original")


def is_sampled(game: Any) -> bool:
    """Whether chance outcomes are too many to be listed, and are only drawn."""
    return bool(getattr(game, "sampled_chance", False))


def check_sampled_event(game: Any, state: Any, where: str) -> None:
    """Draws of an event that cannot be listed, and the results of the stage that ends there.

    Raises:
        AssertionError: what is wrong.
    """
    before = state.packed()
    refuses(game, where, state.outcomes, "outcomes() of an event that is only sampled")
    drawn = set()
    for seed in range(16):
        outcome = state.draw(seed)
        drawn.add(outcome)
        inside = 0 <= outcome < game.max_outcomes and state.is_outcome(outcome)
        require(game, where, inside, f"draw({seed}) = {outcome} is no outcome of this event")
        again = {state.draw(seed), state.copy().draw(seed), game.state(before).draw(seed)}
        require(
            game,
            where,
            again == {outcome},
            f"draw({seed}) gives {outcome} and then {sorted(again)}: it must depend on the seed "
            "and the event alone",
        )
        child, twin = state.copy(), game.state(before)
        child.apply_outcome(outcome)
        twin.apply_outcome(outcome)
        same = child.packed() == twin.packed()
        require(game, where, same, f"outcome {outcome} is not repeatable")
        require(game, where, child.kind != "chance", "an outcome leads to another chance event")
    require(game, where, len(drawn) > 1, "draw() gives the same outcome for 16 seeds")
    require(game, where, state.packed() == before, "draw() or is_outcome() changed the position")
    refuses(game, where, lambda: state.apply(0), "an action at a chance event")
    for outcome in (-1, game.max_outcomes):
        require(game, where, not state.is_outcome(outcome), f"is_outcome({outcome}) is True")
        refuses(
            game,
            where,
            functools.partial(state.apply_outcome, outcome),
            f"the impossible outcome {outcome}",
        )
    for name in ("stage_returns", "stage_margins"):
        values = np.asarray(getattr(state, name)())
        inside = values.shape == (game.num_seats,) and bool((np.abs(values) <= 1.0).all())
        require(game, where, inside, f"{name}() must be one number in [-1, 1] for each seat")


def check_draw_frequencies(game: Any, seed: int) -> None:
    """Draws of many seeds against the stated probabilities, and the same for equal actions.

    Raises:
        AssertionError: a chi-squared statistic beyond five deviations, or draws that tell apart
            an action from its canonical one.
    """
    state = game.initial()
    for event in range(4):
        while state.kind == "decision":
            _check_equal_actions(game, state, seed)
            state.apply(int(state.legal()[0]))
        if state.kind == "terminal":
            return
        where = f"chance event {event} of seed {seed}"
        ids, probabilities = state.outcomes()
        first = seed * DRAWS
        counts = Counter(state.draw(first + i) for i in range(DRAWS))
        score = _deviations([counts[int(i)] for i in ids], [float(p) for p in probabilities])
        require(
            game,
            where,
            score < 5.0,
            f"the frequencies of {DRAWS} draws lie {score:.1f} deviations from outcomes()",
        )
        state.apply_outcome(state.draw(first))


def _check_equal_actions(game: Any, state: Any, seed: int) -> None:
    for action in state.legal().tolist():
        one = state.canonical(action)
        if one == action:
            continue
        left, right = state.copy(), state.copy()
        left.apply(action)
        right.apply(one)
        if left.kind != "chance":
            continue
        for episode in range(seed, seed + 8):
            require(
                game,
                f"seed {episode}",
                left.draw(episode) == right.draw(episode),
                f"action {action} and its equal {one} meet different chance outcomes",
            )


def _deviations(counts: list[int], probabilities: list[float]) -> float:
    """Chi-squared of counts as a normal deviate (Wilson and Hilferty 1931), rare cells merged."""
    total = sum(counts)
    cells: list[tuple[float, float]] = []
    rare_count = rare_expected = 0.0
    for count, probability in zip(counts, probabilities, strict=True):
        expected = probability * total
        if expected >= 5.0:
            cells.append((count, expected))
        else:
            rare_count += count
            rare_expected += expected
    if rare_expected >= 5.0:
        cells.append((rare_count, rare_expected))
    freedom = len(cells) - 1
    if freedom < 1:
        return 0.0
    statistic = sum((count - expected) ** 2 / expected for count, expected in cells)
    spread = 2.0 / (9.0 * freedom)
    return float(((statistic / freedom) ** (1.0 / 3.0) - (1.0 - spread)) / math.sqrt(spread))
