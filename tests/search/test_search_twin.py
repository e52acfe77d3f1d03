"""The compiled search against its plain-Python twin: the same visits, values and moves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.search.driving import (
    SEARCH,
    Drive,
    LinearJudge,
    plies_left,
    random_games,
    replay,
    truncated,
)
from tests.twins.search_twin import SearchTwin, Settings, halving

JUDGE = LinearJudge()
SEED = 77


def evaluate(state, actions):
    logits, value = JUDGE(state.observe(state.seat))
    values = np.array([value, -value] if state.seat == 0 else [-value, value], np.float32)
    return logits[actions], values


VARIANTS = {
    "puct": {},
    "puct without urgency": {"fpu_reduction": 0.0, "c_puct": 3.0},
    "puct with noise and temperature": {"noise_fraction": 0.25, "temperature": [0.7]},
    "puct, playouts capped": {
        "noise_fraction": 0.25,
        "full_fraction": 0.4,
        "fast_simulations": [11],
    },
    "puct, batched": {"max_inflight": 4},
    "puct, batched without virtual loss": {"max_inflight": 4, "virtual_loss": 0.0},
    "puct, batch over the budget": {"max_inflight": 64},
    "puct, collisions": {"max_inflight": 64, "virtual_loss": 0.0, "c_puct": 0.05},
    "puct, margins": {"margin_weight": 0.3},
    "gumbel": {"rule": "gumbel", "temperature": [1.0]},
    "gumbel, few considered": {"rule": "gumbel", "temperature": [0.0], "considered": 4},
    "gumbel, playouts capped": {
        "rule": "gumbel",
        "temperature": [0.5],
        "full_fraction": 0.5,
        "fast_simulations": [7],
    },
    "gumbel, batched": {"rule": "gumbel", "temperature": [0.5], "max_inflight": 4},
}


@pytest.fixture(scope="module")
def games():
    return random_games(64)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("marks_left", [30, 1])
def test_visits_values_and_moves_agree(name, marks_left, games):
    changed = VARIANTS[name]
    settings = {**SEARCH, "simulations": [40], **changed}
    drive = Drive([settings], [JUDGE], seed=SEED)
    drive.schedule([int(s) for s in games["seed"]], [(0, 0)] * 64)
    positions = truncated(games, plies_left(games, marks_left, None))
    drive.slots.restore(positions)
    started = dict(zip(positions["game_id"].tolist(), positions["plies"].tolist(), strict=True))
    while drive.slots.busy(0) and drive.slots.counters()["searched"] < 100:
        drive.play(turns=1)
    played = [drive.slots.in_flight(), drive.slots.finished()]
    twin_settings = Settings(
        **{k: v for k, v in settings.items() if k not in ("kind", "forced_fast_path")}
        | {
            "simulations": 40,
            "temperature": settings["temperature"][0],
            "fast_simulations": settings.get("fast_simulations", [0])[0],
        }
    )
    compared = terminals = collisions = fast = 0
    for decision in itertools.chain.from_iterable(replay(records) for records in played):
        searched = decision.flags & 1 and decision.ply >= started[decision.game]
        if not searched or decision.game % 8:
            continue
        twin = SearchTwin(
            decision.state, twin_settings, evaluate, seed=SEED, game=decision.game, ply=decision.ply
        )
        assert bool(decision.flags & 4) != twin.full
        fast += not twin.full
        assert decision.visits.tolist() == twin.visits.astype(int).tolist(), decision
        np.testing.assert_allclose(decision.q, twin.q, atol=1e-3)
        np.testing.assert_allclose(decision.prior, twin.root.prior, atol=5e-4)
        assert decision.root_value == pytest.approx(twin.value, abs=1e-3)
        assert decision.q_variance == pytest.approx(twin.q_variance(), abs=1e-3)
        assert decision.action == twin.root.actions[twin.choose()]
        compared += 1
        terminals += twin.terminals
        collisions += twin.collisions
    assert compared >= 6
    assert drive.slots.counters()["terminals"] >= terminals
    if marks_left == 1:
        assert terminals > 0, "no tree reached the end of a game: terminal values are not compared"
    if "capped" in name:
        assert 0 < fast < compared
    if name == "puct, collisions":
        assert collisions > 0, "no collision: giving a selection back is not compared"


def test_halving_gives_the_papers_counts():
    """16 considered actions, 64 simulations: four phases of 16, halving the actions each time."""
    asked = halving(16, 64)
    assert asked[:16] == [0] * 16
    assert [asked.count(n) for n in range(3)] == [16, 8, 8]
    assert len(asked) == 64
