"""Ladders: scheduling, identity, the file and its lock, going on."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from tests.arena.ladder_run import make_run

from ludus.arena import ResultTable, SeedSet, rate
from ludus.arena import ladder as ladders
from ludus.arena.finished import distinct_warning
from ludus.arena.ladder import Ladder, champion_units, contender, gather, report, spread
from ludus.arena.ladder_file import LadderDocument, LadderFile
from ludus.arena.playing import MatchSettings
from ludus.arena.ratings import expected_score
from ludus.arena.results import GameTable
from ludus.arena.schedule import design_effect, gains, next_pairing
from ludus.errors import CorruptError, RunError, RunLockedError, UserError, VersionError
from ludus.games import get_game
from ludus.players.identity import identify
from ludus.runs import Run, read_ndjson

ENTRY = get_game("yatzy")


@pytest.fixture(autouse=True, scope="module")
def one_thread_a_lane():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def run_path(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "yatzy")


@pytest.fixture
def fresh(run_path, tmp_path):
    path = tmp_path / "yatzy"
    shutil.copytree(run_path, path)
    return path


def load(file, path):
    run = Run.open(path, write=False)
    return file.load(run_id=run.id, game="yatzy", rules_id=ENTRY.rules.rules_id, seed=7)


# -- scheduling ------------------------------------------------------------------------------------


def test_spread_keeps_first_and_newest():
    assert spread([0, 1, 2, 3, 9], 3) == [0, 2, 9]
    assert spread([0, 4], 6) == [0, 4]
    assert spread(list(range(100)), 1) == [99]
    assert spread([1, 2], 0) == []


def test_a_player_that_nobody_met_comes_first():
    table = ResultTable()
    table.add_games("a", "b", 50, 0, 50)
    chosen = next_pairing(table, ["a", "b", "new"], 64)
    assert "new" in chosen


def test_games_whose_result_is_certain_come_last():
    table = ResultTable()
    table.add_games("a", "b", 500, 0, 500)
    table.add_games("b", "weak", 400, 0, 0)
    table.add_games("a", "weak", 400, 0, 0)
    found = gains(table, ["a", "b", "weak"], 64)
    assert found["a", "weak"] < found["a", "b"]


def test_the_expected_gain_is_the_one_that_comes():
    """The predicted fall of the summed variance against that of a fit with the games added."""
    names = ["a", "b", "c", "d"]
    table = ResultTable(names)
    for i, j in (("a", "b"), ("b", "c"), ("c", "d")):
        table.add_games(i, j, 100, 0, 100)

    def summed(results):
        ratings = rate(results)
        per_point = math.log(10) / 1600  # of the score by the rating, between equals
        return sum(
            (per_point * ratings.difference(a, b)[1]) ** 2
            for at, a in enumerate(names)
            for b in names[at + 1 :]
        )

    before, found = summed(table), gains(table, names, 200)
    best = next_pairing(table, names, 200)
    assert best == ("a", "d")  # closes the chain
    for pair, gain in found.items():
        more = ResultTable(names)
        for i, j in (("a", "b"), ("b", "c"), ("c", "d"), pair):
            more.add_games(i, j, 100, 0, 100)
        assert before - summed(more) == pytest.approx(gain, rel=0.1)


def test_closed_pairings_and_nothing_left():
    table = ResultTable()
    table.add_games("a", "b", 1, 0, 1)
    assert next_pairing(table, ["a", "b"], 2, closed=[frozenset("ab")]) is None
    assert next_pairing(table, ["a"], 2) is None


def test_design_effect_is_that_of_the_pairs():
    table = ResultTable()
    assert design_effect(table) == 1.0
    table.add_pentanomial("a", "b", [500, 0, 0, 0, 500])
    assert design_effect(table) == pytest.approx(2.0, rel=0.05)
    split = ResultTable()
    split.add_pentanomial("a", "b", [0, 0, 500, 0, 0])
    assert design_effect(split) == 0.1


def test_a_scheduled_ladder_covers_the_truth():
    random = np.random.default_rng(1)
    hits = total = 0
    for _ in range(60):
        truth = random.normal(0, 150, 5)
        names = [str(i) for i in range(5)]
        table = ResultTable(names)
        for _ in range(12):
            a, b = next_pairing(table, names, 64)
            score = expected_score(truth[int(a)] - truth[int(b)])
            table.add_pairs(a, b, (random.random((32, 2)) < score).mean(axis=1))
        gap, error = rate(table).difference("0", "4")
        hits += abs(gap - (truth[0] - truth[4])) <= 1.96 * error
        total += 1
    assert hits / total > 0.95 - 4 * (0.95 * 0.05 / total) ** 0.5


# -- who plays -------------------------------------------------------------------------------------


def test_players_of_a_run(run_path):
    run = Run.open(run_path, write=False)
    assert champion_units(run) == [0, 2, 5]
    found, said = gather(run, ENTRY, count=2)
    labels = [one.entry.label for one in found]
    assert labels == ["champion-0", "champion-5", "random", "greedy", "oracle"]
    assert said == []
    assert len({one.entry.key for one in found}) == 5
    assert ladders.default_anchor(ENTRY, found) == "greedy"
    only, _ = gather(run, ENTRY, count=3, players=[])
    assert ladders.default_anchor(ENTRY, only) == "champion-0"


def test_a_key_knows_weights_and_settings(run_path):
    run = Run.open(run_path, write=False)
    found, _ = gather(run, ENTRY, count=3, players=[])
    keys = {one.entry.label: one.entry.key for one in found}
    # However a champion is named, it is the same player.
    for spec in (str(run_path), f"search:run={run_path},model=5", f"search:run={run_path}"):
        assert identify(spec, ENTRY)[1].key == keys["champion-5"]
    other = {identify(f"search:run={run_path},{more}", ENTRY)[1].key for more in
             ("sims=3", "model=2", "rule=puct")}  # fmt: skip
    assert keys["champion-2"] in other and keys["champion-5"] not in other and len(other) == 3
    assert identify(f"policy:run={run_path}", ENTRY)[1].key not in set(keys.values())
    with_budget, _ = gather(run, ENTRY, count=1, players=[], simulations=3)
    assert with_budget[0].entry.label == "champion-5:sims=3"
    assert with_budget[0].entry.key == identify(f"search:run={run_path},sims=3", ENTRY)[1].key


def test_the_same_words_for_other_weights_are_another_player(fresh):
    """`search:run=DIR` means another champion tomorrow: the ladder tells them apart."""
    document = LadderDocument("run", "yatzy", "rules", 1)
    spec = f"search:run={fresh}"
    today = document.enter(contender(spec, ENTRY, "given").entry)
    with Run.open(fresh, write=True) as run:
        objects = dict(run.manifest.objects)
        run.commit({}, {"first": objects["first"], "champion": objects["first"]})
    tomorrow = document.enter(contender(spec, ENTRY, "given").entry)
    assert today.key != tomorrow.key
    assert tomorrow.label == f"{spec}#{tomorrow.key[:6]}"
    assert len(document.players) == 2


# -- playing and the file --------------------------------------------------------------------------


def play(path, batches, pairs=4, count=2, players=("random", "greedy")):
    with LadderFile(path) as file:
        document = load(file, path)
        run = Run.open(path, write=False)
        found, _ = gather(run, ENTRY, count=count, players=list(players))
        ladder = Ladder(file, document, ENTRY, found, MatchSettings(lanes=2))
        for _ in range(batches):
            ladder.play(ladder.choose(pairs), pairs)
        return document


def test_a_second_call_goes_on_and_no_game_is_played_twice(fresh):
    play(fresh, 2)
    document = play(fresh, 2)
    assert sum(pairing.seeds for pairing in document.pairings.values()) == 16
    stored = json.loads((fresh / "reports" / "ladder.json").read_text())
    assert stored["schema"] == "ludus_ladder_v1"
    assert sum(len(one["quarters"]) for one in stored["pairings"]) == 16
    weights = {one["label"]: one["weights"] for one in stored["players"]}
    assert len(weights["champion-0"]) == 64 and weights["random"] is None
    _, found = report(document, anchor="greedy", start=1500.0)
    line = next(one for one in found["players"] if one["player"] == "greedy")
    assert line["elo"] == 1500.0
    assert found["games"] == 32
    json.dumps(found, allow_nan=False)


def test_results_do_not_depend_on_how_the_games_are_cut(fresh, run_path, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(run_path, again)
    for path, sizes in ((fresh, (6,)), (again, (1, 2, 3))):
        with LadderFile(path) as file:
            found, _ = gather(Run.open(path, write=False), ENTRY, count=1, players=["greedy"])
            ladder = Ladder(file, load(file, path), ENTRY, found, MatchSettings())
            for size in sizes:
                ladder.play(("greedy", "champion-5"), size)
    whole, cut = (
        json.loads((path / "reports" / "ladder.json").read_text())["pairings"][0]
        for path in (fresh, again)
    )
    for key in ("a", "b", "quarters", "seeds", "games"):
        assert whole[key] == cut[key]


def test_pairings_share_no_seed_and_seeds_go_on():
    one = SeedSet.generate(7, 12, purpose="ladder a b")
    tail = SeedSet.generate(7, 12, purpose="ladder a b", start=5)
    assert tail.seeds.tolist() == one.seeds.tolist()[5:]
    other = SeedSet.generate(7, 12, purpose="ladder a c")
    assert not set(one.seeds.tolist()) & set(other.seeds.tolist())


def test_a_ladder_only_reads_the_run_and_works_while_it_is_held(fresh):
    with Run.open(fresh, write=True) as run:  # as a trainer does
        before = sorted(p.name for p in fresh.rglob("*") if p.is_file())
        play(fresh, 1)
        after = sorted(p.name for p in fresh.rglob("*") if p.is_file())
        assert sorted(set(after) - set(before)) == ["ladder.json", "ladder.lock"]
        run.commit({}, dict(run.manifest.objects))
    assert read_ndjson(fresh / "logs" / "events.ndjson")[1] == 0


def test_two_ladders_do_not_collide(fresh):
    with LadderFile(fresh), pytest.raises(RunLockedError, match="another ladder"):
        LadderFile(fresh)
    LadderFile(fresh).close()


def test_a_swept_temporary_file_is_written_again(fresh, monkeypatch):
    from ludus.arena import ladder_file
    from ludus.runs import SaveError

    honest, calls = ladder_file.replace_file, []

    def once(path, data, *, durable):
        calls.append(path)
        if len(calls) == 1:
            raise SaveError("swept")
        honest(path, data, durable=durable)

    monkeypatch.setattr(ladder_file, "replace_file", once)
    with LadderFile(fresh) as file:
        file.store(load(file, fresh))
    assert len(calls) == 2 and (fresh / "reports" / "ladder.json").is_file()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"schema": "ludus_ladder_v9"}, VersionError, "ludus_ladder_v9"),
        ({"run_id": "other"}, RunError, "belongs to run other"),
        ({"rules_id": "old_rules"}, VersionError, "old_rules"),
        ({"players": None}, CorruptError, "is no ladder"),
        ({"pairings": [{"a": "x", "b": "y"}]}, CorruptError, "unknown players"),
        ("{", CorruptError, "is no JSON"),
    ],
)
def test_foreign_and_damaged_files_are_refused(fresh, change, error, words):
    play(fresh, 1)
    path = fresh / "reports" / "ladder.json"
    content = json.loads(path.read_text())
    path.write_text(change if isinstance(change, str) else json.dumps({**content, **change}))
    with LadderFile(fresh) as file, pytest.raises(error, match=words):
        load(file, fresh)


def test_players_with_one_label_are_refused():
    """Ratings are by label; such a file broke the table of results later on."""
    document = LadderDocument("run", "game", "rules", 1)
    for key in "ab":
        document.enter(ladders.LadderEntry(key, key, "given"))
    data = document.as_json()
    assert LadderDocument.from_json(data, "here").as_json()["players"] == data["players"]
    for name in ("label", "key"):
        players = [one | {name: "same"} for one in data["players"]]
        with pytest.raises(CorruptError, match="here is no ladder: two players with the same key"):
            LadderDocument.from_json({**data, "players": players}, "here")


def test_a_ladder_needs_two_players_and_a_game(fresh):
    with LadderFile(fresh) as file:
        found, _ = gather(Run.open(fresh, write=False), ENTRY, count=1, players=[])
        with pytest.raises(UserError, match="at least two"):
            Ladder(file, load(file, fresh), ENTRY, found, MatchSettings())
        with pytest.raises(UserError, match="no game yet"):
            report(load(file, fresh), anchor="mean", start=0.0)
    document = play(fresh, 1)
    with pytest.raises(UserError, match="anchor 'nobody'"):
        report(document, anchor="nobody", start=0.0)


# -- copies of games -------------------------------------------------------------------------------


def table_of(*digests):
    table = GameTable(len(digests) // 2)
    table.points[:] = 1
    table.digests[:] = digests
    return table


def test_pairs_without_chance_that_are_all_alike_count_once():
    same = table_of(1, 2, 1, 2, 1, 2)
    assert ladders._fresh_pairs(same, chance=False) == 1
    assert ladders._fresh_pairs(same, chance=True) == 3
    assert ladders._fresh_pairs(table_of(1, 2, 1, 3), chance=False) == 2


def test_an_exhausted_pairing_is_said_and_not_played_again():
    document = LadderDocument("run", "game", "rules", 1)
    for key in "ab":
        document.enter(ladders.LadderEntry(key, key, "given"))
    pairing = document.pairing("b", "a")
    pairing.quarters, pairing.seeds, pairing.copies, pairing.exhausted = "2", 8, 7, True
    pairing.games, pairing.distinct_games = 16, 2
    _, found = report(document, anchor="a", start=1000.0)
    assert found["warnings"] == [
        "a against b is always the same game: it counts once, however often it is played"
    ]
    assert found["copies"] == 14
    assert LadderDocument.from_json(document.as_json(), "x").pairings == document.pairings


def test_warning_of_repeated_games():
    assert distinct_warning(90, 100) is None
    assert distinct_warning(1, 1) is None
    assert "only 89 of 100 games are distinct (89%)" in distinct_warning(89, 100)
