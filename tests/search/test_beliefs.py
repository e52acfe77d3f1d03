"""Worlds chosen by what an evaluator believes of who holds which card."""

from itertools import combinations

import numpy as np
import pytest
from tests.search.driving import SEARCH, Drive, joined, random_games_of, truncated
from tests.search.test_worlds import HAND, JUDGE, SEAT_VIEW, played

from ludus import _core
from ludus.errors import ConfigError, NumericsError
from ludus.evaluators import LeafBatch, ScriptedEvaluator, UniformEvaluator
from ludus.games import get_game
from ludus.players.asking import Asking
from ludus.players.player import SearchPlayer

NOBODY = 7
ALL_DEALT = "blob:players=4,cards=13,trumps=s"


# ---- the tilted distribution ---------------------------------------------------


class Believer:
    """Sure of nothing but a belief, the same everywhere."""

    def __init__(self, belief):
        self.logits = belief

    def __call__(self, observation):
        return np.zeros(66, np.float32), np.zeros(8, np.float32)

    def belief(self, observation):
        return self.logits.reshape(-1)


def hands_of(state):
    return [frozenset(np.flatnonzero(state.observe(seat)[HAND])) for seat in range(state.players)]


def possible_worlds(state):
    """All deals of the unseen cards to the hands of the others that the voids allow."""
    seat, players = state.seat, state.players
    seen = state.observe(seat)
    unseen = (
        frozenset(range(52)) - set(np.flatnonzero(seen[HAND])) - set(np.flatnonzero(seen[52:104]))
    )
    voids = seen[180:212].reshape(8, 4) > 0
    sizes = [len(hands_of(state)[(seat + k) % players]) for k in range(1, players)]

    def deals(left, k):
        if k == players:
            yield ()
            return
        allowed = [card for card in sorted(left) if not voids[k, card // 13]]
        for hand in combinations(allowed, sizes[k - 1]):
            for rest in deals(left - set(hand), k + 1):
                yield (frozenset(hand), *rest)

    return unseen, list(deals(unseen, 1))


def late_position(spec, cards_left):
    """A game in flight before a decision with so many cards in each hand, and that position."""
    game = _core.game(spec)
    for seed in range(20):
        records = random_games_of(spec, 1, seed)
        state = game.initial()
        state.apply_outcome(int(records["opening"][0]))
        for ply, action in enumerate(records["action"].tolist()):
            after = state.copy()
            after.apply(action)
            many = len(possible_worlds(state)[1]) >= 30 if held(state) == cards_left else False
            if many and len(state.search_actions()) > 1 and next_moves(state):
                return truncated(records, [ply]), state
            state = after
    raise AssertionError("no such decision")


def held(state):
    return state.observe(state.seat)[HAND].sum()


def next_moves(state):
    """Whether the next seat is to move after any action: the trick is not over by it."""
    for action in state.search_actions().tolist():
        after = state.copy()
        after.apply(action)
        if after.kind != "decision" or after.seat != (state.seat + 1) % state.players:
            return False
    return True


def chosen(flight, spec, belief, weight, seed, evidence=0.0, count=1024, worlds=32):
    """The first world of ``count`` searches of one position, as the hands of the others."""
    settings = {
        **SEARCH,
        "worlds": worlds,
        "simulations": [1],
        "open_worlds": True,
        "skip_forced": False,
        "belief": weight,
        "evidence": evidence,
    }
    drive = Drive(
        [settings], [Believer(belief)], slots_count=count, group_size=count, seed=seed,
        game=_core.game(spec),
    )  # fmt: skip
    games = []
    for number in range(count):
        games.append({**flight, "game_id": np.array([number], flight["game_id"].dtype)})
        games[-1]["seat_players"] = np.zeros_like(flight["seat_players"])
    drive.schedule([int(flight["seed"][0])] * count, [(0,) * 8] * count)
    drive.slots.restore(joined(*games))
    assert drive.turn(0) == count  # the roots
    assert drive.slots.collect(0, 0) == count
    return drive.batches[0, 0].observations.copy()


def frequencies(state, observations, worlds):
    """How often each of the worlds was seen, from the view of the seat that moves after."""
    players, found = state.players, {}
    for row in observations:
        # The mover has played a card, so the next one is to move and sees all hands.
        hands = [row[HAND], *row[SEAT_VIEW:].reshape(7, 52)[: players - 2]]
        key = tuple(frozenset(np.flatnonzero(hand)) for hand in hands)
        found[key] = found.get(key, 0) + 1
    assert set(found) <= set(worlds)
    return np.array([found.get(world, 0) for world in worlds])


def tilted(worlds, unseen, belief, weight):
    """The distribution that is wanted, from its definition."""
    logs = []
    for world in worlds:
        holder = dict.fromkeys(unseen, NOBODY)
        for k, hand in enumerate(world):
            holder |= dict.fromkeys(hand, k)
        logs.append(weight * sum(float(belief[card, who]) for card, who in holder.items()))
    shares = np.exp(np.array(logs) - max(logs))
    return shares / shares.sum()


def chi_square(counts, shares):
    """In standard deviations above its mean, over cells that are merged up to 5 expected."""
    order = np.argsort(shares)
    expected, seen, cells = 0.0, 0.0, []
    for place in order:
        expected += shares[place] * counts.sum()
        seen += counts[place]
        if expected >= 5:
            cells.append((seen, expected))
            expected = seen = 0.0
    total = sum((n - e) ** 2 / e for n, e in cells)
    freedom = len(cells) - 1
    return (total - freedom) / np.sqrt(2 * freedom)


@pytest.mark.parametrize(
    ("spec", "cards_left", "weight"),
    [
        (ALL_DEALT, 2, 1.0),  # all cards are dealt, voids are known
        ("blob:players=3,cards=1,trumps=s", 1, 0.5),  # before a bid: most cards are nobody's
    ],
)
def test_worlds_follow_the_belief_exactly(spec, cards_left, weight):
    flight, state = late_position(spec, cards_left)
    unseen, worlds = possible_worlds(state)
    stream = np.random.Generator(np.random.PCG64(9))
    belief = stream.normal(0, 0.7, (52, 8)).astype(np.float32)
    counts = sum(
        frequencies(state, chosen(flight, spec, belief, weight, seed), worlds) for seed in (1, 2, 3)
    )
    shares = tilted(worlds, unseen, belief, weight)
    assert abs(chi_square(counts, shares)) < 4
    assert chi_square(counts, np.full(len(worlds), 1 / len(worlds))) > 8, "it proves nothing"


def test_evidence_and_belief_multiply():
    spec, flat = ALL_DEALT, np.zeros((52, 8), np.float32)
    flight, state = late_position(spec, 2)
    unseen, worlds = possible_worlds(state)
    stream = np.random.Generator(np.random.PCG64(3))
    for belief in (flat, stream.normal(0, 0.5, (52, 8)).astype(np.float32)):
        seen = chosen(flight, spec, belief, 1.0, 1, evidence=1.0)
        shares = tilted(worlds, unseen, belief, 1.0)
        shares *= np.exp([evidence_of(state, world) for world in worlds])
        counts = frequencies(state, seen, worlds)
        assert abs(chi_square(counts, shares / shares.sum())) < 4


def evidence_of(state, world):
    """Of the position with these hands of the others: what the rules' own count says."""
    game = get_game(ALL_DEALT)
    words = game.position_text(state).split(" ")
    hands = words[7].split("/")
    for k, hand in enumerate(world, 1):
        hands[(state.seat + k) % state.players] = "".join(
            "23456789TJQKA"[card % 13] + "shcd"[card // 13] for card in sorted(hand)
        )
    words[7] = "/".join(hands)
    return game.parse_position(" ".join(words)).world_evidence(state.seat)


# ---- who is asked --------------------------------------------------------------


def test_only_decisions_are_asked_and_nobody_without_belief():
    spec, settings = "blob:players=4,cards=3", {"worlds": 4, "simulations": [5]}
    plain, drive = played(spec, settings, games=32)
    assert drive.slots.belief_size(0) == 0 and drive.batches[0, 0].beliefs is None
    counters = drive.slots.counters()
    assert counters["worlds"] == 4 * counters["searched"]
    asking = Drive([{**SEARCH, **settings, "belief": 1.0}], [JUDGE], game=_core.game(spec), seed=3)
    assert asking.slots.belief_size(0) == 52 * 8
    seeds = [_core.derive_seed(3, "episode", i) for i in range(32)]
    asking.schedule(seeds, [(0,) * 8] * 32)
    wanted = 0
    while asking.slots.busy(0):
        asking.turn(0)  # fills what nobody wanted with NaN
        batch = asking.batches[0, 0]
        rows = np.flatnonzero(batch.wanted)
        assert not batch.observations[rows, SEAT_VIEW:].any()
        wanted += len(rows)
    counters = asking.slots.counters()
    # The last turn is a batch that is not written any more.
    assert counters["searched"] <= wanted <= counters["searched"] + 64
    other = asking.slots.finished()
    assert other["visits"].tobytes() != plain["visits"].tobytes()


def test_lanes_and_groups_change_nothing():
    spec, settings = "blob:players=3-5,cards=1-3", {"rule": "gumbel", "belief": 1.0}
    one, _ = played(spec, settings, games=128, slots=128, group=128)
    two, _ = played(spec, settings, games=128, slots=128, group=64)
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


# ---- bad input -----------------------------------------------------------------


def slots_of(name="blob:players=4,cards=3", **settings):
    return _core.Slots(
        _core.game(name),
        slots=64,
        group_size=64,
        seed=1,
        players=[{**SEARCH, "worlds": 2, "simulations": [4], **settings}],
    )


def test_games_without_hidden_things_have_no_belief():
    for weight, game, words in (
        (1.0, "yatzy", "'belief' must be 0 in a game"),
        (-1.0, "blob", "'belief' must be in 0..100"),
    ):
        with pytest.raises(ValueError, match=words):
            slots_of(game, belief=weight, worlds=1)
    assert _core.game("yatzy").belief_size == 0


def test_an_evaluator_without_beliefs_is_refused_in_a_sentence():
    slots = slots_of(belief=1.0)
    for evaluator in (UniformEvaluator(), ScriptedEvaluator(lambda batch: None)):
        with pytest.raises(ConfigError, match=r"belief head: train one with model\.belief = true"):
            Asking(slots, _core.game("blob"), 0, 0, SearchPlayer(evaluator))


def test_beliefs_are_lent_where_they_are_asked_for_and_are_finite():
    for weight, size in ((1.0, 0), (0.0, 416)):
        slots = slots_of(belief=weight)
        batch = LeafBatch.allocate(_core.game("blob"), slots.rows, slots.legal_capacity, size)
        parts = (batch.observations, batch.seats, batch.legal, batch.offsets, batch.players)
        with pytest.raises(ValueError, match=r"bind\(\) wants"):
            slots.bind(0, 0, *parts, batch.wanted, batch.beliefs)
    drive = Drive([{**SEARCH, "worlds": 2, "belief": 1.0}], [JUDGE], game=_core.game("blob"))
    drive.schedule([5], [(0,) * 8])
    drive.slots.collect(0, 0)
    batch = drive.batches[0, 0]
    batch.beliefs.fill(np.nan)
    with pytest.raises(NumericsError, match="belief of a leaf batch is not finite"):
        drive.slots.supply(0, 0, batch.logits, batch.values)
    batch.beliefs.fill(0)
    drive.slots.supply(0, 0, batch.logits, batch.values)
