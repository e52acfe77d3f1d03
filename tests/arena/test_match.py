"""Matches: seats exchanged, the same result for lanes, slices and interruptions, honest figures."""

import numpy as np
import pytest

from ludus import _core
from ludus.arena import Match, MatchSettings, SeedSet
from ludus.arena.finished import game_digests
from ludus.arena.replays import decisions_of, final_states
from ludus.errors import CorruptError, RunError, UserError
from ludus.evaluators import ScriptedEvaluator, UniformEvaluator
from ludus.players import ExternalPlayer, RandomPlayer, SearchPlayer, uniform_player

GAME = _core.game("yatzy")


def lowest(states, keys):
    return np.array([GAME.state(s.tobytes()).legal()[0] for s in states], dtype=np.int32)


def highest(states, keys):
    """Mark the highest free category at once: no reroll ever."""
    return np.array([GAME.state(s.tobytes()).legal()[-1] for s in states], dtype=np.int32)


LOWEST = ExternalPlayer(lowest, "lowest")
HIGHEST = ExternalPlayer(highest, "highest")


def fingerprint(match):
    table = match.table
    return (table.points.tolist(), table.scores.tolist(), table.digests.tolist())


def test_seats_are_exchanged_and_counted_from_a():
    seeds = SeedSet.generate(1, 40)
    settings = MatchSettings(lanes=2, record=True)
    match = Match(GAME, HIGHEST, RandomPlayer(), seeds, settings)
    result = match.run()
    columns = match.take_records()
    ids = np.concatenate([c["game_id"] for c in columns])
    assert sorted(ids.tolist()) == list(range(80))
    for part in columns:
        for row, game in enumerate(part["game_id"].tolist()):
            assert part["seat_players"][row].tolist() == ([0, 1] if game % 2 == 0 else [1, 0])
            assert part["seed"][row] == seeds.seeds[game // 2]
            seat_of_a = game % 2
            own, other = part["scores"][row][seat_of_a], part["scores"][row][1 - seat_of_a]
            assert match.table.scores[game].tolist() == [own, other]
            assert match.table.points[game] == 1 + np.sign(own - other)
    assert result.wins + result.losses + result.draws == result.games == 80
    assert result.rate.rate == (result.wins + 0.5 * result.draws) / 80
    differences = match.table.scores[:, 0] - match.table.scores[:, 1]
    assert result.score_difference == pytest.approx(differences.mean())
    pairs = differences.reshape(-1, 2).mean(axis=1)
    assert result.score_difference_se == pytest.approx(pairs.std(ddof=1) / np.sqrt(40))
    assert result.mean_scores == pytest.approx(match.table.scores.mean(axis=0))


def test_equal_deterministic_players_split_every_pair():
    """The dice are keyed by seed and seat: seats exchanged, the same game happens again."""
    result = Match(GAME, HIGHEST, ExternalPlayer(highest, "again"), SeedSet.generate(2, 30)).run()
    assert set(result.pair_scores) == {0.5}
    assert result.score_difference == 0.0
    assert result.distinct_games == 30  # not 60: that is why they are counted
    assert result.rate.low == result.rate.high == 0.5


def test_pairs_measure_better_than_unpaired_games():
    """Y-203: the same number of games, a smaller spread of the score difference."""
    players = ExternalPlayer(lowest, "a"), HIGHEST
    paired = Match(GAME, *players, SeedSet.generate(3, 150)).run()
    single = Match(GAME, *players, SeedSet.generate(3, 300), MatchSettings(paired=False)).run()
    assert paired.games == single.games == 300
    assert paired.as_json()["unit"] == "seed pair"
    assert single.as_json()["unit"] == "two games of different seeds"
    same = Match(GAME, HIGHEST, ExternalPlayer(highest), SeedSet.generate(3, 150)).run()
    luck = Match(
        GAME,
        HIGHEST,
        ExternalPlayer(highest),
        SeedSet.generate(3, 300),
        MatchSettings(paired=False),
    ).run()
    assert same.score_difference_se < luck.score_difference_se


def searchers():
    def fill(batch):
        sums = batch.observations.sum(axis=1)
        batch.values[:, 0] = np.sin(sums)
        batch.values[:, 1] = -np.sin(sums)
        batch.logits[: batch.used] = np.cos(batch.legal[: batch.used])

    settings = {"simulations": [6], "temperature": [0.0]}
    return (
        SearchPlayer(ScriptedEvaluator(fill), settings, "scripted"),
        uniform_player({"simulations": [5]}),
    )


def test_lanes_change_nothing():
    seeds = SeedSet.generate(4, 135)  # more games than slots
    one = Match(GAME, *searchers(), seeds, MatchSettings(lanes=1))
    two = Match(GAME, *searchers(), seeds, MatchSettings(lanes=2))
    assert one.run().as_json(per_unit=True) == two.run().as_json(per_unit=True)
    assert fingerprint(one) == fingerprint(two)


def test_going_on_from_any_moment_changes_nothing():
    seeds = SeedSet.generate(5, 135)
    whole = Match(GAME, *searchers(), seeds)
    whole.run()
    match = Match(GAME, *searchers(), seeds, MatchSettings(lanes=2))
    breaks = 0
    in_flight = 0
    while match.advance(0.02 if breaks >= 3 else 0.002):
        arrays, meta = match.state()
        in_flight += len(arrays["flight.game_id"])
        match.close()
        match = Match(GAME, *searchers(), seeds, MatchSettings(lanes=1 + breaks % 2))
        match.restore(arrays, meta)
        breaks += 1
    match.close()
    assert breaks >= 3
    assert in_flight > 0
    assert fingerprint(match) == fingerprint(whole)
    assert match.result().as_json() == whole.result().as_json()


def test_state_of_a_finished_match_and_of_another():
    seeds = SeedSet.generate(6, 10)
    match = Match(GAME, LOWEST, RandomPlayer(), seeds)
    match.run()
    arrays, meta = match.state()
    again = Match(GAME, LOWEST, RandomPlayer(), seeds)
    again.restore(arrays, meta)
    assert not again.advance(1.0)
    assert again.result().as_json() == match.result().as_json()
    again.close()
    with (
        Match(GAME, LOWEST, RandomPlayer(), SeedSet.generate(7, 10)) as other,
        pytest.raises(RunError, match="seeds_hash"),
    ):
        other.restore(arrays, meta)
    with Match(GAME, LOWEST, RandomPlayer(), seeds) as other:
        with pytest.raises(CorruptError, match="points"):
            other.restore({}, meta)
        short = {**arrays, "scores": arrays["scores"][:-1]}
        with pytest.raises(CorruptError, match="20 games"):
            other.restore(short, meta)


def test_figures_are_summed_over_the_games():
    def count(columns):
        rows = decisions_of(GAME, columns, player=0)
        return {"moves": np.bincount(rows.games, minlength=len(columns["plies"])).astype(float)}

    match = Match(GAME, HIGHEST, RandomPlayer(), SeedSet.generate(1, 20), figures=count)
    result = match.run()
    # The one that never rerolls moves 15 times a game.
    assert result.figures == {"moves": 40 * 15.0}


def test_replayed_states_are_those_of_the_game():
    match = Match(GAME, LOWEST, RandomPlayer(), SeedSet.generate(8, 5), MatchSettings(record=True))
    match.run()
    (columns,) = match.take_records()
    rows = decisions_of(GAME, columns, player=0)
    assert (rows.actions == lowest(rows.states, None)).all()
    for state, kind in zip(rows.states, rows.kinds, strict=True):
        assert GAME.state(state.tobytes()).decision_kind == kind
    for final, scores in zip(final_states(GAME, columns), columns["scores"], strict=True):
        state = GAME.state(final.tobytes())
        assert state.kind == "terminal"
        assert state.scores().tolist() == scores.tolist()


def test_digests_tell_games_apart():
    match = Match(GAME, HIGHEST, RandomPlayer(), SeedSet.generate(8, 5), MatchSettings(record=True))
    match.run()
    (columns,) = match.take_records()
    digests = game_digests(columns)
    assert len(set(digests.tolist())) == 10
    for name in ("action", "outcome", "opening"):
        changed = {**columns, name: columns[name].copy()}
        changed[name][0] += 1
        other = game_digests(changed)
        assert other[0] != digests[0]
        assert (other[1:] == digests[1:]).all()


def test_policy_without_search_takes_the_likeliest_action():
    """A search of no simulations: the highest logit, ties to the lowest action."""

    def fill(batch):
        batch.values.fill(0.0)
        batch.logits[: batch.used] = batch.legal[: batch.used] % batch.num_actions

    player = SearchPlayer(
        ScriptedEvaluator(fill), {"simulations": [0], "temperature": [0.0]}, "top"
    )
    match = Match(GAME, player, RandomPlayer(), SeedSet.generate(1, 5), MatchSettings(record=True))
    match.run()
    (columns,) = match.take_records()
    rows = decisions_of(GAME, columns, player=0)
    assert (rows.actions == highest(rows.states, None)).all()
    even = SearchPlayer(UniformEvaluator(), {"simulations": [0], "temperature": [0.0]}, "even")
    match = Match(GAME, even, RandomPlayer(), SeedSet.generate(1, 5), MatchSettings(record=True))
    match.run()
    rows = decisions_of(GAME, match.take_records()[0], player=0)
    assert (rows.actions == lowest(rows.states, None)).all()


def test_bad_settings():
    with pytest.raises(UserError, match="multiple of 64"):
        MatchSettings(rows=100)
    with pytest.raises(UserError, match="lane"):
        MatchSettings(lanes=0)
    with pytest.raises(UserError, match="even number"):
        Match(GAME, LOWEST, HIGHEST, SeedSet.generate(1, 3), MatchSettings(paired=False))
