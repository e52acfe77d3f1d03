"""Search where cards are hidden: against its twin, what each seat wants, what nobody may see."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from tests.search.driving import SEARCH, Drive, replay, same_records
from tests.twins.search_twin import Settings
from tests.twins.world_twin import WorldTwin

from ludus import _core
from ludus.evaluators import LeafBatch

SETUPS = 1430
HAND = slice(0, 52)
SEAT_VIEW = 256


class SeatJudge:
    """Logits and values of all seats from the mover on, out of tables by what the mover sees."""

    def __init__(self, seed: int = 1) -> None:
        stream = np.random.Generator(np.random.PCG64(seed))
        self.logits = stream.normal(0, 1.5, (251, 66)).astype(np.float32)
        self.values = np.tanh(stream.normal(0, 0.7, (251, 8))).astype(np.float32)
        self.beliefs = stream.normal(0, 1, (251, 52 * 8)).astype(np.float32)

    def __call__(self, observation):
        row = zlib.crc32(observation.tobytes()) % 251
        return self.logits[row], self.values[row]

    def belief(self, observation):
        return self.beliefs[zlib.crc32(observation.tobytes()) % 251]


JUDGE = SeatJudge()


def even(observation):
    return np.zeros(66, np.float32), np.zeros(8, np.float32)


def drive_of(spec, settings, *, games, judge=JUDGE, seed=3, slots=64, group=64, first=0):
    """Self-play that has been scheduled and not begun."""
    game = _core.game(spec)
    drive = Drive(
        [{**SEARCH, "worlds": 2, "simulations": [10], **settings}],
        [judge],
        slots_count=slots,
        group_size=group,
        seed=seed,
        game=game,
    )
    seeds = [_core.derive_seed(seed, "episode", i) for i in range(first, first + games)]
    drive.schedule(seeds, [(0,) * 8] * games, first)
    return drive


def played(spec, settings, **how):
    drive = drive_of(spec, settings, **how)
    drive.play()
    return drive.slots.finished(), drive


def evaluate(state, actions):
    """As the judge answers a batch: values by seat."""
    logits, values = JUDGE(state.observe(state.seat))
    by_seat = np.zeros(8, np.float32)
    by_seat[(state.seat + np.arange(state.players)) % state.players] = values[: state.players]
    return logits[actions], by_seat


# ---- against the twin -------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"worlds": 5, "max_inflight": 6},
        {"rule": "gumbel", "temperature": [1.0]},
        {"skip_forced": False, "margin_weight": 0.3},
    ],
    ids=["puct", "in-flight", "gumbel", "plain"],
)
def test_it_is_the_search_of_the_twin(settings, shared):
    """Visits, values and moves of whole rounds, simulation by simulation."""
    settings = {"worlds": 3, "information_sets": shared, **settings}
    records, _ = played("blob:players=3-4,cards=2-3", settings, games=6)
    twins = Settings(
        simulations=10 * settings["worlds"],
        temperature=settings.get("temperature", [0.0])[0],
        **{
            name: settings[name]
            for name in ("rule", "max_inflight", "margin_weight")
            if name in settings
        },
    )
    compared = 0
    for decision in replay(records, _core.game("blob:players=3-4,cards=2-3")):
        if not decision.flags & 1:
            continue
        twin = WorldTwin(
            _core.search_worlds(decision.state, settings["worlds"], 3, decision.game, decision.ply),
            twins,
            evaluate,
            3,
            decision.game,
            decision.ply,
            shared=shared,
            skip_forced=settings.get("skip_forced", True),
        )
        assert decision.visits.tolist() == twin.visits.astype(int).tolist()
        assert np.abs(decision.q - twin.q).max() < 1e-3  # stored with 16 bits
        assert abs(decision.root_value - twin.value) < 1e-3
        assert decision.action == decision.state.search_actions()[twin.choose()]
        compared += 1
    assert compared > 25


# ---- every seat for itself --------------------------------------------------


def best_for(state):
    """Stage returns that follow when every seat plays for itself and all hands are open."""
    if state.kind != "decision":
        return state.stage_returns()
    found = []
    for action in state.search_actions().tolist():
        after = state.copy()
        after.apply(action)
        found.append(best_for(after))
    return max(found, key=lambda returns: returns[state.seat])


def test_the_last_bid_of_one_card_is_the_mean_over_worlds():
    """All that follows is forced: every simulation of a bid brings what its world brings."""
    records, drive = played(
        "blob:players=4,cards=1,dealer=free",
        {"worlds": 16, "simulations": [4]},
        games=16,
        judge=even,
    )
    compared = 0
    for decision in replay(records, drive.game):
        if decision.ply != 3 or not decision.flags & 1:
            continue
        worlds = _core.search_worlds(decision.state, 16, 3, decision.game, decision.ply)
        for i, action in enumerate(decision.state.search_actions().tolist()):
            brought = []
            for n in range(decision.visits[i]):
                after = worlds[n % 16].copy()
                after.apply(action)
                brought.append(best_for(after)[decision.state.seat])
            assert abs(np.mean(brought) - decision.q[i]) < 1e-3
            compared += 1
    assert compared > 20


def test_the_others_reply_with_what_is_best_for_themselves():
    """The bid before the last: in each world the last one answers with its own best bid, which
    costs or pays the searching seat what it costs; nobody plays against anybody."""
    records, drive = played(
        "blob:players=3,cards=1,dealer=free",
        {"worlds": 4, "simulations": [500], "c_puct": 0.5},
        games=16,
        judge=even,
    )
    off = []
    for decision in replay(records, drive.game):
        if decision.ply != 1 or not decision.flags & 1:
            continue
        worlds = _core.search_worlds(decision.state, 4, 3, decision.game, decision.ply)
        for i, action in enumerate(decision.state.search_actions().tolist()):
            mean = []
            for world in worlds:
                after = world.copy()
                after.apply(action)
                mean.append(best_for(after)[decision.state.seat])
            if decision.visits[i] > 400:
                off.append(abs(decision.q[i] - np.mean(mean)))
    assert len(off) > 10 and max(off) < 0.03


# ---- what nobody may see ----------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"information_sets": True},
        {"rule": "gumbel"},
        {"rule": "gumbel", "open_worlds": True},
        {"belief": 1.0},
        {"belief": 1.0, "evidence": 1.0, "information_sets": True},
        {"belief": 2.0, "rule": "gumbel", "open_worlds": True, "max_inflight": 4},
    ],
)
def test_the_cards_of_the_others_change_nothing(settings):
    """Rounds that differ in the others' cards alone: the first decision is the same to the bit."""
    game = _core.game("blob:players=3,cards=2,trumps=sn")
    pairs, known = [], {}
    for seed in range(4000):
        state = game.initial()
        deal = state.draw(seed)
        state.apply_outcome(deal)
        seen = state.seat, state.observe(state.seat).tobytes()
        if seen in known and known[seen][1] != deal:
            pairs.append((known.pop(seen)[0], seed))
        else:
            known[seen] = seed, deal
    pairs = pairs[:48]
    assert len(pairs) == 48
    first, later = [], 0
    for episode in (0, 1):
        drive = Drive(
            [{**SEARCH, "worlds": 4, "simulations": [16], **settings}], [JUDGE], game=game
        )
        drive.schedule([pair[episode] for pair in pairs], [(0,) * 8] * 48)
        drive.play()
        first.append([d for d in replay(drive.slots.finished(), game) if d.ply < 2])
    for one, other in zip(*first, strict=True):
        if one.ply == 1:
            later += one.visits.tolist() != other.visits.tolist()
            continue
        assert one.visits.tolist() == other.visits.tolist()
        assert one.q.tolist() == other.q.tolist()
        assert (one.action, one.root_value) == (other.action, other.root_value)
    assert later > 20, "the next seat's cards hardly differ: the test proves nothing"


def test_leaves_see_the_hands_of_their_world_and_decisions_do_not():
    game = _core.game("blob:players=4,cards=3")
    slots = _core.Slots(
        game,
        slots=64,
        group_size=64,
        seed=5,
        players=[{**SEARCH, "simulations": [3], "worlds": 4, "open_worlds": True}],
    )
    seeds = np.arange(64).astype(np.uint64)
    slots.schedule(np.arange(64), seeds, np.zeros((64, 8), np.int8))
    batch = LeafBatch.allocate(game, slots.rows, slots.legal_capacity)
    parts = (batch.observations, batch.seats, batch.legal, batch.offsets, batch.players)
    slots.bind(0, 0, *parts)
    assert slots.collect(0, 0) == 64
    roots = batch.observations.copy()
    assert not roots[:, SEAT_VIEW:].any(), "a decision sees hands of others"
    slots.supply_uniform(0, 0)
    assert slots.collect(0, 0) == 64
    hands = batch.observations[:, SEAT_VIEW:].reshape(64, 7, 52)
    # Three others with three cards each while bids are made, none of them twice, none of its own.
    assert (hands.sum(2)[:, :3] == 3).all()
    assert not hands[:, 3:].any()
    assert (hands.sum(1) + batch.observations[:, HAND] <= 1).all()


def test_players_without_a_tree_are_shown_a_world():
    """Their own cards, and cards of the others that are drawn, not theirs."""
    game = _core.game("blob:players=4,cards=5")
    deals = {}
    shown_twice = []
    for _ in range(2):
        slots = _core.Slots(game, slots=64, group_size=64, seed=5, players=[{"kind": "external"}])
        seeds = np.arange(100, 164).astype(np.uint64)
        slots.schedule(np.arange(64), seeds, np.zeros((64, 8), np.int8))
        index, states, _ = slots.decisions(0, 0)
        assert len(index) == 64
        shown_twice.append(states.tobytes())
        same = 0
        for slot, packed in zip(index.tolist(), states, strict=True):
            real, shown = game.initial(), game.state(packed.tobytes())
            real.apply_outcome(real.draw(int(seeds[slot])))
            deals[slot] = real
            assert (shown.observe(real.seat) == real.observe(real.seat)).all()
            other = (real.seat + 1) % 4
            same += (shown.observe(other)[HAND] == real.observe(other)[HAND]).all()
        assert same < 3
    assert shown_twice[0] == shown_twice[1]
    # What they choose is legal where they are.
    actions = np.array([deals[slot].search_actions()[0] for slot in index.tolist()], np.int32)
    slots.decide(0, 0, index.astype(np.int32), actions)


# ---- the amount of search ---------------------------------------------------


def test_a_batch_as_large_as_the_budget_leaves_the_root():
    settings = {"worlds": 4, "simulations": [16], "max_inflight": 64}
    records, drive = played("blob:players=4,cards=4", settings, games=8)
    counters = drive.slots.counters()
    assert counters["simulations"] == 64 * counters["searched"]
    assert counters["depth"] > 1.3 * counters["simulations"]
    searched = [d.visits for d in replay(records, drive.game) if d.flags & 1]
    assert all(visits.sum() == 64 for visits in searched)
    spread = np.mean([(visits > 0).sum() > 1 for visits in searched])
    assert spread > 0.9


def test_forced_plays_are_neither_searched_nor_evaluated():
    drive = drive_of("blob:players=5,cards=3", {"information_sets": False}, games=64)
    least = []
    while drive.slots.busy(0):
        if drive.turn(0):
            entries = np.diff(drive.batches[0, 0].offsets)
            least.append(entries[entries > 0].min())
    assert min(least) > 1
    for decision in replay(drive.slots.finished(), drive.game):
        forced = len(decision.state.search_actions()) == 1
        assert bool(decision.flags & 2) == forced
        assert bool(decision.flags & 1) != forced


# ---- games -------------------------------------------------------------------


def chi_square(counts):
    expected = sum(counts) / len(counts)
    return sum((n - expected) ** 2 for n in counts) / expected


def test_trumps_and_dealers_of_self_play_are_uniform():
    game = _core.game("blob:players=5,cards=1-5")
    slots = _core.Slots(game, slots=64, group_size=64, seed=2, players=[{"kind": "random"}])
    seeds = np.array([_core.derive_seed(2, "episode", i) for i in range(4000)], np.uint64)
    slots.schedule(np.arange(4000), seeds, np.zeros((4000, 8), np.int8))
    slots.decisions(0, 0)
    records = slots.finished()
    assert len(records["game_id"]) == 4000
    found = np.zeros((5, 5), int)  # dealers, trumps, as the network's input has them
    cards = np.zeros(6, int)
    for deal in records["opening"].tolist():
        state = game.initial()
        state.apply_outcome(deal)
        seen = state.observe(0)
        trump = int(np.argmax(seen[226:231]))
        found[int(np.argmax(seen[212:217])), trump] += 1
        cards[int(seen[HAND].sum())] += 1
    # 99.9 % points of chi-square with 4, 4, 24 and 4 degrees of freedom.
    assert chi_square(found.sum(0)) < 18.5
    assert chi_square(found.sum(1)) < 18.5
    assert chi_square(found.ravel()) < 51.2
    assert chi_square(cards[1:]) < 18.5


def test_games_do_not_depend_on_groups_or_on_the_order_of_lanes():
    spec, settings = "blob:players=3-5,cards=1-3", {"rule": "gumbel", "temperature": [1.0]}
    one, _ = played(spec, settings, games=128, slots=128, group=128)
    drive = drive_of(spec, settings, games=128, slots=128, group=64)
    drive.play(order=lambda turn: [1, 0] if turn % 3 else [0, 1])
    assert same_records(one, drive.slots.finished())


@pytest.mark.parametrize("spec", ["blob:players=4,cards=3", "blob:players=3,play=games,highest=2"])
def test_games_in_flight_go_on_after_a_kill(spec):
    settings = {"temperature": [1.0], "information_sets": "games" in spec}
    whole, _ = played(spec, settings, games=32)
    first = drive_of(spec, settings, games=32)
    first.play(turns=120)
    done, flight = first.slots.finished(), first.slots.in_flight()
    assert len(flight["game_id"]) > 0 and flight["plies"].max() > 2
    again = Drive(first.players, [JUDGE], seed=3, game=first.game)
    left = [i for i in range(32) if i not in set(done["game_id"].tolist())]
    again.slots.schedule(
        np.array(left, np.int64),
        np.array([_core.derive_seed(3, "episode", i) for i in left], np.uint64),
        np.zeros((len(left), 8), np.int8),
    )
    again.slots.restore(flight)
    again.play()
    rest = again.slots.finished()
    for name in ("action", "visits", "q"):
        assert len(done[name]) + len(rest[name]) == len(whole[name])
    results = {}
    for part in (done, rest):
        results |= dict(zip(part["game_id"].tolist(), part["scores"].tolist(), strict=True))
    wanted = dict(zip(whole["game_id"].tolist(), whole["scores"].tolist(), strict=True))
    assert results == wanted


def test_evidence_and_settings_of_other_games_are_refused():
    for name, settings, words in (
        ("yatzy", {"worlds": 2}, "'worlds' must be 1"),
        ("blob", {"worlds": 300}, "'worlds' must be in 1..256"),
        ("blob", {"worlds": 256, "simulations": [400]}, "worlds times simulations"),
        ("blob", {"reuse_tree": True}, "'reuse_tree' must be false"),
        ("blob", {"evidence": -1.0}, "'evidence' must be in 0..100"),
    ):
        with pytest.raises(ValueError, match=words):
            _core.Slots(
                _core.game(name),
                slots=64,
                group_size=64,
                seed=1,
                players=[{"kind": "search", **settings}],
            )
