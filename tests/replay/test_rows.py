"""Rows in buffers, rows ahead of time, rows of capped searches, and the window they come from."""

import dataclasses

import numpy as np
import pytest
from tests.replay.test_replay import GAME, Disk, changed, filled, play

from ludus import _core
from ludus.errors import ConfigError
from ludus.replay import GameRecords, ReplaySampler, ReplayStore, RowFeed, WindowLaw, row_buffers
from ludus.replay.rows import fill_rows

CAPPED = 4  # cpp/play/records.h


@pytest.fixture(scope="module")
def chunks():
    return play(100, "gumbel")


@pytest.fixture(scope="module")
def records(chunks):
    return GameRecords.concatenate(chunks).sorted()


def copy(rows):
    return {name: None if array is None else array.copy() for name, array in vars(rows).items()}


def equal(one, other):
    return all(np.array_equal(array, other[name]) for name, array in one.items())


def test_buffers_get_what_new_arrays_would_get(records):
    sampler = ReplaySampler(GAME, records, seed=1)
    into = row_buffers(GAME, 128)
    for update in (0, 5, 2):
        rows = sampler.rows(update, 128, into=into)
        assert rows.observations is into.observations and rows.legal.base is not None
        fresh = _core.decode_rows(GAME, records.columns, *sampler.picks(update, 128))
        assert equal(fresh, copy(rows))
        assert equal(copy(rows), copy(sampler.rows(update, 128)))


def test_buffers_begin_where_matrix_products_want_them():
    blob = _core.game("blob")
    for rows in (row_buffers(GAME, 7), row_buffers(blob, 7, beliefs=True)):
        full = [array for array in vars(rows).values() if array.size]
        assert len(full) == (9 if rows.holder.size == 0 else 12)
        assert all(array.ctypes.data % 64 == 0 for array in full)


@pytest.mark.parametrize("name", ["observations", "legal", "offsets", "value", "searched"])
def test_buffers_that_are_too_small_or_of_another_type_are_refused(records, name):
    decoder = _core.RowDecoder(GAME, records.columns)
    games, plies = ReplaySampler(GAME, records, seed=1).picks(0, 64)
    sound = row_buffers(GAME, 64)
    small = getattr(sound, name)[:3].copy()
    with pytest.raises(ValueError, match=r"too small|no room"):
        fill_rows(decoder, games, plies, dataclasses.replace(sound, **{name: small}))
    other = getattr(sound, name).astype(np.float64)
    with pytest.raises(ValueError, match=f"'{name}' of the right type"):
        fill_rows(decoder, games, plies, dataclasses.replace(sound, **{name: other}))


# ---- playout cap


def test_a_capped_search_teaches_its_value_and_no_policy(records):
    flags = records.columns["flags"].copy()
    flags[::2] |= np.where(records.columns["edges"][::2] > 0, CAPPED, 0).astype(np.uint8)
    capped = changed(records, flags=flags)
    capped.validate(GAME)
    plain, rows = (ReplaySampler(GAME, each, seed=1).rows(3, 256) for each in (records, capped))
    games, plies = ReplaySampler(GAME, records, seed=1).picks(3, 256)
    first = np.concatenate([[0], np.cumsum(records.columns["plies"])])
    flag = flags[first[games] + plies] & CAPPED != 0
    assert 60 < np.count_nonzero(flag) < 196
    assert np.array_equal(rows.searched, plain.searched * ~flag)
    for name in ("observations", "legal", "offsets", "value", "margin", "root_value"):
        assert np.array_equal(getattr(rows, name), getattr(plain, name)), name
    found = plain.searched != 0
    assert not np.array_equal(rows.root_value[flag & found], rows.value[flag & found])
    widths = np.diff(rows.offsets)
    uniform = np.repeat(flag, widths)
    assert rows.policy[uniform] == pytest.approx((1 / np.repeat(widths, widths))[uniform])
    assert np.array_equal(rows.policy[~uniform], plain.policy[~uniform])


# ---- ahead of time


def test_a_feed_gives_the_rows_of_every_update_in_order(records):
    feed = RowFeed(ReplaySampler(GAME, records, seed=1), 96, first=4, count=6)
    by_hand = ReplaySampler(GAME, records, seed=1)
    seen = [copy(feed.take()) for _ in range(6)]
    with pytest.raises(IndexError, match="update 10 is past the end"):
        feed.take()
    feed.close()
    feed.close()
    for update, rows in enumerate(seen, start=4):
        assert equal(rows, copy(by_hand.rows(update, 96)))


def test_a_feed_that_is_closed_early_leaves_no_thread(records):
    feed = RowFeed(ReplaySampler(GAME, records, seed=1), 64, first=0, count=50)
    feed.take()
    threads = list(feed._pool._threads)
    feed.close()
    assert threads and not any(thread.is_alive() for thread in threads)


def test_a_record_against_the_rules_is_told_to_whoever_takes_its_row(records):
    action = records.columns["action"].copy()
    action[:] = 46
    feed = RowFeed(ReplaySampler(GAME, changed(records, action=action), seed=1), 64, 0, 3)
    with pytest.raises(ValueError, match="contradicts the rules"):
        feed.take()
    feed.close()


# ---- the window


def test_the_window_law_by_hand():
    law = WindowLaw(start_games=1000, exponent=0.5, slope=0.5)
    assert [law.games(n) for n in (0, 999, 1000)] == [0, 999, 1000]
    # 1000 * (1 + 0.5 * (sqrt(4) - 1) / 0.5), 1000 * (1 + 0.5 * (sqrt(9) - 1) / 0.5)
    assert [law.games(n) for n in (4000, 9000)] == [2000, 3000]
    assert WindowLaw(start_games=1000, exponent=1.0, slope=0.25).games(5000) == 2000
    # It grows by `slope` games a game at first, and never outgrows what was played.
    wide = WindowLaw(start_games=10_000, exponent=0.75, slope=0.4)
    assert wide.games(10_010) == 10_003  # rounded down
    sizes = [wide.games(n) for n in range(0, 200_000, 1000)]
    assert sizes == sorted(sizes)
    assert all(size <= n for n, size in zip(range(0, 200_000, 1000), sizes, strict=True))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"start_games": 0}, "window_start_games = 0"),
        ({"start_games": 1, "exponent": 0.0}, "window_exponent = 0.0"),
        ({"start_games": 1, "slope": 1.5}, "window_slope = 1.5"),
    ],
)
def test_window_laws_that_shrink_or_run_ahead_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        WindowLaw(**settings)


def test_a_window_is_the_newest_games_wherever_shards_end(chunks, records):
    store = filled(chunks, Disk())
    assert store.played == 100
    for games in (1, 3, 4, 5, 20, 84, 99, 100, 1000):
        window = store.window(games)
        assert window.game_ids.tolist() == list(range(100))[-games:]
        assert window.digest() == records.slice(max(0, 100 - games), 100).digest()
    assert store.window(None).digest() == records.digest()


def test_games_played_are_counted_over_pruning_and_resumption(chunks):
    disk = Disk()
    store = filled(chunks, disk, capacity_shards=2)
    store.prune()
    assert store.played == 100 and store.games == 36
    assert store.window(20).game_ids.tolist() == list(range(80, 100))
    arrays, meta = store.state()
    again = ReplayStore.restore(store.schema, arrays, meta, disk.load, games_per_shard=16)
    assert again.played == 100
    assert again.window(20).digest() == store.window(20).digest()
