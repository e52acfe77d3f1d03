"""A run directory with a champion, made by the real writers."""

import pytest
import torch

from ludus import _core, nets
from ludus.runs import Run, SchemaIds

GAME = _core.game("yatzy")
CONFIG = {
    "search": {
        "rule": "gumbel",
        "budget": 12,
        "budget_by_kind": {"mark": 7},
        "c_puct": 1.5,
        "dirichlet_fraction": 0.25,
        "considered": 8,
        "max_inflight_per_game": 2,
        "margin_weight": 0.25,
    },
    "runtime": {"backend": "auto", "lanes": 0},
}


@pytest.fixture(autouse=True, scope="session")
def one_thread_a_lane():
    """As every process that plays does: lanes are the threads, torch has none of its own."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def run_with_champions(tmp_path_factory):
    """A run with the champions of units 0 and 3 and a candidate; the last is committed."""
    path = tmp_path_factory.mktemp("runs") / "yatzy"
    schema = SchemaIds(GAME.encoder_id, GAME.action_space_id, GAME.rules_id)
    with Run.create(path, recipe="yatzy", asked=b"", resolved=CONFIG, seed=1, schema=schema) as run:
        refs = {}
        for role, unit, seed in (("champion", 0, 0), ("champion", 3, 3), ("candidate", 4, 4)):
            net = nets.build(GAME, hidden=32, blocks=1, seed=seed)
            refs[role] = run.put_model(role, unit, nets.arrays_of(net), nets.describe(net, GAME))
        run.commit({}, refs)
    return path
