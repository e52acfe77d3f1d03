"""Records that version 1 really wrote: outcomes of chance events with 16 bits."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ludus import _core
from ludus.replay import ReplaySchema, ReplayStore, TargetRule
from ludus.replay.rederive import decoder, rederive

GAME = _core.game("yatzy")
SCHEMA = ReplaySchema.of(GAME)
OLD = Path(__file__).parents[1] / "data" / "replay_v1"


def restored():
    return ReplayStore.restore(
        SCHEMA,
        load_file(OLD / "tail.safetensors"),
        json.loads((OLD / "index.json").read_text()),
        lambda name: (OLD / name).read_bytes(),
        games_per_shard=2,
    )


def test_shards_and_tail_are_read_as_those_of_today():
    assert load_file(OLD / "tail.safetensors")["outcome"].dtype == np.int16
    window = restored().window()
    assert len(window) == 3 and window.columns["outcome"].dtype == np.int32
    rule = TargetRule()
    assert rederive(GAME, window, decoder(GAME, rule), rule) == ([], window.samples)


def test_a_run_that_goes_on_writes_the_version_of_today_beside_the_old_shards():
    store, files = restored(), {}
    slots = _core.Slots(GAME, slots=64, group_size=64, seed=1, players=[{"kind": "random"}])
    slots.schedule(np.array([3]), np.array([5], np.uint64), np.zeros((1, 2), np.int8))
    slots.decisions(0, 0)
    store.add(slots.finished())
    store.flush(files.__setitem__)
    assert sorted(files) == ["replay/shard_000001.meta.json", "replay/shard_000001.safetensors"]
    assert json.loads(files["replay/shard_000001.meta.json"])["protocol_version"] == 2
    arrays, meta = store.state()
    files |= {entry.name: (OLD / entry.name).read_bytes() for entry in store.entries[:1]}
    files |= {entry.meta_name: (OLD / entry.meta_name).read_bytes() for entry in store.entries[:1]}
    again = ReplayStore.restore(SCHEMA, arrays, meta, files.__getitem__, games_per_shard=2)
    assert again.window().digest() == store.window().digest()


def test_a_game_in_flight_goes_on():
    """As if it had never been interrupted."""
    finished = []
    for flight in (None, load_file(OLD / "flight.safetensors")):
        slots = _core.Slots(
            GAME,
            slots=64,
            group_size=64,
            seed=12,
            players=[{"kind": "search", "simulations": [2]}],
        )
        seed = _core.derive_seed(12, "episode", 0)
        slots.schedule(np.array([0]), np.array([seed], np.uint64), np.zeros((1, 2), np.int8))
        if flight is not None:
            assert flight["outcome"].dtype == np.int16 and 0 < flight["plies"][0] < 90
            slots.restore(flight)
        slots.run_uniform(10**6)
        finished.append(slots.finished())
    assert all((finished[0][name] == finished[1][name]).all() for name in finished[0])
