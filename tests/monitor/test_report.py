"""Reports: one file that opens anywhere, the same bytes for the same run, of any run at all."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
from tests.training.tiny import SETTINGS, command, environment, request, train

from ludus.cli import main as cli
from ludus.errors import RunError
from ludus.games import get_game
from ludus.monitor.after import after_training
from ludus.monitor.cells import cell
from ludus.monitor.folders import KEPT, report_folders
from ludus.monitor.inspect.stored import newest_of
from ludus.monitor.inspect.tables import as_csv
from ludus.monitor.report import read_run, render, report_document, write_report
from ludus.runs import Run
from ludus.training.birth import open_session

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """What a page is made of; well-formed or it cannot be read."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.addresses, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "action"):
                self.addresses.append(value)
            assert not name.startswith("on")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A run of two iterations with gates and an evaluation."""
    path = tmp_path_factory.mktemp("report") / "yatzy"
    assert train(path, iterations=2) is not None
    return path


@pytest.fixture
def copy(played, tmp_path):
    """A run of one's own."""
    return shutil.copytree(played, tmp_path / "yatzy", symlinks=True)


def ludus(capsys, *arguments):
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


def page_of(path):
    return Page(render(report_document(read_run(path))))


def test_a_report_is_files_and_a_pointer(copy):
    report = write_report(copy)
    latest = copy / "reports" / "latest"
    assert latest.is_symlink()
    assert latest.resolve() == report.folder.resolve()
    assert re.fullmatch(r"\d{8}T\d{6}Z-\d{6}", report.folder.name)
    document = json.loads((latest / "metrics.json").read_text())
    assert document["improvement"]["verdict"] in ("better", "worse", "unclear", "unknown")
    assert document["run"]["state"] == "done"
    assert document["totals"]["games"] == 144
    assert [row["iteration"] for row in document["iterations"]] == [0, 1]
    assert document["curves"]["gate_win_rate"]["low"]
    rows = list(csv.DictReader(io.StringIO((latest / "iterations.csv").read_text())))
    assert [row["games"] for row in rows] == ["72", "144"]
    assert "random.win_rate" in rows[0]
    points = list(csv.DictReader(io.StringIO((latest / "curves.csv").read_text())))
    assert {"gate_win_rate", "step:loss_total"} <= {point["curve"] for point in points}
    assert report.page == latest / "dashboard.html"


def test_the_page_is_one_file_that_needs_nothing(played):
    page = page_of(played)
    assert not {"script", "iframe", "img", "link", "object", "form"} & set(page.tags)
    assert page.addresses
    assert all(address.startswith("#") for address in page.addresses)
    assert len(page.ids) == len(set(page.ids))
    assert {address[1:] for address in page.addresses} <= set(page.ids)
    assert page.tags.count("svg") >= 8
    for part in ("strength", "learning", "play", "iterations", "timeline", "health", "games"):
        assert part in page.ids
    assert "144 games of yatzy" in page.text
    assert "Highest score" in page.text
    html = render(report_document(read_run(played)))
    assert "http" not in html
    assert "url(" not in re.sub(r"url\(#[\w.-]+\)", "", html)


def test_the_same_run_gives_the_same_bytes(played):
    first = report_document(read_run(played, now=1.8e9))
    again = report_document(read_run(played, now=1.8e9))
    assert first == again
    assert render(first) == render(again)


def test_games_are_drawn_by_the_game(played):
    games = report_document(read_run(played))["games"]
    assert games["looked_at"] == 96  # eight shards of twelve are kept
    assert [game["title"] for game in games["games"]] == [
        "Highest score",
        "Biggest win",
        "Lowest score",
    ]
    best = games["games"][0]
    assert "The game is over" in best["drawing"]
    assert len(best["moves"]) == best["plies"]
    assert f"{max(best['scores']):.0f}" in best["drawing"]


def test_a_game_may_have_pictures(played):
    document = report_document(read_run(played))
    first, second = document["games"]["games"][:2]
    assert first["picture"] is None
    othello = get_game("othello")
    first["picture"] = othello.picture(othello.rules.initial())
    html = render(document)
    assert first["picture"] in html
    assert first["drawing"] not in html
    assert second["drawing"] in html
    assert "http" not in html


def test_games_without_points_show_the_quickest_win_and_the_longest_game(played):
    from ludus.monitor.report import games

    records = newest_of(played, 10**6)[1]
    won = records.columns["returns"].max(1) > 0
    plies = records.columns["plies"]
    for scores in (records.columns["returns"], records.columns["scores"]):
        same = games.GameRecords({**records.columns, "scores": scores})
        chosen = dict(games._choose(same, has_scores=scores is records.columns["returns"]))
        assert list(chosen) == ["Quickest win", "Longest game"]
        assert plies[chosen["Quickest win"]] == plies[won].min()
        assert plies[chosen["Longest game"]] == plies.max()


def test_what_was_asked_is_told_with_what_is_usual(played):
    rows = {row["key"]: row for row in report_document(read_run(played))["settings"]["changed"]}
    assert rows["model.hidden_dim"]["value"] == 32
    assert rows["model.hidden_dim"]["usual"] > 32
    assert rows["model.hidden_dim"]["source"] == "asked"


def test_names_of_users_stay_text(copy):
    evil = "<script>alert(1)</script>\"'&=cmd"
    events = copy / "logs" / "events.ndjson"
    with events.open("a") as file:
        for line in (
            {"event": "notice", "ts_ms": 1, "message": evil},
            {"event": "alert", "ts_ms": 2, "message": evil, "severity": "error"},
            {"event": "divergence", "ts_ms": 3, "place": evil, "what": "nan"},
            {"event": "setting_changed", "ts_ms": 4, "key": evil, "value": {"a": [evil]}},
            {"event": "health", "ts_ms": "soon", "findings": [evil, 3, None]},
            {"event": "guard_paused", "guard": None},
        ):
            file.write(json.dumps(line) + "\n")
    data = read_run(copy)
    data.iterations[1]["evaluate"]["results"][f"={evil}"] = {
        **data.iterations[1]["evaluate"]["results"]["random"]
    }
    document = report_document(data)
    html = render(document)
    assert "<script" not in html
    assert "alert(1)" in Page(html).text
    from ludus.monitor.report.writing import iterations_csv

    head = next(csv.reader(io.StringIO(iterations_csv(document["iterations"]))))
    assert not [name for name in head if name.startswith("=")]


def test_faults_are_counted_by_kind_and_place(copy):
    with (copy / "logs" / "events.ndjson").open("a") as file:
        for number in range(30):
            line = {"event": "divergence", "ts_ms": 1.8e12 + number, "place": "loss", "what": "nan"}
            file.write(json.dumps(line) + "\n")
        for line in (
            {"event": "save_failed", "ts_ms": 1.9e12, "attempt": 1, "message": "no space"},
            {"event": "guard_paused", "ts_ms": 2e12, "guard": "errors", "reason": "1.2 % failed"},
            {"event": "restarted", "ts_ms": 2e12, "cause": "hang", "reason": "silent"},
            {"event": "returned_to_good", "ts_ms": 2e12, "guard": "numbers", "to_sequence": 7},
        ):
            file.write(json.dumps(line) + "\n")
    document = report_document(read_run(copy))
    assert document["faults"][0] == {
        "what": "divergence",
        "where": "loss",
        "times": 30,
        "of": 30,
    }
    told = {line["text"]: line["times"] for line in document["timeline"]}
    assert told["A number in loss is no number"] == 30
    assert told["Guard errors paused the run: 1.2 % failed"] == 1
    assert told["A save failed: no space"] == 1
    assert any(text.startswith("Restarted after a hang: silent") for text in told)
    assert any("returned the run to commit 7" in text for text in told)
    text = Page(render(document)).text
    assert "A number in loss is no number 30 times" in text
    assert document["totals"]["restarts"] == 1


def test_a_run_before_its_first_iteration(tmp_path):
    path = tmp_path / "young"
    session = open_session(request(path), lambda text: None)
    try:
        text = page_of(path).text
        assert "No iteration is finished yet." in text
        assert "The run is still going" in text
        assert "No game is finished yet." in text
    finally:
        session.run.close()
    Page(render(report_document(read_run(path))))


def test_a_run_that_is_being_trained_is_only_read(tmp_path):
    path = tmp_path / "live"
    seen = []

    def act(loop, unit):
        if unit == 1 or (unit % 5 == 0 and len(seen) < 2):
            before = {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}
            seen.append(page_of(path).text)
            assert {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()} == before

    assert train(path, "evaluation.every=0", iterations=1, act=act) is not None
    assert len(seen) == 2
    assert all("The run is still going" in text for text in seen)


@pytest.mark.parametrize("state", ["training", "paused", "error"])
def test_runs_that_ended_otherwise(copy, state):
    status = json.loads((copy / "status.json").read_text())
    status.update(state=state, reason="the disk is full", error="no" if state == "error" else None)
    (copy / "status.json").write_text(json.dumps(status))
    text = page_of(copy).text
    words = {"training": "was killed", "paused": "is paused", "error": "ended with an error"}
    assert words[state] in text


def test_torn_and_foreign_logs(copy):
    for name in ("metrics.ndjson", "events.ndjson"):
        log = copy / "logs" / name
        whole = log.read_bytes()
        log.write_bytes(whole + b'\x00\xff{\n[1]\n{"event":"train_step","step":"x"}\n{"event":"al')
    document = report_document(read_run(copy))
    assert document["missing"][-1] == "4 lines of the logs could not be read"
    (copy / "logs" / "metrics.ndjson").unlink()
    (copy / "logs" / "events.ndjson").write_bytes(b"")
    Page(render(report_document(read_run(copy))))
    (copy / "status.json").write_text("{")
    (copy / "config.yaml").write_text("- :")
    document = report_document(read_run(copy))
    assert any("config.yaml" in sentence for sentence in document["missing"])
    Page(render(document))


def test_a_game_that_is_gone_leaves_the_rest(copy):
    shutil.rmtree(copy / "replay")
    document = report_document(read_run(copy))
    assert "cannot be shown" in document["games"]["problem"]
    assert document["totals"]["games"] == 144
    Page(render(document))


def test_thousands_of_iterations_stay_small_and_quick(played):
    data = read_run(played)
    one = data.iterations[1]
    data.iterations = [{**one, "iteration": number} for number in range(5000)]
    began = time.perf_counter()
    page = render(report_document(data))
    assert time.perf_counter() - began < 10
    assert len(page) < 2_000_000
    assert "4,880 older ones left out" in Page(page).text


def test_old_reports_go_and_foreign_files_stay(copy):
    mine = copy / "reports" / "20200101-mine"
    mine.mkdir()
    for day in range(10, 10 + KEPT + 1):
        (copy / "reports" / f"202001{day}T000000Z-000001").mkdir()
    report = write_report(copy, now=1.8e9)
    assert len(report_folders(copy / "reports")) == KEPT
    assert report.removed == ("20200110T000000Z-000001", "20200111T000000Z-000001")
    assert mine.is_dir()
    assert (copy / "reports" / "gate_report.json").is_file()
    twice = write_report(copy, now=1.8e9)
    assert twice.folder.name.endswith("-2")


def test_where_links_cannot_be_made_the_pointer_is_text(copy, monkeypatch):
    from pathlib import Path

    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    report = write_report(copy)
    assert (copy / "reports" / "latest").read_text().strip() == report.folder.name
    assert report.page == report.folder / "dashboard.html"
    assert any("text file" in sentence for sentence in report.notes)


def test_the_command(capsys, copy, tmp_path):
    code, out, _ = ludus(capsys, "report", "--run", copy)
    assert code == 0
    assert out.splitlines()[-1] == f"report: {copy}/reports/latest/dashboard.html"
    code, out, _ = ludus(capsys, "report", copy / "reports" / "latest", "--open-path-only")
    assert out == f"{copy}/reports/latest/dashboard.html\n"
    before = len(report_folders(copy / "reports"))
    document = json.loads(ludus(capsys, "report", copy, "--json")[1])
    assert "improvement" in document
    assert len(report_folders(copy / "reports")) == before
    code, _, _ = ludus(capsys, "report", copy, "--output", tmp_path / "analysis")
    assert code == 0
    assert sorted(os.listdir(tmp_path / "analysis")) == [
        "curves.csv",
        "dashboard.html",
        "iterations.csv",
        "metrics.json",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nowhere"], "/nowhere"),
        (["/"], "not a run directory"),
        (["RUN", "--json", "--output", "x"], "--json"),
        (["RUN", "--output", __file__], "is a file"),
    ],
)
def test_mistakes_are_one_sentence(capsys, played, arguments, words):
    arguments = [played if one == "RUN" else one for one in arguments]
    code, out, err = ludus(capsys, "report", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("ludus: ")
    assert err.count("\n") == 1
    assert words in err


def test_a_folder_that_cannot_be_written_is_said(copy):
    with pytest.raises(RunError, match="--output"):
        write_report(copy, copy / "run.json" / "below")


# -- at the end of a training -----------------------------------------------------------------


def test_every_training_ends_with_a_report(copy):
    said = []
    after_training(copy, 1, said.append)
    assert said == [f"report: {copy}/reports/latest/dashboard.html"]
    assert (copy / "reports" / "latest" / "metrics.json").is_file()


def test_a_report_that_fails_or_hangs_is_one_note(copy):
    said = []
    broken = [sys.executable, "-c", "import sys; sys.exit('it broke')"]
    after_training(copy, 0, said.append, command=broken)
    assert said == ["ludus: the report could not be written: it broke"]
    hanging = [sys.executable, "-c", "import time; time.sleep(60)"]
    after_training(copy, 0, said.append, command=hanging, seconds=0.5)
    assert "given up" in said[1]
    after_training(copy, 0, said.append, command=["/nowhere/python"])
    assert "could not be written" in said[2]


@pytest.mark.slow
def test_the_command_that_trains_says_where_its_report_is(tmp_path):
    run = tmp_path / "yatzy"
    sets = [part for text in SETTINGS for part in ("--set", text)]
    asked = command("train", "yatzy", "--run", str(run), "--iterations", "1", *sets)
    done = subprocess.run(asked, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == f"report: {run}/reports/latest/dashboard.html"
    assert "improvement" in json.loads((run / "reports/latest/metrics.json").read_text())
    again = subprocess.run(asked, capture_output=True, text=True, env=environment(), check=False)
    assert again.returncode == 0
    assert "report:" not in again.stderr
    assert len(report_folders(run / "reports")) == 1


@pytest.mark.parametrize("code", [2, 3, 130])
def test_none_after_a_pause_or_a_training_that_did_not_work(copy, code):
    said = []
    after_training(copy, code, said.append)
    assert not said
    assert not report_folders(copy / "reports")


def test_a_live_run_can_be_reported_by_the_command(capsys, copy):
    with Run.open(copy, write=True):
        code, out, _ = ludus(capsys, "report", copy)
    assert code == 0
    assert "reports/latest" in out


def test_a_text_is_one_cell_of_one_line_and_no_formula():
    assert [cell(text) for text in ("a\r=1\nb", "=1", "-1")] == ["a =1 b", "'=1", "'-1"]
    assert [cell(value) for value in (-1, None, 0.5)] == [-1, None, 0.5]
    table = as_csv(["name"], [{"name": "a\r=1"}, {"name": "@x"}])
    assert list(csv.reader(io.StringIO(table))) == [["name"], ["a =1"], ["'@x"]]
