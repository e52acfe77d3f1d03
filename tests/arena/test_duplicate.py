"""Duplicate deals: every seat played by both, honest figures, the same whatever the lanes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ludus import _core
from ludus.arena import DuplicateMatch, Match, MatchSettings, SeedSet, make_match
from ludus.arena.deals import normal_interval
from ludus.arena.duplicate import players_of_deal
from ludus.arena.replays import stages_of
from ludus.errors import CorruptError, GameError, RunError, UserError
from ludus.players import ExternalPlayer, RandomPlayer

FOUR = _core.game("blob:players=4,cards=3")
MIXED = _core.game("blob:players=3:1/5:1/8:1,cards=1-4")
ANY = _core.game("blob:players=3-8,cards=1-13")  # knows the deals of all others
BID = 52


def bidder(name, least, best_card, game=ANY):
    """Always bids ``least`` or the next above, and plays its lowest or its highest card."""

    def choose(states, keys):
        out = []
        for packed in states:
            legal = game.state(packed.tobytes()).legal()
            if legal[0] >= BID:
                out.append(legal[min(least, len(legal) - 1)])
            else:
                out.append(max(legal, key=lambda card: (best_card * (card % 13), card)))
        return np.array(out, dtype=np.int32)

    return ExternalPlayer(choose, name)


LOW = bidder("low", 0, -1)  # bids nothing and ducks: far better than random
RANDOM = RandomPlayer()


def match(a, b, *, game=FOUR, deals=60, seed=1, **settings):
    return DuplicateMatch(game, a, b, SeedSet.generate(seed, deals), MatchSettings(**settings))


def fingerprint(played):
    table = played.table
    return {name: column.tolist() for name, column in table.arrays().items()}


def points_by_hand(game, record):
    """Points of each seat in one game, and bids made, played again with nothing of the arena."""
    state = game.initial()
    state.apply_outcome(int(record["opening"]))
    made = np.zeros(8, int)
    bids, rounds = {}, 1
    for action, outcome in zip(record["action"], record["outcome"], strict=True):
        seat = state.seat
        if action >= BID:
            bids[seat] = int(action) - BID
        before = state.scores().copy()
        state.apply(int(action))
        if state.kind != "decision":
            for who, bid in bids.items():
                made[who] += state.scores()[who] - before[who] == 10 + bid
        if outcome >= 0:
            state.apply_outcome(int(outcome))
            rounds += 1
    assert state.kind == "terminal"
    return state.scores(), made, rounds


def split(columns):
    """One dictionary a game."""
    ends = np.cumsum(columns["plies"])
    for row, end in enumerate(ends):
        first = end - columns["plies"][row]
        game = {name: columns[name][row] for name in ("game_id", "seed", "opening", "seat_players")}
        yield {
            **game,
            "action": columns["action"][first:end],
            "outcome": columns["outcome"][first:end],
        }


@pytest.mark.parametrize(
    "text", ["blob:players=3:1/4:1/6:1,cards=1-4", "blob:play=games,highest=2"]
)
def test_figures_against_a_slow_computation(text):
    """Every figure again from the records, in fractions, by its definition."""
    game = _core.game(text)
    seeds = SeedSet.generate(3, 12)
    played = DuplicateMatch(
        game, bidder("low", 0, -1, game), RANDOM, seeds, MatchSettings(record=True)
    )
    report = played.run().as_json(per_unit=True)
    games = {int(g["game_id"]): g for part in played.take_records() for g in split(part)}
    assert sorted(games) == list(range(played.games_total))
    differences, scores, made, ranks, expected, numbers = [], [], [], [], [], []
    first = total_rounds = 0
    for deal, seed in enumerate(seeds.seeds):
        opening = games[first]["opening"]
        start = game.initial()
        start.apply_outcome(int(opening))
        n = start.players
        numbers.append(n)
        sums = {"a": Fraction(), "b": Fraction(), "made_a": Fraction(), "made_b": Fraction()}
        rank = [Fraction(), Fraction()]
        for k in range(2 * n):
            one = games[first + k]
            assert (one["seed"], one["opening"]) == (seed, opening)
            lone, alone = k % n, k // n  # A alone in the first n games
            seats = one["seat_players"][:n].tolist()
            assert seats == [alone if seat == lone else 1 - alone for seat in range(n)]
            assert set(one["seat_players"][n:].tolist()) <= {-1}
            points, bids_made, rounds = points_by_hand(game, one)
            total_rounds += rounds
            for who, name in ((0, "a"), (1, "b")):
                mine = [seat for seat in range(n) if seats[seat] == who]
                share = Fraction(1, 2 * n * len(mine) * rounds)
                sums[name] += share * sum(Fraction(float(points[s])) for s in mine)
                sums[f"made_{name}"] += share * sum(int(bids_made[s]) for s in mine)
            order = sorted(points[:n].tolist(), reverse=True)
            places = [i + 1 for i, p in enumerate(order) if p == points[lone]]
            rank[alone] += Fraction(sum(places), len(places)) / n
        differences.append(sums["a"] - sums["b"])
        scores.append((sums["a"], sums["b"]))
        made.append((sums["made_a"], sums["made_b"]))
        ranks.append(rank)
        expected.append(Fraction(n + 1, 2))
        first += 2 * n
        assert report["per_seed"][deal]["players"] == n
        assert report["per_seed"][deal]["score_difference"] == pytest.approx(float(differences[-1]))

    def mean(values):
        return float(sum(values) / len(values))

    def check(found, which):
        spread = np.std([float(differences[i]) for i in which], ddof=1) / np.sqrt(len(which))
        assert found["deals"] == len(which)
        assert found["mean_score_difference"] == pytest.approx(
            mean([differences[i] for i in which])
        )
        assert found["score_difference_se"] == pytest.approx(float(spread))
        for name, values in (("mean_scores", scores), ("made", made), ("rank", ranks)):
            for who in (0, 1):
                assert found[name][who] == pytest.approx(mean([values[i][who] for i in which]))
        assert found["rank_expected"] == pytest.approx(mean([expected[i] for i in which]))

    check(report, range(12))
    for n, found in report["by_players"].items():
        which = [i for i in range(12) if numbers[i] == int(n)]
        if len(which) > 1:
            check(found, which)
    assert sum(found["deals"] for found in report["by_players"].values()) == 12
    assert report["rounds"] == total_rounds
    assert report["games"] == played.games_total
    signs = np.sign([float(d) for d in differences])
    assert report["win_rate"] == pytest.approx(0.5 + 0.5 * signs.mean())
    assert (report["wins"], report["losses"]) == ((signs > 0).sum(), (signs < 0).sum())
    middle = report["mean_score_difference"]
    half = 1.959964 * report["score_difference_se"]
    assert report["score_difference_low"] == pytest.approx(middle - half)
    assert report["score_difference_high"] == pytest.approx(middle + half)


def test_players_of_a_deal_come_from_the_deal():
    seeds = SeedSet.generate(4, 60)
    found = {players_of_deal(MIXED, int(seed)) for seed in seeds.seeds}
    assert found == {3, 5, 8}
    with match(RANDOM, RANDOM, game=MIXED, seed=4) as played:
        assert played.games_total == 2 * sum(
            players_of_deal(MIXED, int(seed)) for seed in seeds.seeds
        )


def test_luck_cancels():
    """A player against itself has figure 0 in each deal; deals measure better than single games."""
    same = match(LOW, bidder("again", 0, -1), deals=50).run()
    assert set(same.deal_differences) == {0.0}
    assert same.rate.rate == 0.5
    assert same.distinct_games == same.deals == 50  # all games of a deal are one game
    # The game in which A sits alone on seat 0 has the luck of that hand. All eight of a deal
    # together have much less of it than eight such games with a deal each.
    played = match(LOW, wavering(0.05), deals=600, seed=6)
    deals = played.run().score_difference_se ** 2 * 600
    alone = (played.table.points[:, 0] - played.table.points[:, 1])[::8]
    assert deals < 0.5 * alone.var(ddof=1) / 8


def test_the_stronger_player_is_found():
    result = match(LOW, RANDOM, game=MIXED, deals=150).run()
    assert result.low > 2.0
    assert result.rate.bound > 0.8
    assert result.whole.made[0] > 1.5 * result.whole.made[1]
    assert result.whole.ranks[0] < result.whole.rank_expected < result.whole.ranks[1]
    back = match(RANDOM, LOW, game=MIXED, deals=150).run()
    assert back.high < -2.0


def test_games_of_one_deal_that_coincide_are_no_repetition():
    """Equal players play a deal the same way from every seat; repeated deals alone are told."""
    played = match(LOW, LOW, deals=12)
    played.run()
    result = played.result()
    assert result.distinct_games == 12 < result.games == 96
    assert result.distinct_deals == 12
    assert result.warnings == []
    again = replace(result, distinct_deals=6)
    assert "only 6 of 12 deals are distinct" in again.warnings[0]


def test_random_against_random_covers_nothing():
    """Of 60 intervals about 3 miss 0; more than 9 would come once in 400 series."""
    missed = 0
    for seed in range(60):
        result = match(RANDOM, RANDOM, deals=40, seed=100 + seed).run()
        missed += not result.low <= 0.0 <= result.high
    assert missed <= 9


def keyed(name):
    """Any legal action, drawn by the decision's key: slow enough to be interrupted."""

    def choose(states, keys):
        out = []
        for packed, key in zip(states, keys, strict=True):
            legal = ANY.state(packed.tobytes()).legal()
            out.append(legal[int(key) % len(legal)])
        return np.array(out, dtype=np.int32)

    return ExternalPlayer(choose, name)


def wavering(share):
    """Like LOW, but any legal action in a share of its decisions."""

    def choose(states, keys):
        out = LOW.choose(states, keys)
        odd = keys >> np.uint64(32) < np.uint64(share * 2**32)
        out[odd] = keyed("").choose(states[odd], keys[odd])
        return out

    return ExternalPlayer(choose, "wavering")


def keyed_players():
    return keyed("one"), LOW


def test_lanes_and_interruptions_change_nothing():
    whole = match(*keyed_players(), deals=40, game=MIXED)
    reference = whole.run().as_json(per_unit=True)
    two = match(*keyed_players(), deals=40, game=MIXED, lanes=2)
    assert two.run().as_json(per_unit=True) == reference
    assert fingerprint(two) == fingerprint(whole)
    broken, breaks, in_flight = match(*keyed_players(), deals=40, game=MIXED), 0, 0
    while broken.advance(0.01 if breaks >= 3 else 0.001):
        arrays, meta = broken.state()
        in_flight += len(arrays["flight.game_id"])
        broken.close()
        breaks += 1
        broken = match(*keyed_players(), deals=40, game=MIXED, lanes=1 + breaks % 2)
        broken.restore(arrays, meta)
    broken.close()
    assert breaks >= 3
    assert in_flight > 0
    assert fingerprint(broken) == fingerprint(whole)
    assert broken.result().as_json(per_unit=True) == reference


def test_a_prefix_is_the_shorter_match():
    long = match(LOW, RANDOM, deals=30)
    long.run()
    assert (
        long.result(10).as_json(per_unit=True)["per_seed"]
        == (long.result().as_json(per_unit=True)["per_seed"][:10])
    )
    assert long.result(10).games == 80
    with pytest.raises(ValueError, match="31 deals"):
        long.result(31)


def test_states_that_do_not_fit():
    played = match(LOW, RANDOM, deals=10)
    played.run()
    arrays, meta = played.state()
    with match(LOW, RANDOM, deals=10, seed=2) as other, pytest.raises(RunError, match="seeds_hash"):
        other.restore(arrays, meta)
    with match(LOW, RANDOM, deals=10) as other:
        with pytest.raises(CorruptError, match="stages"):
            other.restore({}, meta)
        with pytest.raises(CorruptError, match="80 games"):
            other.restore({**arrays, "points": arrays["points"][:-1]}, meta)


def test_the_kind_of_match_follows_the_seats():
    seeds = SeedSet.generate(1, 2)
    with make_match(FOUR, LOW, RANDOM, seeds) as deals:
        assert isinstance(deals, DuplicateMatch)
        assert deals.unit == "deals"
        assert deals.standing() == ""
        deals.advance(5.0)
        assert deals.standing().endswith("points a round")
    with make_match(_core.game("othello"), RANDOM, RANDOM, seeds) as pairs:
        assert isinstance(pairs, Match)
    with pytest.raises(GameError, match="play seed pairs"):
        DuplicateMatch(_core.game("othello"), RANDOM, RANDOM, seeds)
    with pytest.raises(UserError, match="unpaired"):
        match(RANDOM, RANDOM, paired=False)
    with pytest.raises(GameError, match="needs two seats"):
        Match(FOUR, RANDOM, RANDOM, seeds)


def test_stages_of_a_game_without_sampled_chance():
    """Othello is one stage, which its winner wins."""
    game = _core.game("othello")
    played = Match(game, RANDOM, RANDOM, SeedSet.generate(1, 5), MatchSettings(record=True))
    played.run()
    for columns in played.take_records():
        stages, won = stages_of(game, columns)
        assert set(stages.tolist()) == {1}
        assert np.array_equal(won, columns["returns"] > 0)


def test_normal_interval():
    assert normal_interval(1.0, 0.5) == pytest.approx((0.020018, 1.979982, 0.177573), abs=1e-6)
