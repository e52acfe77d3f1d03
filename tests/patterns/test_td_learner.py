"""The learner of pattern tables: its slow twin, its arrays, the same bits, what it refuses."""

import hashlib
import re
import threading
from collections import Counter

import numpy as np
import pytest
from tests.twins import td_twin as twin

from ludus import _core
from ludus.errors import GameError

SMALL = "corner: a1 b1 a2 b2\nedge: a1 b1 c1 d1 e1 f1\ncentre: d4 e4 d5 e5\nodd: b1 c2 d2"


def learner(**settings):
    return _core.TdLearner(_core.PatternSet.parse(SMALL), **{"seed": 5, **settings})


def train(which, games, seconds=1e9, **settings):
    return which.train(
        games, seconds, **{"threads": 1, "rate": 0.05, "epsilon": 0.2, "opening": 0, **settings}
    )


def digest(which):
    parts = (which.entries(), which.updates(), which.tables.all())
    return hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest()


@pytest.mark.parametrize(
    ("trace_lambda", "cut", "batch"), [(0.3, False, 1), (0.9, True, 2), (0.7, False, 6)]
)
def test_a_few_games_are_learned_as_by_the_twin(trace_lambda, cut, batch):
    ours = learner(batch=batch, sample_every=1, trace_lambda=trace_lambda, cut=cut, clip=20.0)
    chosen = ours.tables.set
    patterns = [twin.Pattern(chosen.describe(i)["placements"][0]) for i in range(len(chosen))]
    theirs = twin.Learner(patterns, trace_lambda, cut, 20.0, 0.05)
    for _ in range(6 // batch):
        figures = train(ours, ours.games + batch)
        errors = []
        for game in figures["samples"]:
            errors += theirs.errors(list(game["actions"]))
        theirs.learn(errors)
        assert figures["steps"] == len(errors)
        assert figures["error"] == pytest.approx(sum(abs(float(e)) for _, e in errors))
    entries = ours.entries().view(np.float32)
    steps, updates = ours.entries()[:, :, 3], ours.updates()
    seen = 0
    for (stage, pattern, contents), entry in theirs.entries.items():
        described = chosen.describe(pattern)
        slot = described["first_slot"] + int(chosen.slots_of(pattern)[contents])
        assert (steps[stage, slot], updates[stage, slot]) == (entry.steps, entry.updates)
        assert entries[stage, slot, :3].tolist() == [entry.weight, entry.first, entry.second]
        table = ours.tables.weight(pattern, stage, contents)
        assert table == theirs.table((stage, pattern, contents))
        seen += entry.updates > 0
    assert seen == (updates > 0).sum() == visited(ours)
    assert updates.sum() == sum(e.updates for e in theirs.entries.values())


def visited(which):
    """Entries that were visited, by the learner's own count."""
    return int(which.visited().sum())


def test_an_opening_is_random_and_its_last_move_is_learned():
    ours = learner(batch=64, sample_every=1)
    figures = train(ours, 640, opening=20, epsilon=0.0)
    beginnings = {game["actions"][:8] for game in figures["samples"]}
    assert len(beginnings) > 300
    assert figures["steps"] < figures["moves"] - 8 * 640  # ten random moves a game, nine unlearned
    greedy = train(learner(batch=64, sample_every=1), 64, epsilon=0.0)
    assert len({game["actions"] for game in greedy["samples"]}) == 1


@pytest.mark.parametrize("opening", [0, 12])
def test_threads_slices_and_kills_change_no_bit(opening):
    whole = learner(batch=48)
    train(whole, 960, opening=opening)
    sliced = learner(batch=48)
    while sliced.games < 960:
        train(sliced, 960, seconds=0.0005, threads=2, opening=opening)
    assert digest(sliced) == digest(whole)
    killed = learner(batch=48)
    train(killed, 480, opening=opening)
    entries, updates, games = killed.entries().copy(), killed.updates().copy(), killed.games
    train(killed, 960, seconds=0.0005, opening=opening)  # what it played after the commit is lost
    restored = learner(batch=48)
    restored.entries()[...] = entries
    restored.updates()[...] = updates
    restored.restore(games)
    train(restored, 960, threads=3, opening=opening)
    assert digest(restored) == digest(whole)
    other = learner(batch=48, seed=6)
    train(other, 960, opening=opening)
    assert digest(other) != digest(whole)


def test_counts_agree():
    ours = learner(batch=100, sample_every=50)
    figures = train(ours, 1000)
    games = figures["samples"]
    assert [game["number"] for game in games] == list(range(0, 1000, 50))
    assert figures["games"] == ours.games == 1000
    assert 0 < figures["black_wins"] + figures["white_wins"] <= 1000
    assert figures["fresh"] == visited(ours) == (ours.updates() > 0).sum()
    histogram = ours.histogram()
    assert histogram.sum() == ours.updates().size
    assert histogram[0] == (ours.updates() == 0).sum()
    assert histogram[3] == ((ours.updates() >= 4) & (ours.updates() < 8)).sum()
    assert ours.updates().sum() == figures["steps"] * ours.tables.set.instances
    assert figures["lowest"] < 0 < figures["highest"]
    assert figures["repairs"] == []
    assert ours.bytes()["tables"] == 30 * ours.tables.set.entries * 2


def test_replay_shows_what_is_learned():
    ours = learner(batch=10, sample_every=1, trace_lambda=0.8)
    train(ours, 500, opening=4)
    frozen = ours.tables.copy()
    figures = train(ours, 510)
    total = 0.0
    for game in figures["samples"]:
        actions = np.frombuffer(game["actions"], np.uint8)
        rows = _core.td_replay(frozen, actions, 0.8, False, 32.0)
        assert rows["score"] == game["score"]
        assert rows["square"].tolist() == [a for a in game["actions"] if a != 64]
        assert rows["contents"].shape == (len(rows["square"]), ours.tables.set.instances)
        assert (rows["best"] >= rows["value"]).all()
        total += np.abs(rows["error"]).sum(dtype=np.float64)
    assert total == pytest.approx(figures["error"], rel=1e-6)
    with pytest.raises(GameError, match=r"Ply 1 of the game is 0, which is illegal there\."):
        _core.td_replay(frozen, np.array([19, 0], np.uint8), 0.8, False, 32.0)
    with pytest.raises(GameError, match=r"Ply 1 of the game is a pass where a disc can be put\."):
        _core.td_replay(frozen, np.array([19, 64], np.uint8), 0.8, False, 32.0)
    with pytest.raises(GameError, match=r"The game is not over after its 1 plies\."):
        _core.td_replay(frozen, np.array([19], np.uint8), 0.8, False, 32.0)
    with pytest.raises(GameError, match=r"Ply \d+ of the game comes after its end\."):
        _core.td_replay(frozen, np.append(actions, np.uint8(0)), 0.8, False, 32.0)


def test_entries_that_are_no_numbers_go_back_to_neutral():
    ours = learner(batch=10)
    train(ours, 10)
    stage, slot = (int(i[0]) for i in np.nonzero(ours.updates() > 40))
    ours.entries().view(np.float32)[stage, slot, 1] = np.nan
    figures = train(ours, 60)
    assert [r["stage"] for r in figures["repairs"]] == [stage]
    assert np.isfinite(ours.entries().view(np.float32)[:, :, :3]).all()
    broken = figures["repairs"][0]
    assert np.isnan(broken["weight"])
    described = ours.tables.set.describe(broken["pattern"])
    slots = ours.tables.set.slots_of(broken["pattern"])
    assert described["first_slot"] + int(slots[broken["contents"]]) == slot


def test_stop_from_another_thread_and_one_call_at_a_time():
    ours = learner(batch=100)
    running = threading.Thread(target=train, args=(ours, 10**9))
    running.start()
    while ours.games == 0:
        threading.Event().wait(0.001)
    with pytest.raises(GameError, match="training already"):
        train(ours, 10**9)
    scores = ours.tables.evaluate(np.zeros((3, 64), np.uint8), np.ones(3, np.uint8))
    assert len(set(scores.tolist())) == 1
    ours.stop()
    running.join(5)
    assert not running.is_alive()
    assert ours.games % 100 == 0


def test_games_by_search_are_the_same_for_any_threads_and_their_endings_are_exact():
    digests = set()
    for threads in (1, 2):
        ours = learner(batch=8, sample_every=1)
        ours.search_with(depth=3, seconds=0.0, endgame=8, table_bytes=1 << 20)
        sums: Counter[str] = Counter()
        while ours.games < 16:
            sums.update(train(ours, 16, seconds=0.05, threads=threads)["search"])
        digests.add((digest(ours), tuple(sorted(sums.items()))))
    assert len(digests) == 1
    assert 16 * 50 < sums["searches"] <= 16 * 60
    assert sums["exact"] >= 16 * 6
    assert 3 <= sums["depth"] / sums["searches"] < 8
    assert 0 < sums["hits"] <= sums["probes"]
    ours.look_one_ply()
    assert train(ours, 24)["search"]["searches"] == 0
    with pytest.raises(GameError, match=r"The limit depth of a search is 0; it must be from 1 to"):
        ours.search_with(depth=0, seconds=0.0, endgame=8, table_bytes=1 << 20)


@pytest.mark.parametrize(
    ("made", "trained", "sentence"),
    [
        ({"batch": 0}, {}, "Setting 'batch' is 0; it must be from 1 to 65536 games."),
        ({"trace_lambda": 2.0}, {}, "Setting 'lambda' is 2.000000; it must be from 0 to 1."),
        ({"beta1": 1.0}, {}, "Setting 'beta1' is 1.000000; it must be at least 0 and below 1."),
        ({}, {"rate": 0.0}, "Setting 'rate' is 0.000000; it must be above 0 and at most 64 discs."),
        ({}, {"threads": 0}, "Setting 'threads' is 0; it must be from 1 to 256."),
        ({}, {"epsilon": 1.5}, "Setting 'epsilon' is 1.500000; it must be from 0 to 1."),
        ({}, {"opening": 61}, "Setting 'opening' is 61; it must be from 0 to 60 moves."),
    ],
)
def test_bad_settings_are_one_sentence(made, trained, sentence):
    with pytest.raises(GameError, match=f"^{re.escape(sentence)}$"):
        train(learner(**made), 10, **trained)


def test_no_going_on_inside_a_batch():
    with pytest.raises(GameError, match="cannot go on from game 150, which is inside a batch"):
        learner(batch=100).restore(150)
