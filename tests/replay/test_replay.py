"""Replay over records of real games: columns, shards, refusals, pruning, sampling."""

import json

import numpy as np
import pytest

from ludus import _core
from ludus.errors import ConfigError, CorruptError, NumericsError, RunError, VersionError
from ludus.evaluators import LeafBatch, UniformEvaluator
from ludus.replay import (
    GameRecords,
    ReplaySampler,
    ReplaySchema,
    ReplayStore,
    TrainingRows,
    audit_rows,
)

GAME = _core.game("yatzy")
SCHEMA = ReplaySchema.of(GAME)


def play(count, rule="puct", first=0):
    """Finished games first .. first + count in the chunks in which they ended."""
    settings = {"kind": "search", "rule": rule, "simulations": [6, 6]}
    slots = _core.Slots(GAME, slots=64, group_size=64, seed=3, players=[settings], record=True)
    batch = LeafBatch.allocate(GAME, slots.rows, slots.legal_capacity)
    slots.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets)
    ids = np.arange(first, first + count, dtype=np.int64)
    slots.schedule(ids, ids.astype(np.uint64) * 7919, np.zeros((count, 2), np.int8))
    chunks = []
    while slots.busy(0):
        if slots.collect(0, 0):
            UniformEvaluator().evaluate(batch)
            slots.supply(0, 0, batch.logits, batch.values)
        finished = slots.finished()
        if len(finished["game_id"]):
            chunks.append(GameRecords(finished))
    return chunks


@pytest.fixture(scope="module")
def chunks():
    return play(100)


@pytest.fixture(scope="module")
def records(chunks):
    return GameRecords.concatenate(chunks).sorted()


def changed(records, **columns):
    return GameRecords({**records.columns, **columns})


class Disk:
    """Files of a run directory, as far as the replay asks for them; nothing is overwritten."""

    def __init__(self):
        self.files = {}

    def put(self, name, data):
        assert self.files.get(name, data) == data
        self.files[name] = data

    def load(self, name):
        return self.files[name]


# ---- columns


def test_records_of_real_games_are_valid_and_sort_by_id(chunks, records):
    records.validate(GAME)
    assert len(chunks) > 1, "games end at different times, so that order is tested"
    assert records.game_ids.tolist() == list(range(100))
    assert records.samples == records.columns["plies"].sum()


def test_take_moves_plies_and_edges_with_their_game(records):
    order = np.array([40, 3, 99, 3])
    taken = records.take(order)
    assert taken.game_ids.tolist() == order.tolist()
    starts = np.concatenate([[0], np.cumsum(records.columns["plies"])])
    edges = np.concatenate([[0], np.cumsum(records.columns["edges"], dtype=np.int64)])
    plies = [row for game in order for row in range(starts[game], starts[game + 1])]
    assert np.array_equal(taken.columns["action"], records.columns["action"][plies])
    rows = [row for ply in plies for row in range(edges[ply], edges[ply + 1])]
    assert np.array_equal(taken.columns["visits"], records.columns["visits"][rows])
    assert len(records.take([])) == 0


def test_slices_concatenate_to_the_whole(records):
    parts = [records.slice(0, 33), records.slice(33, 33), records.slice(33, 100)]
    assert GameRecords.concatenate(parts).digest() == records.digest()
    assert GameRecords.concatenate([GameRecords.empty(2), records]).digest() == records.digest()
    assert records.slice(0, 99).digest() != records.digest()


def test_columns_that_contradict_each_other_are_refused(records):
    with pytest.raises(CorruptError, match="missing or unknown columns: prior"):
        GameRecords({k: v for k, v in records.columns.items() if k != "prior"})
    with pytest.raises(CorruptError, match="column action is int64, not uint16"):
        changed(records, action=records.columns["action"].astype(np.int64))
    with pytest.raises(CorruptError, match="column action has shape"):
        changed(records, action=records.columns["action"][:-1])
    with pytest.raises(CorruptError, match="column scores has shape"):
        changed(records, scores=records.columns["scores"][:, :1])


@pytest.mark.parametrize(
    ("column", "row", "value", "sentence"),
    [
        ("game_id", 5, 4, "game 4 is twice"),
        ("game_id", 5, -1, "game -1 .* negative id"),
        ("returns", 7, np.nan, "game 7 .* return outside"),
        ("scores", 7, np.inf, "game 7 .* score that is not finite"),
        ("action", 2, 47, "game 0, ply 2 .* action outside"),
        ("seat", 2, 2, "game 0, ply 2 .* seat outside"),
        ("root_value", 3, np.nan, "game 0, ply 3 .* root value"),
        ("q", 0, np.nan, "game 0, ply 0 .* Q outside"),
        ("prior", 0, 2.0, "game 0, ply 0 .* prior outside"),
    ],
)
def test_damage_is_named_with_game_and_ply(records, column, row, value, sentence):
    array = records.columns[column].copy()
    array[row] = value
    with pytest.raises(CorruptError, match=sentence):
        changed(records, **{column: array}).validate(GAME)


# ---- shards


def filled(chunks, disk, size=16, **capacity):
    store = ReplayStore(SCHEMA, 2, games_per_shard=size, **capacity)
    for chunk in chunks:
        store.add(chunk)
        store.flush(disk.put)
    return store


def test_shards_hold_fixed_ranges_and_the_rest_is_the_tail(chunks, records):
    disk = Disk()
    store = filled(chunks, disk)
    assert [entry.index for entry in store.entries] == list(range(6))
    assert sorted(disk.files) == sorted(
        f"replay/shard_{k:06d}{end}" for k in range(6) for end in (".safetensors", ".meta.json")
    )
    assert store.tail.game_ids.tolist() == [96, 97, 98, 99]
    assert store.window().digest() == records.digest()
    meta = json.loads(disk.files["replay/shard_000002.meta.json"])
    assert (meta["first_game"], meta["end_game"], meta["games"]) == (32, 48, 16)
    assert meta["ruleset_id"] == GAME.rules_id and meta["protocol_version"] == 2


def test_bytes_never_depend_on_when_games_arrived_or_were_flushed(chunks, records):
    one, other, third = Disk(), Disk(), Disk()
    store = filled(chunks, one)
    late = ReplayStore(SCHEMA, 2, games_per_shard=16)
    late.add(records)
    late.flush(other.put)
    reverse = filled([records.slice(k, k + 1) for k in reversed(range(100))], third)
    assert one.files == other.files == third.files
    assert store.snapshot() == late.snapshot() == reverse.snapshot()


def test_a_commit_in_the_middle_goes_on_to_the_same_bytes(chunks, records):
    undisturbed = Disk()
    wanted = filled(chunks, undisturbed)
    for cut in range(len(chunks)):
        disk = Disk()
        store = filled(chunks[:cut], disk)
        arrays, meta = store.state()
        meta = json.loads(json.dumps(meta))
        # Games and shards after the commit are lost from memory; shard files stay on disk.
        filled(chunks, disk)
        again = ReplayStore.restore(SCHEMA, arrays, meta, disk.load, games_per_shard=16)
        for chunk in chunks[cut:]:
            again.add(chunk)
            again.flush(disk.put)
        assert again.snapshot() == wanted.snapshot()
        assert again.window().digest() == records.digest()
        assert disk.files == undisturbed.files
        if cut > 4:
            break


def test_a_game_cannot_come_twice(chunks):
    store = filled(chunks, Disk())
    with pytest.raises(RunError, match="game 0 is already in the replay"):
        store.add(GameRecords.concatenate(chunks).sorted().slice(0, 1))
    with pytest.raises(RunError, match="game 97 is already in the replay"):
        store.add(store.tail.slice(1, 2))
    before = store.snapshot()
    with pytest.raises(RunError, match="game 200 is twice among"):
        store.add(play(1, first=200)[0].take([0, 0]))
    assert store.snapshot() == before


def test_games_that_will_never_come_do_not_hold_up_their_shard(chunks, records):
    """Rules of an own game may end a game without a record: its shard is closed without it."""
    store, disk, lost = ReplayStore(SCHEMA, 2, games_per_shard=10), Disk(), [3, 7, 25]
    keep = np.flatnonzero(~np.isin(records.game_ids, lost))
    store.add(records.take(keep[keep < 50]))
    assert [entry.index for entry in store.flush(disk.put)] == []
    store.skip(lost[:2])
    store.skip([3])
    assert [(entry.index, entry.games) for entry in store.flush(disk.put)] == [(0, 8), (1, 10)]
    store.skip([25])
    with pytest.raises(RunError, match="game 26 is already"):
        store.skip([26])
    with pytest.raises(RunError, match="game 3 is already"):
        store.skip([3])
    arrays, meta = store.state()
    again = ReplayStore.restore(SCHEMA, arrays, meta, disk.load, games_per_shard=10)
    assert [(entry.index, entry.games) for entry in again.flush(disk.put)] == [
        (2, 9),
        (3, 10),
        (4, 10),
    ]
    assert again.window().game_ids.tolist() == [i for i in range(50) if i not in lost]
    assert again.index()["void"] == []


def test_another_schema_or_damage_is_refused_naming_both(chunks):
    disk = Disk()
    arrays, meta = filled(chunks, disk).state()

    def restore(schema=SCHEMA, load=disk.load, size=16):
        return ReplayStore.restore(schema, arrays, meta, load, games_per_shard=size)

    restore()
    with pytest.raises(VersionError, match=r"c_scale 1\.0, but this run needs 0\.5"):
        restore(ReplaySchema.of(GAME, c_scale=0.5))
    other = {**SCHEMA.as_json(), "feature_schema_id": "yatzy_v2"}
    with pytest.raises(VersionError, match=f"'{GAME.encoder_id}', but this run needs 'yatzy_v2'"):
        restore(ReplaySchema(**other))
    with pytest.raises(VersionError, match="games_per_shard 16, but this run needs 32"):
        restore(size=32)
    for name in ("replay/shard_000001.safetensors", "replay/shard_000001.meta.json"):
        sound = disk.files[name]
        for broken in (sound[:-1], sound[:50] + bytes([sound[50] ^ 1]) + sound[51:]):
            disk.files[name] = broken
            with pytest.raises(CorruptError, match=f"{name} is damaged"):
                restore()
        disk.files[name] = sound


def test_pruning_keeps_the_newest_and_never_reuses_an_index(chunks):
    disk = Disk()
    store = filled(chunks, disk, capacity_shards=2)
    event = store.prune()
    assert event is not None and event["event"] == "replay_prune"
    assert (event["before"]["shards"], event["after"]["shards"]) == (6, 2)
    assert event["deleted"]["names"] == [f"replay/shard_{k:06d}.safetensors" for k in range(4)]
    assert event["before"]["samples"] - event["after"]["samples"] == event["deleted"]["samples"]
    assert store.window().game_ids.tolist() == list(range(64, 100))
    assert store.samples == store.window().samples and store.prune() is None
    arrays, meta = store.state()
    again = ReplayStore.restore(SCHEMA, arrays, meta, disk.load, games_per_shard=16)
    assert again.next_shard == 6 and again.snapshot() == store.snapshot()


def test_pruning_by_samples_keeps_at_least_one_shard(chunks):
    disk = Disk()
    store = filled(chunks, disk, capacity_samples=1)
    assert store.prune()["after"]["shards"] == 1
    newest_two = sum(entry.samples for entry in filled(chunks, disk).entries[-2:])
    exact = filled(chunks, disk, capacity_samples=newest_two)
    assert exact.prune()["after"]["shards"] == 2
    short = filled(chunks, disk, capacity_samples=newest_two - 1)
    assert short.prune()["after"]["shards"] == 1


def test_capacities_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="not both"):
        ReplayStore(SCHEMA, 2, games_per_shard=1, capacity_shards=1, capacity_samples=1)
    with pytest.raises(ConfigError, match="capacity_shards = 0"):
        ReplayStore(SCHEMA, 2, games_per_shard=1, capacity_shards=0)
    with pytest.raises(ConfigError, match="games_per_shard = 0"):
        ReplayStore(SCHEMA, 2, games_per_shard=0)


# ---- rows


@pytest.mark.parametrize("rule", ["puct", "gumbel"])
def test_rows_pass_the_audit_and_equal_the_games_replayed_by_hand(rule):
    window = GameRecords.concatenate(play(64, rule)).sorted()
    sampler = ReplaySampler(GAME, window, seed=1)
    rows = sampler.rows(0, 256)
    counts = audit_rows(rows, GAME.num_actions)
    assert counts["rows"] == 256 and counts["searched"] > 200
    games, plies = sampler.picks(0, 256)
    starts = np.concatenate([[0], np.cumsum(window.columns["plies"])])
    edges = np.concatenate([[0], np.cumsum(window.columns["edges"], dtype=np.int64)])
    for row in range(0, 256, 5):
        state = GAME.initial()
        state.apply_outcome(int(window.columns["opening"][games[row]]))
        for ply in range(starts[games[row]], starts[games[row]] + plies[row]):
            state.apply(int(window.columns["action"][ply]))
            if window.columns["outcome"][ply] >= 0:
                state.apply_outcome(int(window.columns["outcome"][ply]))
        ply = starts[games[row]] + plies[row]
        begin, end = rows.offsets[row], rows.offsets[row + 1]
        assert np.array_equal(rows.observations[row], state.observe(state.seat))
        actions = rows.legal[begin:end] - row * GAME.num_actions
        assert np.array_equal(actions, state.search_actions())
        assert rows.value[row] == window.columns["returns"][games[row], state.seat]
        if rows.searched[row] and rule == "puct":
            visits = window.columns["visits"][edges[ply] : edges[ply + 1]].astype(np.float64)
            assert rows.policy[begin:end] == pytest.approx(visits / visits.sum(), abs=1e-6)


def test_rows_follow_from_seed_and_update_alone(records):
    first = ReplaySampler(GAME, records, seed=1)
    for update in (0, 1, 2):
        first.picks(update, 64)
    fresh = ReplaySampler(GAME, records, seed=1)
    for update in (17, 3):
        for one, other in zip(first.picks(update, 64), fresh.picks(update, 64), strict=True):
            assert np.array_equal(one, other)
    assert not np.array_equal(first.picks(4, 64)[0], first.picks(5, 64)[0])
    other_seed = ReplaySampler(GAME, records, seed=2)
    assert not np.array_equal(first.picks(4, 64)[0], other_seed.picks(4, 64)[0])


def test_every_game_comes_once_before_any_comes_again(records):
    sampler = ReplaySampler(GAME, records, seed=1, plies_per_game=4)
    seen = np.zeros(100, int)
    for update in range(5):
        games, plies = sampler.picks(update, 80)
        assert len(np.unique(np.stack([games, plies]), axis=1)[0]) == 80
        unique, counts = np.unique(games, return_counts=True)
        assert (counts == 4).all()
        seen[unique] += 1
    assert (seen == 1).all()


def test_plies_of_a_game_are_drawn_evenly(records):
    sampler = ReplaySampler(GAME, records, seed=1)
    share = np.concatenate(
        [
            plies / records.columns["plies"][games]
            for games, plies in (sampler.picks(update, 400) for update in range(50))
        ]
    )
    histogram = np.histogram(share, bins=10, range=(0, 1))[0] / len(share)
    assert np.abs(histogram - 0.1).max() < 0.012


def test_odd_batches_and_tiny_windows_still_give_every_row(records):
    sampler = ReplaySampler(GAME, records.slice(0, 1), seed=1)
    for size in (1, 7, 100, 1000):
        assert len(sampler.rows(3, size)) == size
    with pytest.raises(ConfigError, match="no game in the replay"):
        ReplaySampler(GAME, GameRecords.empty(2), seed=1)


@pytest.mark.parametrize(
    ("field", "index", "value", "sentence"),
    [
        ("observations", (4, 2), np.nan, "row 4 of 64 has an observation"),
        ("policy", 0, np.nan, "row 0 of 64 has a policy weight"),
        ("policy", 0, 0.9, "row 0 of 64 has a policy that does not sum"),
        ("legal", 0, 47 * 3, "row 0 of 64 has policy weight outside"),
        ("value", 9, 1.5, "row 9 of 64 has a value outside"),
        ("margin", 9, np.nan, "row 9 of 64 has a margin outside"),
        ("root_value", 9, -2.0, "row 9 of 64 has a root value outside"),
    ],
)
def test_the_audit_can_fail(records, field, index, value, sentence):
    rows = ReplaySampler(GAME, records, seed=1).rows(0, 64)
    array = getattr(rows, field).copy()
    array[index] = value
    with pytest.raises(NumericsError, match=sentence):
        audit_rows(TrainingRows(**{**rows.__dict__, field: array}), GAME.num_actions)
