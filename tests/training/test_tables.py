"""Pattern tables trained by the loop: Othello from nothing, the same whatever happens."""

import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from tests.learners.few_patterns import TEXT
from tests.training.tiny import Crash, environment

from ludus import _core
from ludus.errors import ConfigError, RunError
from ludus.games import get_game
from ludus.players import parse_player
from ludus.players.tables import load_tables
from ludus.runs import (
    Run,
    list_checkpoints,
    read_checkpoint,
    read_ndjson,
    read_status,
    send_command,
)
from ludus.training.birth import open_session
from ludus.training.loop import Loop
from ludus.training.messages import Sender
from ludus.training.request import TrainRequest
from ludus.training.stream import GameStream

SETTINGS = (
    "selfplay.games_per_iteration=1024",
    "evaluation.pairs=8",
    "evaluation.opponents=[first, previous, random]",
    "td.batch_games=64",
    "td.record_every=100",
    "metrics.game_details_every=128",
    "td.average_every=100",
    "runtime.unit_seconds=0.005",
    "run.checkpoint_every=1",
    "guards.memory_mb=8000",  # this process holds the tables of many runs
)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Small patterns: tables that are committed at once."""
    file = tmp_path_factory.mktemp("patterns") / "few.txt"
    file.write_text(TEXT)
    return f"td.patterns={file}"


def train(path, *more, crash_at=None, commit_always=False, act=None, **options):
    """Train in this process; None when it was crashed after so many units."""
    new = not (path / "manifests").is_dir()
    settings = SETTINGS if new else ()
    more = more if new else [one for one in more if not one.startswith("td.")]
    asked = TrainRequest.make(
        "othello", run=path, assignments=[*settings, *more], environment={}, **options
    )
    session = open_session(asked, lambda text: None)
    units = 0

    def stop_asked():
        nonlocal units
        units += 1
        if act is not None:
            act()
        if commit_always:
            session.run.cadence.seconds, session.run.cadence.share = 0.0, 1.0
        if crash_at is not None and units > crash_at:
            raise Crash
        return False

    try:
        return Loop(session, asked, Sender(None), stop_asked).run()
    except Crash:
        return None
    finally:
        session.run.close()


def digests(path):
    objects = Run.open(path, write=False).manifest.objects
    return {name: ref.sha256 for name, ref in objects.items() if name != "iterations"}


def transcripts(path):
    records, _ = read_ndjson(path / "logs/games.ndjson")
    return [(one["step"], one["moves"]) for one in records if one["event"] == "transcript"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "run"
    assert train(path, "runtime.lanes=1", iterations=2).state == "done"
    return path


@pytest.fixture(scope="module")
def trained_few(tmp_path_factory, few):
    path = tmp_path_factory.mktemp("tables") / "few"
    assert train(path, few, "runtime.lanes=1", iterations=2).state == "done"
    return path


def test_a_run_is_whole(trained):
    run = Run.open(trained, write=False)
    counters = run.manifest.counters
    assert counters["selfplay_games"] == 2048
    assert counters["train_step"] == 2048 // 64
    assert 50 * 2048 < counters["plies"] <= 61 * 2048
    assert 0 < counters["samples"] <= counters["plies"]
    one, two = run.iterations
    assert two["train"]["loss_total"] > 0 and 0 < two["selfplay"]["coverage"] < 1
    assert two["selfplay"]["coverage"] > one["selfplay"]["coverage"]
    assert set(two["evaluate"]["results"]) == {"first", "previous", "random"}
    assert two["evaluate"]["results"]["random"]["win_rate"] > 0.6
    assert two["evaluate"]["results"]["random"]["distinct_games"] > 8
    assert read_status(trained)["phases"] == ["selfplay", "evaluate"]
    events = {record["event"] for record in read_ndjson(trained / "logs/metrics.ndjson")[0]}
    assert {"selfplay_iter", "game_stats", "evaluation", "rating", "health"} <= events
    games = transcripts(trained)
    assert [game for game, _ in games] == list(range(0, 2048, 100))
    assert all(60 < len(moves) <= 120 for _, moves in games)


def windows(path):
    """Records of windows, without what depends on time."""
    records, _ = read_ndjson(path / "logs/metrics.ndjson")
    times = ("ts_ms", "elapsed_seconds", "run_id")
    return [
        {name: value for name, value in one.items() if name not in times}
        for one in records
        if one["event"] == "table_stats"
    ]


@pytest.mark.parametrize("lanes", [1, 2])
def test_threads_and_interruptions_change_no_bit(trained_few, few, tmp_path, lanes):
    path = tmp_path / "run"
    asked = (few, f"runtime.lanes={lanes}")
    for crash in (2, 5, 9):
        train(path, *asked, crash_at=crash, commit_always=True, iterations=2)
    assert train(path, *asked, iterations=2).state == "done"
    assert digests(path) == digests(trained_few)
    assert transcripts(path) == transcripts(trained_few)
    mine, calm = windows(path), windows(trained_few)
    assert [one["step"] for one in mine] == list(range(256, 2049, 256))
    for one, other in zip(mine, calm, strict=True):
        assert one["coverage"] == other["coverage"] and one["games"] == other["games"]
        for name in ("loss", "value_error_variance", "value_mean", "value_variance"):
            assert one[name] == pytest.approx(other[name], rel=1e-9)


def test_a_search_in_self_play_changes_no_bit_either(few, tmp_path):
    asked = (
        few,
        "selfplay.games_per_iteration=64",
        "td.batch_games=16",
        "td.depth=3",
        "td.endgame=6",
        "td.table_mb=0.5",
        "evaluation.every=0",
    )
    assert train(tmp_path / "calm", *asked, "runtime.lanes=1", iterations=1).state == "done"
    path = tmp_path / "run"
    for crash in (1, 3):
        train(path, *asked, "runtime.lanes=2", crash_at=crash, commit_always=True, iterations=1)
    assert train(path, *asked, "runtime.lanes=2", iterations=1).state == "done"
    assert digests(path) == digests(tmp_path / "calm")
    figures = Run.open(path, write=False).iterations[0]["selfplay"]
    assert 3 <= figures["search_depth"] <= 12 and figures["search_nodes_per_second"] > 0
    assert 0 < figures["table_hit_rate"] < 1


def test_moves_by_the_clock_are_not_called_repeatable(few, tmp_path):
    asked = (few, "selfplay.games_per_iteration=2", "td.batch_games=2", "td.milliseconds=1")
    with pytest.raises(ConfigError, match=r"run\.deterministic = false") as caught:
        train(tmp_path / "refused", *asked, iterations=1)
    assert "cannot be repeated" in str(caught.value)
    assert not (tmp_path / "refused/manifests").exists()
    path = tmp_path / "run"
    done = train(path, *asked, "run.deterministic=false", "evaluation.every=0", iterations=1)
    assert done.state == "done"
    assert Run.open(path, write=False).iterations[0]["selfplay"]["search_depth"] > 1


def test_units_without_a_whole_batch_count_nothing(few, tmp_path, monkeypatch):
    counted, units = [], []
    add = GameStream.add

    def look(self, table, counters, rate):
        counted.append(len(table.ids))
        add(self, table, counters, rate)

    monkeypatch.setattr(GameStream, "add", look)
    asked = (few, "selfplay.games_per_iteration=32", "td.batch_games=32", "td.depth=5")
    done = train(
        tmp_path / "run",
        *(*asked, "runtime.unit_seconds=0.001", "evaluation.every=0"),
        act=lambda: units.append(1),
        iterations=1,
    )
    assert done.state == "done"
    assert counted == [32] and len(units) > 5


def test_how_games_are_played_changes_with_the_next_iteration(few, tmp_path):
    path, asked = tmp_path / "run", []

    def ask():
        if not asked:
            asked.append(send_command(path, "set", key="td.epsilon", value="0.5"))
            asked.append(send_command(path, "set", key="td.depth", value="2"))

    settings = (few, "selfplay.games_per_iteration=128", "evaluation.every=0")
    assert train(path, *settings, act=ask, iterations=2).state == "done"
    before, after = (one["selfplay"] for one in Run.open(path, write=False).iterations)
    assert (before["epsilon"], after["epsilon"]) == (0.15, 0.5)
    assert before["search_depth"] is None and 1.9 < after["search_depth"] <= 2


def test_too_much_memory_halves_the_transposition_tables_first(few, tmp_path, monkeypatch):
    monkeypatch.setattr("ludus.training.guards.memory._SECONDS", 0.0)
    resident = iter([300] * 2 + [700] + [300] * 10_000)
    number = lambda: next(resident) * 1_000_000  # noqa: E731
    monkeypatch.setattr("ludus.training.guards.accounts.resident_bytes", number)
    path = tmp_path / "run"
    asked = (few, "selfplay.games_per_iteration=64", "td.batch_games=16", "td.depth=2")
    done = train(path, *asked, "guards.memory_mb=600", "evaluation.every=0", iterations=1)
    assert done.state == "done"
    records, _ = read_ndjson(path / "logs/events.ndjson")
    (warned,) = [one for one in records if one["event"] == "guard_warned"]
    assert "half of the transposition tables, now 8.4 MB each" in warned["message"]


def test_a_limit_of_games_ends_in_the_middle_of_an_iteration(trained_few, few, tmp_path):
    path = tmp_path / "run"
    ending = train(path, few, games=1500)
    assert ending.state == "done"
    assert Run.open(path, write=False).manifest.counters["selfplay_games"] == 1536  # whole batches
    assert train(path, iterations=2).state == "done"
    assert digests(path) == digests(trained_few)


def test_checkpoints_hold_all_of_it_and_begin_another_run(trained, tmp_path):
    (entry,) = list_checkpoints(trained)[-1:]
    _, header = read_checkpoint(trained / entry.path)
    champion, meta = load_tables(trained)
    again, described = load_tables(trained / entry.path)
    assert all(np.array_equal(again[name], champion[name]) for name in champion)
    assert described["patterns"] == meta["patterns"]
    assert header.meta["counters"]["selfplay_games"] == 2048
    child = tmp_path / "child"
    assert train(child, iterations=0, init_from=trained / entry.path) is not None
    begun, _ = load_tables(child, "first")
    assert all(np.array_equal(begun[name], champion[name]) for name in champion)


def test_foreign_and_damaged_files_are_one_sentence(trained, tmp_path):
    """A file of weights is held against the digest beside it: one bit changes no move unseen."""
    file = trained / list_checkpoints(trained)[-1].path
    model = sorted((trained / "models").glob("tables-*.safetensors"))[-1]
    sound = model.read_bytes()
    changed = bytearray(sound)
    changed[-5000] ^= 1
    shutil.copy(model.with_suffix(".json"), tmp_path / model.name.replace("safetensors", "json"))
    cases = {
        model.name: (bytes(changed), "is damaged: it is not the file that"),
        "cut.safetensors": (sound[:5000], "is no valid safetensors file"),
        "foreign.safetensors": (b"rubbish" * 9, "is no safetensors file"),
        "foreign.ckpt": (bytes(4096), "is no checkpoint of Ludus"),
        "cut.ckpt": (file.read_bytes()[:90], "cut short"),
    }
    for name, (data, sentence) in cases.items():
        (tmp_path / name).write_bytes(data)
        for make in (load_tables, lambda path: parse_player(f"td:run={path}", get_game("othello"))):
            with pytest.raises(RunError, match=sentence) as caught:
                make(tmp_path / name)
            assert "\n" not in str(caught.value) and name in str(caught.value)
    (tmp_path / model.name).write_bytes(sound)
    assert load_tables(tmp_path / model.name)[0].keys() == {"weights"}
    assert parse_player(str(file), get_game("othello")).name == str(file)  # a checkpoint alone


def test_a_person_who_names_nobody_meets_the_trained_tables(trained, tmp_path, monkeypatch, capsys):
    from ludus.cli.main import main

    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/othello").symlink_to(trained)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("hint\nd3\nquit\n"))
    assert main(["play", "othello"]) == 0
    shown = capsys.readouterr().out
    assert "runs/othello plays" in shown and "runs/othello expects, in discs for you:" in shown


def test_monitor_report_and_status_show_nothing_of_gates(trained, capsys):
    from ludus.cli.main import main
    from ludus.monitor.report.document import report_document
    from ludus.monitor.report.page import render
    from ludus.monitor.report.reading import read_run

    assert main(["monitor", str(trained), "--once"]) == 0
    shown = capsys.readouterr().out
    assert "Epsilon" in shown and "0.150" in shown and "difference" in shown
    for word in ("Promoted", "Temperature", "gate", "mean score"):
        assert word not in shown
    page = render(report_document(read_run(trained)))
    for word in ("candidates promoted", "No gate", "in progress", "0 simulations"):
        assert word not in page
    assert "Biggest win" in page and "of the 21 games that were kept" in page.replace("\n", " ")
    assert main(["status", "--run", str(trained)]) == 0
    assert "promotions" not in capsys.readouterr().out
    assert main(["alerts", "--run", str(trained)]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("stagnation")]
    assert "> 5e+06 " in line


def test_tables_play_by_specification(trained):
    game = get_game("othello")
    start = game.rules.initial()
    states = np.frombuffer(start.packed(), np.uint8)[None, :]
    keys = np.zeros(1, np.uint64)
    for spec in (str(trained), f"td:run={trained}", f"td:run={trained},model=1024"):
        player = parse_player(spec, game)
        assert int(player.choose(states, keys)[0]) in start.legal()


def test_no_torch_is_loaded(tmp_path):
    program = (
        "import sys\n"
        "from ludus.training.api import train\n"
        f"done = train('othello', run={str(tmp_path / 'run')!r}, games=64, "
        "settings={'selfplay.games_per_iteration': 64, 'td.batch_games': 64, "
        "'evaluation.pairs': 2, 'evaluation.opponents': ['random', 'corners']})\n"
        "print(done.state, 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "done False\n"


def test_a_bad_pattern_file_is_refused_with_its_line(tmp_path):
    file = tmp_path / "patterns.txt"
    file.write_text("edge: a1 b1 c1\ncorner: a1 b1 b1\n")
    with pytest.raises(Exception, match=r"corner") as caught:
        train(tmp_path / "run", f"td.patterns={file}", iterations=1)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run/manifests").exists()
    with pytest.raises(ConfigError, match="epsilon"):
        train(tmp_path / "other", "td.epsilon.start=1.5", iterations=1)


def test_the_reports_of_a_table_run(trained):
    from ludus.monitor.statistics import RunStatistics

    found = RunStatistics(trained).convergence()
    stats = list(read_ndjson(trained / "logs/metrics.ndjson")[0])
    assert {one["mean_score"] for one in stats if one["event"] == "game_stats"} == {None}
    last = [one for one in stats if one["event"] == "selfplay_iter"][-1]
    assert last["mean_score"] is None and -64 < last["score_difference"] < 64
    assert 0 < found["pattern_coverage"] < 100 and found["mean_updates"] > 0
    assert -64 <= found["score_difference"] <= 64
    one_by_one = windows(trained)
    assert [one["step"] for one in one_by_one] == list(range(256, 2049, 256))
    assert [one["first_game"] for one in one_by_one] == list(range(0, 2048, 256))
    assert found["variances"] == [one["value_error_variance"] for one in one_by_one]
    assert found["pattern_coverage"] == 100 * one_by_one[-1]["coverage"]
    assert found["pattern_coverage"] == pytest.approx(
        100 * found["updated_entries"] / int(_core.PatternSet.standard().slots) / 30
    )
    assert found["mean_updates_of_updated"] > found["mean_updates"]
    summaries = [one for one in stats if one["event"] == "checkpoint_summary"]
    assert summaries[-1]["coverage"] == one_by_one[-1]["coverage"]
    assert summaries[-1]["mean_updates"] == found["mean_updates"]
    assert found["stagnation_detected"] is False and found["games_without_progress"] <= 2048
    assert RunStatistics(trained).errors() == {"totals": {}, "examples": {}, "recent": []}
    memory = RunStatistics(trained).memory()
    assert memory["pattern_tables"] > 10 and memory["adam_state"] > 10
    assert json.loads((trained / "run.json").read_text())["iterations"]


def test_a_weight_that_is_no_number_is_neutral_again_and_told_with_its_place(tmp_path, few):
    path = tmp_path / "run"
    request = TrainRequest.make(
        "othello",
        run=path,
        assignments=[*SETTINGS, few, "runtime.lanes=1"],
        environment={},
        iterations=1,
    )
    session = open_session(request, lambda text: None)
    try:
        entries = session.learner.entries()[0].view(np.float32)
        entries[0, 1] = np.nan  # the edge, empty, in the first stage: every game comes by
        entries[1, 0] = -200.0
        session.learner._core.restore(0)
        assert Loop(session, request, Sender(None), lambda: False).run().state == "done"
    finally:
        session.run.close()
    events, _ = read_ndjson(path / "logs/events.ndjson")
    told = [one for one in events if one["event"] == "divergence"]
    told.sort(key=lambda one: one["index"])
    assert [(t["pattern"], t["stage"], t["index"], t["what"]) for t in told] == [
        (0, 0, 0, "nan"),
        (0, 0, 1, "range"),
    ]
    assert told[1]["value"] == "-200.0" and told[1]["pattern_name"] == "edge"
    assert told[0]["message"] == (
        "the weight of pattern 0 (edge), stage 0, index 0 became nan discs; it is neutral again"
    )
    run = Run.open(path, write=False)
    assert run.manifest.progress["guards"]["totals"] == {"numbers": 2}
