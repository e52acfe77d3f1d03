"""Lanes: the same games for any number of threads, errors with their traceback, whole slots."""

import threading
import time
import traceback

import numpy as np
import pytest

from ludus import _core
from ludus.errors import LudusError, PlayerError
from ludus.evaluators import ScriptedEvaluator, UniformEvaluator
from ludus.players import (
    ExternalPlayer,
    Lanes,
    PhaseSeconds,
    RandomPlayer,
    SearchPlayer,
    slots_settings,
)

GAME = _core.game("yatzy")


def lowest(states, keys):
    """The lowest legal action, in every state."""
    return np.array([GAME.state(s.tobytes()).legal()[0] for s in states], dtype=np.int32)


def keyed(states, keys):
    """A legal action drawn by the decision's key."""
    chosen = []
    for state, key in zip(states, keys, strict=True):
        legal = GAME.state(state.tobytes()).legal()
        chosen.append(legal[int(key) % len(legal)])
    return np.array(chosen, dtype=np.int32)


def wavy(batch):
    """Answers that depend on the observation alone."""
    sums = batch.observations.sum(axis=1)
    batch.values[:, 0] = np.sin(sums)
    batch.values[:, 1] = -np.sin(sums)
    batch.logits[: batch.used] = np.cos(batch.legal[: batch.used] % batch.num_actions)


def search(fill=wavy, sims=4):
    return SearchPlayer(
        ScriptedEvaluator(fill),
        {"simulations": [sims], "temperature": [1.0], "noise_fraction": 0.25},
    )


def slots_for(players, games=160, groups=2, seed=3):
    shared = max(1, sum(isinstance(p, SearchPlayer) for p in players))
    group = 64 * shared
    slots = _core.Slots(
        GAME,
        slots=groups * group,
        group_size=group,
        seed=seed,
        players=[slots_settings(p) for p in players],
        record=True,
    )
    ids = np.arange(games, dtype=np.int64)
    seats = np.stack([ids % len(players), (ids + 1) % len(players)], axis=1).astype(np.int8)
    seeds = np.array([_core.derive_seed(1, "episode", i) for i in range(games)], dtype=np.uint64)
    slots.schedule(ids, seeds, seats)
    return slots


def play(players, lanes, slice_seconds=10.0):
    slots = slots_for(players)
    with Lanes(slots, players, GAME, lanes) as pool:
        while pool.advance(slice_seconds):
            pass
    return slots.finished()


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert np.array_equal(one[name], other[name]), name


@pytest.mark.parametrize(
    "players",
    [
        [search(), search(sims=6)],
        [search(), ExternalPlayer(keyed)],
        [RandomPlayer(), ExternalPlayer(lowest)],
        [RandomPlayer()],
    ],
    ids=["search-search", "search-external", "random-external", "random"],
)
def test_lanes_and_slices_change_nothing(players):
    reference = play(players, lanes=1)
    assert reference["game_id"].tolist() == list(range(160))
    assert_same(reference, play(players, lanes=2))
    assert_same(reference, play(players, lanes=3, slice_seconds=0.0))


def test_advance_keeps_to_its_time():
    def slow(batch):
        time.sleep(0.02)
        wavy(batch)

    player = [search(slow)]
    slots = slots_for(player)
    with Lanes(slots, player, GAME, 2) as pool:
        start = time.monotonic()
        assert pool.advance(0.1)
        assert 0.09 < time.monotonic() - start < 3.0  # a busy machine may be late
        assert pool.seconds.network > 0.1  # two lanes' worth
        assert pool.seconds.turns > 0 and pool.seconds.rows > 0
        before = pool.seconds.turns
        assert pool.advance(0.0)  # always some progress
        assert pool.seconds.turns > before


def test_the_phases_are_all_of_the_lanes_time():
    player = [search(sims=8), ExternalPlayer(keyed)]
    slots = slots_for(player)
    with Lanes(slots, player, GAME, 2) as pool:
        wall = 0.0
        for _ in range(3):
            start = time.perf_counter()
            pool.advance(0.2)
            wall += time.perf_counter() - start
        seconds = pool.seconds
        passes = slots.passes()
    assert (seconds.tree, seconds.encode, seconds.expand) == pytest.approx(
        (passes["tree"], passes["encode"], passes["expand"])
    )
    assert min(seconds.tree, seconds.encode, seconds.network, seconds.expand, seconds.choose) > 0
    phases = [getattr(seconds, name) for name in seconds.shares()]
    assert 0.5 * wall < sum(phases) <= 2 * wall
    assert sum(seconds.shares().values()) == pytest.approx(1.0)
    assert str(seconds).startswith("tree ")
    assert seconds.idle > 0
    assert sum(PhaseSeconds().shares().values()) == 0.0


def test_a_lane_stays_with_its_groups_and_helps_out_at_the_end():
    seen = {}

    def watched(batch):
        time.sleep(0.0005)  # lets the other lane in: else a fast one could play everything
        seen.setdefault(id(batch.values), []).append(threading.current_thread().name)
        wavy(batch)

    player = [search(watched)]
    slots = slots_for(player, games=4 * 64 * 2, groups=4)
    with Lanes(slots, player, GAME, 2) as pool:
        pool.advance(0.5)
        early = {key: list(names) for key, names in seen.items()}
        while pool.advance(5.0):
            pass
    for names in early.values():
        assert len(set(names)) == 1, "a group changed its lane while both had work"
    assert {name for names in early.values() for name in names} == {"lane-0", "lane-1"}
    # A group that stayed for its stint has many turns in a row.
    assert max(len(names) for names in seen.values()) > 100


def test_one_lane_with_all_games_is_helped():
    """Groups 0 and 1 are lane 0's, 2 and 3 lane 1's: games in 0 and 1 alone keep both busy."""
    names = set()

    def watched(batch):
        time.sleep(0.001)
        names.add(threading.current_thread().name)
        wavy(batch)

    player = [search(watched)]
    slots = slots_for(player, games=128, groups=4)
    with Lanes(slots, player, GAME, 2) as pool:
        while pool.advance(5.0):
            pass
    assert names == {"lane-0", "lane-1"}
    assert len(slots.finished()["game_id"]) == 128


def test_nothing_left_returns_false_at_once():
    player = [RandomPlayer()]
    slots = slots_for(player, games=3)
    with Lanes(slots, player, GAME, 2) as pool:
        while pool.advance(1.0):
            pass
        assert not pool.advance(1.0)
        # New games wake it up again.
        ids = np.array([128, 129], dtype=np.int64)
        slots.schedule(ids, ids.astype(np.uint64), np.zeros((2, 2), np.int8))
        while pool.advance(1.0):
            pass
    assert slots.finished()["game_id"].tolist() == [0, 1, 2, 128, 129]


def test_error_of_an_evaluator_comes_with_its_traceback():
    calls = []

    def broken(batch):
        calls.append(threading.current_thread().name)
        if len(calls) > 5:
            raise ZeroDivisionError("the evaluator broke")
        wavy(batch)

    player = [search(broken)]
    with Lanes(slots_for(player), player, GAME, 2) as pool:
        with pytest.raises(ZeroDivisionError, match="the evaluator broke") as caught:
            pool.advance(60.0)
        assert "broken" in "".join(traceback.format_tb(caught.value.__traceback__))
        assert all(name.startswith("lane-") for name in calls)
        with pytest.raises(LudusError, match="stopped at an error"):
            pool.advance(1.0)


def test_illegal_and_missing_answers_are_refused():
    illegal = [ExternalPlayer(lambda states, keys: np.full(len(states), 31, np.int32))]
    with (
        Lanes(slots_for(illegal), illegal, GAME, 1) as pool,
        pytest.raises(ValueError, match="Action 31 of player 0 is illegal"),
    ):
        pool.advance(1.0)
    short = [ExternalPlayer(lambda states, keys: np.zeros(1, np.int32), "short")]
    with (
        Lanes(slots_for(short), short, GAME, 1) as pool,
        pytest.raises(PlayerError, match="player short answered"),
    ):
        pool.advance(1.0)


def test_interrupt_leaves_the_slots_whole(monkeypatch):
    player = [search()]
    reference = play(player, lanes=2)
    slots = slots_for(player)
    pool = Lanes(slots, player, GAME, 2)
    wait = pool._changed.wait
    interrupts = []

    def interrupted(timeout=None):
        if threading.current_thread() is threading.main_thread() and not interrupts:
            interrupts.append(wait(0.02))
            raise KeyboardInterrupt
        return wait(timeout)

    monkeypatch.setattr(pool._changed, "wait", interrupted)
    with pool:
        with pytest.raises(KeyboardInterrupt):
            pool.advance(60.0)
        assert len(slots.in_flight()["game_id"])
        while pool.advance(1.0):
            pass
    assert interrupts
    assert_same(reference, slots.finished())


def test_threads_end():
    before = threading.active_count()
    player = [RandomPlayer()]
    pool = Lanes(slots_for(player), player, GAME, 3)
    assert threading.active_count() == before + 3
    assert pool.lanes == 3
    pool.close()
    pool.close()
    assert threading.active_count() == before
    with pytest.raises(LudusError, match="closed"):
        pool.advance(0.1)
    with pytest.raises(PlayerError, match="lanes = 0"):
        Lanes(slots_for(player), player, GAME, 0)


def test_uniform_is_the_same_as_zeros_and_encodes_nothing():
    def zeros(batch):
        batch.logits.fill(0.0)
        batch.values.fill(0.0)

    settings = {"simulations": [8], "temperature": [1.0], "noise_fraction": 0.25}
    players = [[SearchPlayer(e, settings)] for e in (UniformEvaluator(), ScriptedEvaluator(zeros))]
    found = []
    for player in players:
        slots = slots_for(player)
        with Lanes(slots, player, GAME, 2) as pool:
            while pool.advance(5.0):
                pass
            found.append((slots.finished(), slots.passes()["encode"], pool.seconds.rows))
    assert_same(found[0][0], found[1][0])
    assert found[0][2] == found[1][2]
    assert found[0][1] == 0.0 < found[1][1]


def test_uniform_search_plays_legal_games():
    player = [SearchPlayer(UniformEvaluator(), {"simulations": [8]})]
    columns = play(player, lanes=2)
    assert (columns["plies"] >= 30).all()
    assert (columns["flags"] & 1).any()
