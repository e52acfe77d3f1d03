"""Slots: the same games whatever the order of groups, and after any interruption."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
from tests.search.driving import (
    GAME,
    SEARCH,
    Drive,
    Seen,
    TableJudge,
    joined,
    random_games,
    replay,
    same_records,
    truncated,
    uniform_judge,
)

from ludus import _core
from ludus.errors import NumericsError

JUDGE, OTHER = TableJudge(1), TableJudge(2)
FAST = {**SEARCH, "simulations": [4, 5], "temperature": [1.0, 1.0, 0.5, 0.0]}


def seeds(count, seed=1):
    return [_core.derive_seed(seed, "episode", i) for i in range(count)]


def self_play(**changes):
    drive = Drive([{**FAST, **changes}], [JUDGE], slots_count=128, seed=21)
    drive.schedule(seeds(140), [(0, 0)] * 140)
    return drive


@pytest.fixture(scope="module")
def undisturbed():
    drive = self_play()
    drive.play()
    return drive.slots.finished()


def two_players(settings=FAST):
    drive = Drive(
        [dict(settings), {**settings, "rule": "gumbel"}],
        [JUDGE, OTHER],
        slots_count=256,
        group_size=128,
        seed=22,
    )
    drive.schedule([s for s in seeds(40) for _ in range(2)], [(0, 1), (1, 0)] * 40)
    return drive


# ---- determinism ------------------------------------------------------------


def test_the_order_of_groups_changes_nothing(undisturbed):
    chooser = random.Random(4)
    drive = self_play()
    drive.play(order=lambda turn: [chooser.randrange(2) for _ in range(chooser.randrange(1, 4))])
    assert same_records(undisturbed, drive.slots.finished())


def test_two_threads_change_nothing(undisturbed):
    drive = self_play()

    def work(group):
        while drive.slots.busy(group):
            drive.turn(group)

    threads = [threading.Thread(target=work, args=(group,)) for group in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same_records(undisturbed, drive.slots.finished())


def test_another_seed_changes_the_games(undisturbed):
    drive = Drive([FAST], [JUDGE], slots_count=128, seed=23)
    drive.schedule(seeds(140), [(0, 0)] * 140)
    drive.play()
    other = drive.slots.finished()
    assert not np.array_equal(other["scores"], undisturbed["scores"])
    assert np.array_equal(other["opening"], undisturbed["opening"]), "dice follow the episode seed"


@pytest.mark.parametrize("turns", [1, 40, 300])
def test_restored_games_go_on_to_identical_records(turns, undisturbed):
    """Stopped after some turns with searches half done, then restored into new slots, twice."""
    drive = self_play()
    drive.play(turns=turns)
    finished = drive.slots.finished()
    for extra in (25, None):
        in_flight = drive.slots.in_flight()
        done = set(finished["game_id"].tolist())
        left = [g for g in range(140) if g not in done]
        drive = Drive([FAST], [JUDGE], slots_count=128, seed=21)
        drive.slots.schedule(
            np.array(left, np.int64),
            np.array([seeds(140)[g] for g in left], np.uint64),
            np.zeros((len(left), 2), np.int8),
        )
        drive.slots.restore(in_flight)
        assert same_records(drive.slots.in_flight(), in_flight)
        drive.play(turns=extra)
        finished = _merged(finished, drive.slots.finished())
    assert same_records(undisturbed, finished)


def _merged(one, other):
    """Finished games of two processes, by id."""
    parts = [*_single_games(one), *_single_games(other)]
    if not parts:
        return one
    return joined(*sorted(parts, key=lambda part: int(part["game_id"][0])))


def _single_games(records):
    plies = np.concatenate([[0], np.cumsum(records["plies"])])
    edges = np.concatenate([[0], np.cumsum(records["edges"].astype(int))])
    for g in range(len(records["plies"])):
        rows = slice(plies[g], plies[g + 1])
        level = slice(edges[plies[g]], edges[plies[g + 1]])
        yield {
            name: column[slice(g, g + 1)]
            if name in ("game_id", "seed", "plies", "opening", "returns", "scores", "seat_players")
            else column[level]
            if name in ("visits", "q", "prior")
            else column[rows]
            for name, column in records.items()
        }


def test_two_players_restore_too():
    whole = two_players()
    whole.play()
    records = whole.slots.finished()
    drive = two_players()
    drive.play(turns=60)
    in_flight, finished = drive.slots.in_flight(), drive.slots.finished()
    assert len(finished["game_id"]) == 0
    again = two_players()
    again.slots.restore(in_flight)
    again.play(order=lambda turn: [turn % 2])
    assert same_records(records, again.slots.finished())


def test_a_wrong_restore_is_refused():
    drive = self_play()
    drive.play(turns=30)
    good = drive.slots.in_flight()
    for column, change, says in (
        ("seed", lambda x: x + np.uint64(1), "seed|next game"),
        ("opening", lambda x: (x + 1) % 252, "contradicts"),
        ("action", lambda x: np.full_like(x, 31), "contradicts"),
        ("outcome", lambda x: (x + 1) % 252, "contradicts"),
        ("plies", lambda x: x + 1, "plies|rows|column|entries"),
        ("game_id", lambda x: x + 1000, "next game"),
    ):
        fresh = self_play()
        with pytest.raises(ValueError, match=says):
            fresh.slots.restore({**good, column: change(good[column])})
    with pytest.raises(ValueError, match="visits"):
        self_play().slots.restore({k: v for k, v in good.items() if k != "visits"})


# ---- records ----------------------------------------------------------------


def test_records_replay_to_their_result(undisturbed):
    """Rebuilt from actions and the episode's dice, each game has the recorded scores."""
    offset = 0
    for g, plies in enumerate(undisturbed["plies"].tolist()):
        state = GAME.initial()
        seed = int(undisturbed["seed"][g])
        state.apply_outcome(state.draw(seed))
        for row in range(offset, offset + plies):
            assert undisturbed["seat"][row] == state.seat
            assert undisturbed["kind"][row] == state.decision_kind
            state.apply(int(undisturbed["action"][row]))
            outcome = -1
            if state.kind == "chance":
                outcome = state.draw(seed)
                state.apply_outcome(outcome)
            assert undisturbed["outcome"][row] == outcome
        offset += plies
        assert state.kind == "terminal"
        assert undisturbed["scores"][g].tolist() == state.scores().tolist()
        assert undisturbed["returns"][g].tolist() == state.returns().tolist()
    assert undisturbed["game_id"].tolist() == list(range(140))


def test_searched_plies_carry_their_statistics(undisturbed):
    heat = FAST["temperature"]
    for row, decision in enumerate(replay(undisturbed)):
        flags = int(undisturbed["flags"][row])
        assert flags in (1, 2)
        if flags == 1:
            budget = FAST["simulations"][decision.state.decision_kind]
            assert undisturbed["simulations"][row] == budget == decision.visits.sum()
            assert undisturbed["temperature"][row] == np.float16(heat[min(decision.ply, 3)])
            assert undisturbed["rule"][row] == 1
            assert len(decision.visits) == len(decision.state.search_actions())
            assert decision.action in decision.state.search_actions()
        else:
            assert len(decision.state.search_actions()) == 1
            assert len(decision.visits) == 0


CAPPED = {"full_fraction": 0.25, "fast_simulations": [2, 3], "noise_fraction": 0.5}


def test_playouts_are_capped_for_the_asked_share_and_it_is_recorded():
    """Which decisions are full follows from seed, game and ply: lanes and order change nothing."""
    drive = self_play(**CAPPED)
    drive.play(order=lambda turn: [(turn // 3) % 2])
    records = drive.slots.finished()
    again = self_play(**CAPPED)
    again.play()
    assert same_records(records, again.slots.finished())
    full = fast = 0
    for row, decision in enumerate(replay(records)):
        kind = decision.state.decision_kind
        if decision.flags == 1:
            full += 1
            assert decision.visits.sum() == FAST["simulations"][kind] == records["simulations"][row]
        elif decision.flags == 5:
            fast += 1
            assert decision.visits.sum() == [2, 3][kind] == records["simulations"][row]
        else:
            assert decision.flags == 2, "searched, or forced"
    counters = drive.slots.counters()
    assert (counters["searched"], counters["capped"]) == (full + fast, fast)
    share, spread = full / (full + fast), (0.25 * 0.75 / (full + fast)) ** 0.5
    assert abs(share - 0.25) < 4 * spread
    assert spread < 0.01


def test_a_fast_search_has_no_noise():
    """With next to no full search, noise changes nothing; with full ones alone it does."""
    played = {}
    for fraction in (0.0, 0.5):
        for full in (1e-6, 1.0):
            drive = self_play(**{**CAPPED, "noise_fraction": fraction, "full_fraction": full})
            drive.play(turns=60)
            played[fraction, full] = drive.slots.in_flight()
    assert same_records(played[0.0, 1e-6], played[0.5, 1e-6])
    assert not same_records(played[0.0, 1.0], played[0.5, 1.0])


def test_capped_games_restore():
    whole = self_play(**CAPPED)
    whole.play()
    drive = self_play(**CAPPED)
    drive.play(turns=45)
    finished = drive.slots.finished()
    assert len(finished["game_id"]) == 0
    again = self_play(**CAPPED)
    again.slots.restore(drive.slots.in_flight())
    again.play()
    assert same_records(whole.slots.finished(), again.slots.finished())


def test_temperature_changes_the_move_and_not_the_target():
    found = {}
    for heat in (0.0, 1.0):
        drive = Drive([{**SEARCH, "temperature": [heat]}], [JUDGE], seed=5)
        drive.schedule(seeds(64), [(0, 0)] * 64)
        while drive.slots.counters()["searched"] < 64:
            drive.play(turns=1)
        found[heat] = [d for d in replay(drive.slots.in_flight()) if d.ply == 0]
    differing = 0
    for cold, hot in zip(found[0.0], found[1.0], strict=True):
        assert cold.visits.tolist() == hot.visits.tolist()
        assert cold.action == cold.state.search_actions()[np.argmax(cold.visits)]
        differing += cold.action != hot.action
    assert differing >= 5


def test_noise_is_at_the_root_alone_and_priors_stay_clean():
    found = {}
    for fraction in (0.0, 0.4):
        settings = {**SEARCH, "noise_fraction": fraction, "simulations": [16]}
        drive = Drive([settings], [JUDGE], seed=5)
        drive.schedule(seeds(64), [(0, 0)] * 64)
        while drive.slots.counters()["searched"] < 64:
            drive.play(turns=1)
        found[fraction] = [d for d in replay(drive.slots.in_flight()) if d.ply == 0]
        (sample,) = drive.slots.sample_roots()
        noised, prior = np.array(sample["prior_noised"]), np.array(sample["prior"])
        assert noised.sum() == pytest.approx(1.0, abs=1e-5)
        if fraction == 0.0:
            assert noised.tolist() == prior.tolist()
        else:
            assert (noised >= (1 - fraction) * prior - 1e-6).all()
            assert np.abs(noised - prior).max() > 0.01
    changed = 0
    for plain, noisy in zip(found[0.0], found[0.4], strict=True):
        assert plain.prior.tolist() == noisy.prior.tolist()
        changed += plain.visits.tolist() != noisy.visits.tolist()
    assert changed >= 40


# ---- seats and players ------------------------------------------------------


def test_the_player_of_a_seat_is_the_one_scheduled():
    """Player 0 only ever marks, player 1 only ever rerolls first: each in its own seat."""

    def marks(observation):
        logits = np.full(GAME.num_actions, -30, np.float32)
        logits[32:] = 30
        return logits, 0.0

    def keeps(observation):
        logits = np.full(GAME.num_actions, -30, np.float32)
        logits[:32] = 30
        return logits, 0.0

    settings = {**SEARCH, "simulations": [2]}
    drive = Drive([settings, settings], [marks, keeps], slots_count=128, group_size=128, seed=3)
    drive.schedule([s for s in seeds(30) for _ in range(2)], [(0, 1), (1, 0)] * 30)
    drive.play()
    records = drive.slots.finished()
    assert records["seat_players"].tolist() == [[0, 1], [1, 0]] * 30
    first_moves = [0, 0]
    for decision in replay(records):
        player = records["seat_players"][decision.game][decision.state.seat]
        if decision.ply == 0:
            first_moves[player] += 1
        if decision.state.decision_kind == 0:
            assert (decision.action >= 32) == (player == 0)
    assert first_moves == [30, 30]
    openings = records["opening"].reshape(30, 2)
    assert (openings[:, 0] == openings[:, 1]).all(), "a pair shares its dice"


def test_a_mirrored_pair_of_equal_players_is_the_same_game_twice():
    """Without noise, temperature 0: exchanging two equal players exchanges nothing but names."""
    settings = {**SEARCH, "simulations": [8]}
    drive = Drive([settings, settings], [JUDGE, JUDGE], slots_count=128, group_size=128, seed=3)
    drive.slots.schedule(
        np.arange(40, dtype=np.int64),
        np.array(seeds(40), np.uint64),
        np.array([[0, 1]] * 40, np.int8),
    )
    drive.play()
    swapped = Drive([settings, settings], [JUDGE, JUDGE], slots_count=128, group_size=128, seed=3)
    swapped.slots.schedule(
        np.arange(40, dtype=np.int64),
        np.array(seeds(40), np.uint64),
        np.array([[1, 0]] * 40, np.int8),
    )
    swapped.play()
    one, other = drive.slots.finished(), swapped.slots.finished()
    assert other.pop("seat_players").tolist() == [[1, 0]] * 40
    assert one.pop("seat_players").tolist() == [[0, 1]] * 40
    assert same_records(one, other)


def test_random_players_are_uniform_over_legal_actions():
    records = random_games(300, seed=17)
    firsts = [d.action for d in replay(records) if d.ply == 0]
    counts = np.bincount(firsts, minlength=47)
    assert counts[31] == 0
    legal = np.delete(counts, 31)
    assert ((legal - 300 / 46) ** 2 / (300 / 46)).sum() < 95  # 45 degrees of freedom, 5 deviations


def test_external_players_decide_and_illegal_actions_are_refused():
    drive = Drive([{"kind": "external"}], [uniform_judge], seed=2)
    drive.schedule(seeds(10), [(0, 0)] * 10)
    slots, states, keys = drive.slots.decisions(0, 0)
    assert slots.tolist() == list(range(10))
    assert len(set(keys.tolist())) == 10
    before = drive.slots.in_flight()
    with pytest.raises(ValueError, match=r"Action 31.*illegal"):
        drive.slots.decide(0, 0, slots[:1], np.array([31], np.int32))
    with pytest.raises(ValueError, match=r"does not wait|names no slot"):
        drive.slots.decide(0, 0, np.array([12], np.int32), np.array([32], np.int32))
    assert same_records(before, drive.slots.in_flight())
    while drive.slots.busy(0):
        slots, states, _ = drive.slots.decisions(0, 0)
        moves = [int(GAME.state(row.tobytes()).legal()[-1]) for row in states]
        drive.slots.decide(0, 0, slots, np.array(moves, np.int32))
    records = drive.slots.finished()
    assert (records["plies"] == 30).all()
    assert drive.slots.counters()["external"] == 300


# ---- batches ----------------------------------------------------------------


@pytest.mark.parametrize("rule", ["puct", "gumbel"])
def test_the_uniform_answer_has_the_bits_of_zeros(rule):
    """Nothing encoded, listed or put through a softmax, and the same games."""
    settings = {**FAST, "rule": rule, "simulations": [24, 9], "max_inflight": 3}
    asked = Drive([settings], [uniform_judge], seed=6)
    asked.schedule(seeds(64), [(0, 0)] * 64)
    asked.play(turns=150)
    plain = Drive([settings], [uniform_judge], seed=6)
    plain.schedule(seeds(64), [(0, 0)] * 64)
    plain.slots.bind(0, 0)
    for _ in range(150):
        if plain.slots.collect(0, 0):
            plain.slots.supply_uniform(0, 0)
    assert same_records(asked.slots.in_flight(), plain.slots.in_flight())
    one, other = asked.slots.counters(), plain.slots.counters()
    assert one["simulations"] == other["simulations"] > 1000
    assert one["opened"] == other["opened"]
    assert one["node_bytes"] > 1.5 * other["node_bytes"], "no logits are kept"
    assert plain.slots.passes()["encode"] == 0.0 < asked.slots.passes()["encode"]


def test_supply_is_refused_where_it_does_not_belong():
    drive = Drive([FAST], [JUDGE], seed=6)
    drive.schedule(seeds(64), [(0, 0)] * 64)
    batch = drive.batches[0, 0]
    with pytest.raises(ValueError, match="without rows from collect"):
        drive.slots.supply_uniform(0, 0)
    with pytest.raises(ValueError, match="seats, legal and offsets together"):
        drive.slots.bind(0, 0, None, batch.seats)
    with pytest.raises(ValueError, match="seats, legal and offsets together"):
        drive.slots.bind(0, 0, batch.observations)
    drive.slots.bind(0, 0)
    assert drive.slots.collect(0, 0) == 64
    with pytest.raises(ValueError, match="supply_uniform"):
        drive.slots.supply(0, 0, batch.logits, batch.values)
    drive.slots.supply_uniform(0, 0)
    assert _core.Slots(
        GAME, slots=64, group_size=64, seed=1, players=[FAST], record=False
    ).passes() == {"tree": 0.0, "encode": 0.0, "expand": 0.0}
    unbound = _core.Slots(GAME, slots=64, group_size=64, seed=1, players=[FAST], record=False)
    with pytest.raises(ValueError, match="before bind"):
        unbound.collect(0, 0)


def test_batches_hold_what_the_border_promises():
    """Rows, offsets and legal actions of roots; padding is zero; nothing of an old batch stays."""
    drive = Drive([{**SEARCH, "max_inflight": 2}], [JUDGE], seed=2)
    drive.schedule(seeds(40), [(0, 0)] * 40)
    assert drive.slots.rows == 128
    batch = drive.batches[0, 0]
    assert drive.slots.collect(0, 0) == 40
    states = list(_states_in_flight(drive))
    for slot in range(40):
        row = 2 * slot
        state = states[slot]
        assert batch.observations[row].tolist() == state.observe(state.seat).tolist()
        assert batch.seats[row] == state.seat
        legal = batch.legal[batch.offsets[row] : batch.offsets[row + 1]]
        assert (legal - row * 47).tolist() == state.search_actions().tolist()
        assert batch.offsets[row + 2] == batch.offsets[row + 1]
        assert not batch.observations[row + 1].any()
    assert not batch.observations[80:].any()
    assert not batch.legal[batch.offsets[-1] :].any()
    for _ in range(200):
        batch.logits.fill(0)
        batch.values.fill(0)
        drive.slots.supply(0, 0, batch.logits, batch.values)
        if not drive.slots.collect(0, 0):
            break
        used = np.diff(batch.offsets) > 0
        assert batch.offsets[0] == 0
        assert (np.diff(batch.offsets) >= 0).all()
        assert not batch.observations[~used].any()
        assert batch.observations[used].any(axis=1).all()
        assert not batch.legal[batch.offsets[-1] :].any()
        rows = np.repeat(np.arange(128), np.diff(batch.offsets))
        assert (batch.legal[: batch.offsets[-1]] // 47 == rows).all()
        assert (batch.seats[~used] == 0).all()


def _states_in_flight(drive):
    records = drive.slots.in_flight()
    for opening in records["opening"].tolist():
        state = GAME.initial()
        state.apply_outcome(opening)
        yield state


def test_calls_out_of_turn_are_refused():
    drive = Drive([SEARCH], [JUDGE], seed=2)
    drive.schedule(seeds(3), [(0, 0)] * 3)
    batch = drive.batches[0, 0]
    with pytest.raises(ValueError, match="supply"):
        drive.slots.supply(0, 0, batch.logits, batch.values)
    assert drive.slots.collect(0, 0) == 3
    with pytest.raises(ValueError, match="supply"):
        drive.slots.collect(0, 0)
    for group, player in ((1, 0), (-1, 0), (0, 1)):
        with pytest.raises(ValueError, match="There is no"):
            drive.slots.collect(group, player)
    with pytest.raises(ValueError, match="values"):
        drive.slots.supply(0, 0, batch.logits, batch.values[:3])
    with pytest.raises(ValueError, match="multiple of 64"):
        Drive([SEARCH], [JUDGE], slots_count=100, group_size=100)
    with pytest.raises(ValueError, match="player"):
        drive.schedule([1], [(0, 5)])


def test_games_that_are_restored_mid_turn_know_their_rerolls():
    games = random_games(64)
    drive = Drive([FAST], [JUDGE], seed=2)
    drive.schedule([int(s) for s in games["seed"]], [(0, 0)] * 64)
    drive.slots.restore(truncated(games, [7] * 64))
    drive.slots.collect(0, 0)
    batch = drive.batches[0, 0]
    for decision in replay(truncated(games, [8] * 64)):
        if decision.ply == 7:
            seen = Seen.of(batch.observations[decision.game])
            assert seen == Seen.of(decision.state.observe(decision.state.seat))


def test_a_fallback_is_flagged_in_the_record():
    def broken(observation):
        logits, value = JUDGE(observation)
        if Seen.of(observation).rerolls == 2:
            logits = logits * np.float32(np.nan)
        return logits, value

    drive = Drive([FAST], [broken], slots_count=64, seed=23)
    drive.schedule(seeds(4), [(0, 0)] * 4)
    drive.play()
    records = drive.slots.finished()
    fell = (records["flags"] & 8) != 0
    assert fell.any()
    turns = np.array([bool(d.flags & 8) for d in replay(records)])
    rerolls = np.array([Seen.of(d.state.observe(d.state.seat)).rerolls for d in replay(records)])
    searched = np.array([bool(d.flags & 1) for d in replay(records)])
    assert (turns == (searched & (rerolls == 2))).all()


def test_values_that_are_not_finite_are_refused_before_any_backup():
    drive = self_play()
    rows = drive.slots.collect(0, 0)
    assert rows > 0
    before = drive.slots.counters()
    batch = drive.batches[0, 0]
    batch.values[0, 0] = np.nan
    with pytest.raises(NumericsError, match="not finite"):
        drive.slots.supply(0, 0, batch.logits, batch.values)
    assert drive.slots.counters() == before
    batch.values[0, 0] = 0.0
    drive.slots.supply(0, 0, batch.logits, batch.values)
    assert drive.slots.counters()["expansions"] > before["expansions"]
