"""Views of pattern tables: pictures, traces, single updates, comparison, anomalies, CSV."""

import csv

import numpy as np
import pytest
from tests.learners.few_patterns import few_patterns

from ludus.errors import GameError, RunError, UserError
from ludus.evaluators.tables import NEUTRAL, TableEvaluator
from ludus.games.othello_position import Discs
from ludus.games.othello_records import parse_transcript
from ludus.monitor.inspect.learned_csv import (
    ENTRY_COLUMNS,
    MOVE_COLUMNS,
    export_entries,
    export_moves,
)
from ludus.monitor.inspect.learning import (
    learner_of,
    replay_updates,
    trace_game,
    trace_text,
    updates_text,
)
from ludus.monitor.inspect.patterns import contents_text, pattern_document, pattern_text
from ludus.monitor.inspect.table_changes import (
    changes_text,
    compare_tables,
    find_table_anomalies,
)

GAMES = (
    "d3e3f2c2d2c5b1d1c1a1c3g1f3b2f1e1a2e2b3g2h2h1g3b4a3h3a5a4f5c4c6f4b5g5h5a6b6d6f6e7h6h4f7g7d8d7"
    "e8h7e6c7g6g4b7a7g8f8a8c8b8h8",
    "e6f4e3f6g5d6e7f5c5",
)


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    made = few_patterns(tmp_path_factory.mktemp("patterns"))
    made.train(512)
    return made


def test_a_pattern_is_drawn_with_what_it_finds(learner):
    text = pattern_text(learner.tables, 1)
    assert "pattern 1, corner: 6 squares in 4 placements, 729 contents" in text
    assert "  1 0 1 2 . . . . . 1\n  2 3 4 . . . . . . 2\n  3 5 . ." in text
    state = next(s for i, s in enumerate(parse_transcript(GAMES[0]).states()) if i == 21)
    document = pattern_document(learner.tables, 1, state)
    assert len(document["found"]) == 4
    board = Discs.of(state)
    cells = [(board.black >> i & 1) + 2 * (board.white >> i & 1) for i in range(64)]
    for one in document["found"]:
        sides = {"x": board.seat + 1, "o": 2 - board.seat, ".": 0}
        for square, mark in zip(one["squares"], one["contents"], strict=True):
            place = "abcdefgh".index(square[0]) + 8 * (int(square[1]) - 1)
            assert cells[place] == sides[mark]
        assert contents_text(6, one["index"]) == one["contents"]
        assert one["weight"] == learner.tables.weight(1, document["stage"], one["index"])
    score = TableEvaluator.of(learner.tables).evaluate(cells, board.seat + 1)
    assert document["score"] == (score if board.seat == 0 else -score)
    sums = [pattern_document(learner.tables, n, state)["sum"] for n in range(3)]
    assert sum(sums) == document["score"]
    drawn = pattern_text(learner.tables, 1, state)
    assert f"{document['found'][3]['index']:>6}" in drawn
    with pytest.raises(GameError, match="no pattern 3; there are 0 to 2"):
        pattern_text(learner.tables, 3)


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("game", GAMES)
def test_targets_are_shares_of_later_values(learner, game, cut):
    trace = trace_game(learner.tables, game, trace_lambda=0.7, cut=cut, error_clip=5.0)
    assert len({one.greedy for one in trace.moves}) == 2  # both kinds of moves occur
    for one in trace.moves:
        shares = trace.shares(one.move)
        assert shares.sum() == pytest.approx(1.0)
        later = [
            (after.best if after.seat == one.seat else -after.best)
            for after in trace.moves[one.move + 1 :]
        ]
        later.append(trace.difference if one.seat == 0 else -trace.difference)
        assert float(shares @ later) == pytest.approx(one.target, abs=1e-3)
        bounded = max(-5.0, min(5.0, one.target - one.value))
        assert one.error == pytest.approx(bounded, abs=1e-5) or not one.learns
    assert not trace.moves[-1].learns
    text = trace_text(trace)
    assert len(text.splitlines()) == len(trace.moves) + 2
    bounded = any(abs(one.error) == 5.0 for one in trace.moves)
    assert ("!" in text.split("\n", 2)[2]) == bounded


def test_values_of_a_trace_are_those_of_the_tables(learner):
    trace = trace_game(learner.tables, GAMES[0])
    evaluator, at = TableEvaluator.of(learner.tables), 0
    record = parse_transcript(GAMES[0])
    states = list(record.states())
    for before, action, after in zip(states, record.actions, states[1:], strict=False):
        if action == 64 or after.kind == "terminal":
            continue
        board = Discs.of(after)
        cells = [(board.black >> i & 1) + 2 * (board.white >> i & 1) for i in range(64)]
        one, seat = trace.moves[at], Discs.of(before).seat
        value = evaluator.evaluate(cells, 2 - seat)
        assert one.seat == seat and one.value == (value if seat == 0 else -value)
        at += 1


def test_replayed_updates_are_the_learners_own(tmp_path):
    """The same bits as the compiled learner, whose batches have one game here."""
    options = dict(batch_games=1, sample_every=1, epsilon=lambda game: 0.0, learning_rate=rate)
    learner = few_patterns(tmp_path, **options)
    for games in (1, 2, 40, 41):
        learner.train(games - 1)
        state, before = learner.state(), learner.tables.copy()
        probe = few_patterns(tmp_path, **options)
        probe.restore(state)
        (moves,) = probe.train(games).transcripts.values()
        kept, _ = learner.entries()
        untouched = kept.copy()
        trace, updates = replay_updates(learner, moves)
        assert np.array_equal(kept, untouched)
        entries, counts = probe.entries()
        changed = np.flatnonzero((entries != kept).any(axis=1))
        assert len(updates) == len(changed)
        assert sum(one.visits for one in updates) == int((counts - learner.entries()[1]).sum())
        found = sorted((one.after, one.steps) for one in updates)
        after = entries[changed]
        weights = after[:, 0].copy().view(np.float32)
        assert found == sorted(zip(weights.tolist(), after[:, 3].tolist(), strict=True))
        for one in updates:
            place = one.entry["pattern"], one.entry["stage"], one.entry["index"]
            assert before.weight(*place) == one.entry["weight_before"]
            assert probe.tables.weight(*place) == one.entry["weight_after"]
        sizes = [abs(one.after - one.before) for one in updates]
        assert sizes == sorted(sizes, reverse=True) and len(trace.moves) > 8
    text = updates_text(updates, 3)
    assert text.startswith(f"{len(updates)} weights change\n") and len(text.splitlines()) == 5


def rate(game: int) -> float:
    return 0.05 + 0.001 * game


def test_comparison_of_two_states(learner):
    before, after = learner.tables.copy(), learner.tables.copy()
    weights = np.array(before.all())
    # Two contents of the edge that are mirror images are one weight.
    for index in (1, 3**7):
        weights[4, index] += 512
    corner = before.set.describe(1)["first_entry"]
    weights[20, corner] -= 256
    after.load(weights)
    found = compare_tables(before, after)
    assert found["changed"] == 2 and found["largest"] == 2.0 and found["mean"] == 1.5
    assert [one["changed"] for one in found["patterns"]] == [1, 1, 0]
    assert [one["stage"] for one in found["stages"] if one["changed"]] == [4, 20]
    first, second = found["most"]
    assert (first["name"], first["stage"], first["index"]) == ("edge", 4, 1)
    assert first["squares"][0] == "a1" and first["contents"] == "x......."
    assert first["change"] == 2.0 and second["change"] == -1.0
    assert second["weight_after"] == after.weight(1, 20, 0)
    assert "2 of " in changes_text(found) and "edge" in changes_text(found)
    same = compare_tables(before, before)
    assert same["changed"] == 0 and same["most"] == [] and changes_text(same)
    with pytest.raises(UserError, match="different patterns"):
        compare_tables(before, TableEvaluator().tables)


def test_anomalies_name_pattern_and_contents(learner):
    before, after = learner.tables.copy(), learner.tables.copy()
    assert find_table_anomalies(before, after) == []
    weights = np.array(before.all())
    weights[4, 1] = weights[4, 3**7] = NEUTRAL + 20 * 256
    diagonal = before.set.describe(2)["first_entry"]
    weights[7, diagonal + 80] = 65280
    rows = before.set.describe(1)
    part = slice(rows["first_entry"], rows["first_entry"] + rows["contents"])
    weights[9, part] += 16  # what is usual there is no anomaly
    after.load(weights)
    jumped, bound = find_table_anomalies(before, after)
    assert (jumped.kind, jumped.place["count"]) == ("weights_jumped", 2)
    assert jumped.place["entries"][0]["contents"] == "oooo"
    assert {one["name"] for one in jumped.place["entries"]} == {"edge", "diagonal"}
    assert "diagonal (pattern 2) stage 7 index 80 [oooo]" in jumped.text
    assert (bound.kind, bound.place["count"]) == ("weights_at_bound", 1)
    fresh = TableEvaluator.of(few_tables(learner))
    assert [one.kind for one in find_table_anomalies(fresh.tables, after)] == ["weights_at_bound"]


def few_tables(learner):
    from ludus import _core

    return _core.PatternTables(learner.patterns)


def test_csv(learner, tmp_path):
    rows = export_moves(learner.tables, GAMES, tmp_path / "moves.csv")
    with (tmp_path / "moves.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == rows == 60 + 9 and tuple(found[0]) == MOVE_COLUMNS
    trace = trace_game(learner.tables, GAMES[1])
    assert [float(one["error"]) for one in found[60:]] == [one.error for one in trace.moves]
    rows = export_entries(learner, tmp_path / "entries.csv")
    with (tmp_path / "entries.csv").open() as file:
        found = list(csv.DictReader(file))
    counts = learner.entries()[1]
    assert len(found) == rows == np.count_nonzero(counts) and tuple(found[0]) == ENTRY_COLUMNS
    assert sum(int(one["updates"]) for one in found) == counts.sum()
    one = found[len(found) // 2]
    place = int(one["pattern"]), int(one["stage"]), int(one["index"])
    assert learner.tables.weight(*place) == int(one["weight"])
    part = export_entries(learner, tmp_path / "stage.csv", stage=9)
    assert part == sum(one["stage"] == "9" for one in found) > 0
    with pytest.raises(RunError, match="exists"):
        export_entries(learner, tmp_path / "stage.csv", stage=9)
    with pytest.raises(UserError, match="no stage 30"):
        export_entries(learner, tmp_path / "none.csv", stage=30)


def test_games_that_are_none(learner):
    with pytest.raises(GameError, match="illegal"):
        trace_game(learner.tables, "e6a1")
    with pytest.raises(GameError, match="not over"):
        trace_game(learner.tables, "e6f4")
    with pytest.raises(GameError, match="lambda"):
        trace_game(learner.tables, GAMES[1], trace_lambda=1.5)


def test_learners_are_found_in_runs_only(tmp_path):
    with pytest.raises(RunError, match="neither a run nor a checkpoint"):
        learner_of(tmp_path)
