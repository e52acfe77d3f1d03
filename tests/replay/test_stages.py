"""Training rows of games with stages and more than two seats: what an audit in Python derives."""

import numpy as np
import pytest

from ludus import _core
from ludus.replay import GameRecords, TargetRule
from ludus.replay.rederive import decoder, rederive

RULE = TargetRule()


def played(spec, games=8):
    game = _core.game(spec)
    search = {"kind": "search", "rule": "gumbel", "simulations": [6], "worlds": 2}
    slots = _core.Slots(game, slots=64, group_size=64, seed=4, players=[search])
    seeds = np.array([_core.derive_seed(4, "episode", i) for i in range(games)], np.uint64)
    slots.schedule(np.arange(games), seeds, np.zeros((games, game.num_seats), np.int8))
    slots.run_uniform(10**9)
    return game, GameRecords(slots.finished())


@pytest.mark.parametrize(
    "spec", ["blob:players=3-6,cards=1-4", "blob:players=3-4,play=games,highest=3"]
)
def test_rows_are_those_that_the_rules_give(spec):
    game, records = played(spec)
    assert rederive(game, records, decoder(game, RULE), RULE) == ([], records.samples)
    assert records.columns["opening"].max() > 2**16
    players = (records.columns["seat_players"] >= 0).sum(1)
    rows = decoder(game, RULE)(records)
    assert (rows.players == np.repeat(players, records.columns["plies"])).all()
    assert rows.value.shape == rows.margin.shape == (len(rows), 8)


def test_a_round_is_its_own_result():
    """In a whole game each row has the points of its round, not those of the game."""
    game, records = played("blob:players=3,play=games,highest=2", games=2)
    columns = records.columns
    rows = decoder(game, RULE)(records)
    assert (columns["outcome"] > 2**15).any()
    # Points of the rounds, read back from the rows of seats as they bid, add up to the score.
    ends = np.cumsum(columns["plies"])
    for g in range(2):
        plies = range(ends[g] - columns["plies"][g], ends[g])
        points = np.zeros(3)
        fresh = True
        for ply in plies:
            if fresh:
                seats = (columns["seat"][ply] + np.arange(3)) % 3
                points[seats] += (rows.value[ply, :3] + 1.0) * 11.5
            fresh = columns["outcome"][ply] >= 0
        assert points == pytest.approx(columns["scores"][g, :3], abs=1e-4)


def test_every_other_row_is_seen_with_open_hands():
    game, records = played("blob:players=4,cards=3", games=1)
    plies = np.arange(records.samples, dtype=np.int32)
    games = np.zeros(len(plies), np.int64)
    open_rows = _core.RowDecoder(game, records.columns, open=True).rows(games, plies)
    plain = _core.RowDecoder(game, records.columns).rows(games, plies)
    state = game.initial()
    state.apply_outcome(int(records.columns["opening"][0]))
    for row, action in enumerate(records.columns["action"].tolist()):
        closed = state.observe(state.seat)
        seen = state.observe_open(state.seat)
        assert (plain["observations"][row] == closed).all()
        assert (open_rows["observations"][row] == (seen if row % 2 else closed)).all()
        assert (seen[:256] == closed[:256]).all()
        held = [set(np.flatnonzero(hand)) for hand in seen[256:].reshape(7, 52)]
        for i, hand in enumerate(held):
            seat = (state.seat + 1 + i) % 4
            own = set(np.flatnonzero(state.observe(seat)[:52])) if i < 3 else set()
            assert hand == own
        state.apply(action)
    for name in ("policy", "value", "margin", "legal"):
        assert (plain[name] == open_rows[name]).all()


def test_temperature_of_targets():
    game, records = played("blob:players=4,cards=3")
    games = np.zeros(records.columns["plies"][0], np.int64)
    plies = np.arange(len(games), dtype=np.int32)
    plain = _core.decode_rows(game, records.columns, games, plies)
    for tau in (1.0, 0.5, 2.0):
        warm = _core.decode_rows(game, records.columns, games, plies, target_temperature=tau)
        for row, (begin, end) in enumerate(
            zip(plain["offsets"][:-1], plain["offsets"][1:], strict=True)
        ):
            p = plain["policy"][begin:end].astype(np.float64)
            wanted = p ** (1 / tau) / (p ** (1 / tau)).sum()
            if not plain["searched"][row]:
                wanted = p
            assert np.abs(warm["policy"][begin:end] - wanted).max() < 1e-6
        assert tau != 1.0 or warm["policy"].tobytes() == plain["policy"].tobytes()
    with pytest.raises(ValueError, match="must be above 0"):
        _core.RowDecoder(game, records.columns, target_temperature=0.0)
