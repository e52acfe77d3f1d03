"""Tripwires on data: every fault gives its sentence, and sound games give none."""

import math

import numpy as np
import pytest
from tests.replay.test_replay import SCHEMA, Disk, filled, play

from ludus import _core
from ludus.replay import (
    AuditLimits,
    GameRecords,
    TargetRule,
    TrainingRows,
    audit_games,
    audit_results,
)
from ludus.replay.audit import audit_targets
from ludus.replay.rederive import decoder, policy_target, rederive

GAME = _core.game("yatzy")
HOW = TargetRule()
DECODE = decoder(GAME, HOW)


@pytest.fixture(scope="module")
def games():
    return {rule: GameRecords.concatenate(play(40, rule)).sorted() for rule in ("puct", "gumbel")}


@pytest.fixture(scope="module")
def few(games):
    return games["gumbel"].slice(0, 3)


def changed(records, column, row, value):
    array = records.columns[column].copy()
    array[row] = value
    return GameRecords({**records.columns, column: array})


def copies(rows):
    """The arrays of training rows by name, to be changed."""
    return {name: array.copy() for name, array in vars(rows).items() if array is not None}


def only(findings, tripwire):
    assert len(findings) == 1, [finding.text for finding in findings]
    assert findings[0].tripwire == tripwire
    return findings[0]


# ---- sound data


@pytest.mark.parametrize("rule", ["puct", "gumbel"])
def test_sound_games_have_no_findings(games, rule):
    records = games[rule]
    found = audit_games(GAME, records, HOW)
    found.add(audit_results(GAME, records))
    assert found.findings == []
    assert found.figures["plies_rederived"] == records.samples
    assert found.figures["target_share"] == 1.0
    assert found.figures["distinct_games"] == 40
    assert 0.0 < found.figures["target_entropy"] < np.log(GAME.max_legal)
    by_seat = found.figures["targets_by_seat"]
    assert sum(entry["rows"] for entry in by_seat) == records.samples
    assert [entry["mean"] for entry in found.figures["results_by_seat"]] == pytest.approx(
        records.columns["returns"].mean(0).tolist()
    )


def test_policy_targets_of_the_other_road():
    how, has_chance = TargetRule(c_visit=10.0, c_scale=2.0), False
    shares, _ = policy_target(
        1, [3, 0, 1], [0, 0, 0], [0.2, 0.3, 0.5], 0.0, 0.0, how=how, has_chance=has_chance
    )
    assert shares.tolist() == [0.75, 0.0, 0.25]
    # Equal values everywhere leave the prior as it is.
    shares, _ = policy_target(
        2, [2, 2, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5], 0.5, 0.0, how=how, has_chance=has_chance
    )
    assert shares == pytest.approx([0.2, 0.3, 0.5])
    # Two edges, one visit each: the mixed value is (own + 2 * mean) / 3 and cancels out.
    shares, _ = policy_target(
        2, [1, 1], [0.25, -0.25], [0.5, 0.5], 0.0, 0.0, how=how, has_chance=has_chance
    )
    weight = 0.5 * (10.0 + 1.0) * 2.0
    assert shares[0] / shares[1] == pytest.approx(np.exp(weight * 0.5))
    # With chance the standard error of Q holds it back.
    shares, _ = policy_target(
        2, [1, 1], [0.25, -0.25], [0.5, 0.5], 0.0, 0.04, how=how, has_chance=True
    )
    assert shares[0] / shares[1] == pytest.approx(np.exp(weight * 0.5 * 0.5))


# ---- records that contradict the rules


def test_an_illegal_action_is_named(few):
    # Keeping all five dice is never legal.
    found = only(rederive(GAME, changed(few, "action", 5, 31), DECODE, HOW)[0], "legal_actions")
    assert found.severity == "error"
    assert found.text.startswith("game 0, ply 5 has action 31, which is not among the")
    assert (found.game, found.ply) == (0, 5)


def test_shifted_seats_are_named(few):
    seats = few.columns["seat"]
    shifted = GameRecords({**few.columns, "seat": (1 - seats).astype(np.uint8)})
    found = rederive(GAME, shifted, DECODE, HOW)[0]
    assert [one.tripwire for one in found] == ["seats"] * 3
    assert found[0].text == "game 0, ply 0 is seat 1's there, but seat 0 moves"


@pytest.mark.parametrize(
    ("column", "row", "value", "tripwire", "words"),
    [
        ("kind", 4, 7, "replay", "game 0, ply 4 has decision kind 7"),
        ("outcome", 3, 251, "chance", "game 0, ply 3 has outcome 251 after its action"),
        ("outcome", 3, -1, "chance", "game 0, ply 3 has outcome -1 after its action"),
        ("opening", 1, 251, "chance", "game 1 has outcome 251 at the opening"),
        ("seed", 1, 99, "chance", "but its seed gives"),
        ("returns", (2, slice(None)), (0.5, -0.5), "results", "game 2 has returns [0.5, -0.5]"),
        ("scores", (2, 0), 777.0, "results", "game 2 has scores [777.0"),
    ],
)
def test_claims_of_a_record_are_held_against_the_rules(few, column, row, value, tripwire, words):
    found = only(rederive(GAME, changed(few, column, row, value), DECODE, HOW)[0], tripwire)
    assert words in found.text


def test_a_game_cut_short_is_named(few):
    last = int(few.columns["plies"][0])
    edges = np.cumsum(few.columns["edges"], dtype=np.int64)
    cut = {name: array.copy() for name, array in few.slice(0, 1).columns.items()}
    for name, array in cut.items():
        if len(array) == last:  # a column of plies
            cut[name] = array[:-1]
    for name in ("visits", "q", "prior"):
        cut[name] = cut[name][: edges[last - 2]]
    cut["plies"] = np.array([last - 1], np.int32)
    found = only(rederive(GAME, GameRecords(cut), DECODE, HOW)[0], "replay")
    assert f"game 0 ends after {last - 1} plies, but the game is not over" == found.text


def test_an_edge_too_few_is_named(few):
    one = few.slice(0, 1)
    columns = {name: array.copy() for name, array in one.columns.items()}
    columns["edges"][0] -= 1
    for name in ("visits", "q", "prior"):
        columns[name] = columns[name][1:]
    found = only(rederive(GAME, GameRecords(columns), DECODE, HOW)[0], "legal_actions")
    assert "edges and action" in found.text


# ---- a decoder that is wrong


def tampered(change):
    """The decoder with a fault in it."""

    def decode(records):
        rows = copies(DECODE(records))
        change(rows, records)
        return TrainingRows(**rows)

    return decode


def other_seat(rows, records):
    """Row 3 shows what the other seat sees."""
    state = GAME.initial()
    state.apply_outcome(int(records.columns["opening"][0]))
    for ply in range(3):
        state.apply(int(records.columns["action"][ply]))
        if records.columns["outcome"][ply] >= 0:
            state.apply_outcome(int(records.columns["outcome"][ply]))
    rows["observations"][3] = state.observe(1 - state.seat)


def wrong_mask(rows, records):
    begin, end = rows["offsets"][4], rows["offsets"][5]
    rows["legal"][begin:end] = 4 * GAME.num_actions + np.arange(end - begin) + 13


def moved_policy(rows, records):
    begin = rows["offsets"][5]
    rows["policy"][begin : begin + 2] += (1e-3, -1e-3)


def one_bit(rows, records):
    rows["observations"][6].view(np.uint32)[0] ^= 1


def scale(name, factor):
    def change(rows, records):
        rows[name] *= factor

    return change


def unsearched(rows, records):
    rows["searched"][2] = 0


def row_missing(rows, records):
    rows["value"] = rows["value"][:-1]


@pytest.mark.parametrize(
    ("change", "tripwire", "words"),
    [
        (other_seat, "observation", "ply 3 was decoded with .* other numbers than seat"),
        (one_bit, "observation", "ply 6 was decoded with 1 other numbers than seat"),
        (wrong_mask, "legal_actions", r"ply 4 was decoded with legal actions \[13, 14"),
        (moved_policy, "policy_target", "ply 5 was decoded with a policy target off by 0.001"),
        (unsearched, "policy_target", "ply 2 was decoded as a row that does not teach a policy"),
        (scale("value", -1), "value_target", "ply 0 was decoded with value .* for seat 0, but"),
        (scale("margin", -1), "value_target", "ply 0 was decoded with margin"),
        (scale("root_value", 0), "value_target", "was decoded with root value"),
        (row_missing, "replay", "was decoded into .* rows for .* plies"),
    ],
)
def test_a_wrong_decoder_is_caught(games, change, tripwire, words):
    import re

    # A game whose root values differ from 0 somewhere and that nobody drew.
    records = games["gumbel"]
    lost = np.flatnonzero(records.columns["returns"][:, 0])[0]
    one = records.slice(int(lost), int(lost) + 1)
    assert rederive(GAME, one, DECODE, HOW)[0] == []
    found = only(rederive(GAME, one, tampered(change), HOW)[0], tripwire)
    assert re.search(words, found.text)


def test_other_constants_of_the_improved_policy_are_caught(games):
    other = decoder(GAME, TargetRule(c_scale=0.9))
    found, _ = rederive(GAME, games["gumbel"], other, HOW, most=4)
    assert [one.tripwire for one in found] == ["policy_target"] * 4
    assert rederive(GAME, games["puct"], other, HOW)[0] == [], "PUCT knows no such constants"


def test_a_refusing_decoder_is_a_finding(few):
    from ludus.errors import GameError

    def refuse(records):
        raise GameError("no")

    found = rederive(GAME, few, refuse, HOW)[0]
    assert found[0].text == "game 0 is refused by the decoder: no"
    assert audit_games(GAME, few, HOW, decode=refuse).errors


def test_capped_decisions_teach_no_policy(few):
    flags = few.columns["flags"].copy()
    flags[7] |= 4
    capped = GameRecords({**few.columns, "flags": flags})

    def decode(records):
        """What the decoder has to do with such rows."""
        rows = copies(DECODE(records))
        rows["searched"][records.columns["flags"] & 4 != 0] = 0
        return TrainingRows(**rows)

    assert rederive(GAME, capped, decode, HOW)[0] == []
    learns = tampered(lambda rows, records: rows["searched"].fill(1))
    found = rederive(GAME, capped.slice(0, 1), learns, HOW)[0]
    assert [one.tripwire for one in found] == ["policy_target"]
    assert audit_results(GAME, capped).figures["capped_share"] == pytest.approx(1 / few.samples)


# ---- targets


def targets_of(few, change=None, limits=None):
    rows = copies(DECODE(few))
    if change is not None:
        change(rows)
    places = [(int(few.game_ids[game]), ply) for game, ply in few.rows()]
    seats = few.columns["seat"].astype(np.int64)
    return audit_targets(
        TrainingRows(**rows), places, seats, GAME.num_actions, limits or AuditLimits()
    )


def put(name, row, value):
    def change(rows):
        rows[name][row] = value

    return change


def half_sum(rows):
    rows["policy"][rows["offsets"][9] : rows["offsets"][10]] *= 0.5


@pytest.mark.parametrize(
    ("change", "tripwire", "words"),
    [
        (half_sum, "policy_target", "game 0, ply 9 has a policy that does not sum to 1 (worst 0.5"),
        (put("policy", 0, -0.1), "policy_target", "game 0, ply 0 has a policy weight"),
        (put("policy", 0, np.nan), "policy_target", "game 0, ply 0 has a policy weight"),
        (put("legal", 0, 47 * 5), "legal_actions", "game 0, ply 0 has policy weight outside"),
        (put("observations", (4, 2), np.inf), "observation", "ply 4 has an observation not finite"),
        (put("value", 3, 1.5), "value_target", "game 0, ply 3 has a value outside [-1, 1]"),
        (put("margin", 3, np.nan), "value_target", "game 0, ply 3 has a margin outside"),
        (put("root_value", 3, -2), "value_target", "game 0, ply 3 has a root_value outside"),
    ],
)
def test_bad_targets_are_errors(few, change, tripwire, words):
    found = targets_of(few, change)
    assert found.errors
    assert words in next(one.text for one in found.errors if one.tripwire == tripwire)


def test_collapsed_targets_are_a_warning(few):
    def collapse(rows):
        rows["policy"].fill(0.0)
        rows["policy"][rows["offsets"][:-1]] = 1.0

    found = targets_of(few, collapse)
    finding = only(found.findings, "policy_collapse")
    assert finding.severity == "warning"
    assert "mean entropy of 0.0000 nats, below the floor of 0.02" in finding.text
    assert found.figures["target_max"] == 1.0
    assert targets_of(few).findings == []


def test_rows_that_hardly_teach_are_a_warning(few):
    def nobody(rows):
        rows["searched"].fill(0)

    finding = only(targets_of(few, nobody).findings, "policy_rows")
    assert finding.text.startswith("only 0.0% of the decisions with a choice")


# ---- results


def test_a_favoured_seat_is_a_warning(games):
    records = games["puct"]
    returns = np.tile(np.array([1.0, -1.0], np.float32), (40, 1))
    returns[:3] *= -1.0
    scores = np.where(returns > 0, 200.0, 100.0).astype(np.float32)
    found = audit_results(
        GAME, GameRecords({**records.columns, "returns": returns, "scores": scores})
    )
    finding = only([f for f in found.findings if f.tripwire != "calibration"], "side_imbalance")
    assert finding.text.startswith("seat 0 has a mean result of +0.850 over 40 games, ")


def test_a_seat_that_always_loses_is_a_warning_with_finite_figures(games):
    # Its error is 0: a figure that was infinite could not be stored, and paused the run.
    records = games["puct"]
    returns = np.tile(np.array([-1.0, 0.0], np.float32), (40, 1))
    returns[:3, 1] = 1.0
    found = audit_results(GAME, GameRecords({**records.columns, "returns": returns}))
    finding = only([f for f in found.findings if f.tripwire == "side_imbalance"], "side_imbalance")
    assert "seat 0 has a mean result of -1.000 over 40 games, the same in each: " in finding.text
    assert all(map(math.isfinite, finding.figures.values()))


def test_games_that_all_end_alike_are_a_warning(games):
    returns = np.zeros((40, 2), np.float32)
    scores = np.full((40, 2), 100.0, np.float32)
    found = audit_results(
        GAME, GameRecords({**games["puct"].columns, "returns": returns, "scores": scores})
    )
    assert (
        "all 40 games ended with returns [0.0, 0.0]" in only(found.findings, "equal_results").text
    )


def test_repeated_games_are_a_warning(games):
    same = games["puct"].take(np.r_[np.zeros(38, int), 1, 2])
    ids = np.arange(40, dtype=np.int64)
    found = audit_results(GAME, GameRecords({**same.columns, "game_id": ids}))
    repeats = [one for one in found.findings if one.tripwire == "duplicate_games"]
    assert only(repeats, "duplicate_games").text.startswith("92.5% of 40 games repeat another one")
    assert found.figures["distinct_games"] == 3


def test_more_points_must_not_lose(games, monkeypatch):
    records = games["puct"]
    won = int(np.flatnonzero(records.columns["returns"][:, 0])[0])
    wrong = changed(records, "returns", won, -records.columns["returns"][won])
    finding = only(audit_results(GAME, wrong).findings, "score_order")
    assert finding.severity == "error"
    assert finding.text.startswith(f"game {won} has scores")
    assert finding.text.endswith("more points lost (1 of 40 games)")
    # Rules that say so themselves are the author's business.
    monkeypatch.setattr("ludus.replay.outcomes.rederive", lambda *_: ([], 1))
    finding = only(audit_results(GAME, wrong).findings, "score_order")
    assert finding.severity == "warning"
    assert finding.text.endswith("; the rules say so)")


def believing(records, sign):
    """Root values that know something of the result, or of its opposite."""
    owner = np.repeat(np.arange(len(records)), records.columns["plies"])
    result = records.columns["returns"][owner, records.columns["seat"]]
    noise = np.random.default_rng(2).normal(0.0, 0.1, len(result))
    values = np.clip(sign * 0.5 * result + noise, -1.0, 1.0).astype(np.float16)
    return GameRecords({**records.columns, "root_value": values})


def test_values_with_the_wrong_sign_are_a_warning(games):
    right, wrong = (believing(games["puct"], sign) for sign in (1, -1))
    found = audit_results(GAME, right)
    assert found.findings == []
    assert found.figures["root_value_correlation"] > 0.9
    bins = found.figures["calibration"]
    assert sum(one["rows"] for one in bins) == np.count_nonzero(right.columns["edges"])
    assert bins[-3]["result"] == 1.0 and 0.4 < bins[-3]["root_value"] < 0.6
    # The values are 0.5 where the result is 1: off by a half everywhere.
    assert found.figures["calibration_error"] == pytest.approx(0.5, abs=0.05)
    finding = only(audit_results(GAME, wrong).findings, "calibration")
    assert finding.text.startswith("root values contradict results: correlation -0.9")
    assert audit_results(GAME, wrong, trained=False).findings == []


def test_the_margin_counts_where_the_search_mixes_it_in(games):
    records = games["puct"]
    owner = np.repeat(np.arange(len(records)), records.columns["plies"])
    scores = records.columns["scores"].astype(np.float64)
    margins = np.tanh((scores - scores[:, ::-1]) / GAME.margin_scale)
    mixed = 0.5 * records.columns["returns"] + 0.5 * margins
    values = mixed[owner, records.columns["seat"]].astype(np.float16)
    told = GameRecords({**records.columns, "root_value": values})
    assert audit_results(GAME, told, margin_weight=0.5).figures["calibration_error"] < 1e-3
    assert audit_results(GAME, told).figures["calibration_error"] > 0.05


def test_no_games_are_no_findings():
    found = audit_results(GAME, GameRecords.empty(2))
    assert (found.figures["games"], found.findings) == (0, [])


# ---- the store


def test_games_since_a_number_come_without_the_older_ones(games):
    records = games["puct"]
    store = filled([records], Disk())
    assert [entry.index for entry in store.entries] == [0, 1]
    for first in (0, 15, 16, 33, 40):
        assert store.since(first).game_ids.tolist() == list(range(first, 40))
    assert store.since(20).digest() == records.slice(20, 40).digest()
    assert store.schema == SCHEMA
