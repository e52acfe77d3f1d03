"""Reports: one file that opens anywhere, the same bytes for the same run, of any run at all."""

import csv
import io
import json
import re
import shutil
import time
from html.parser import HTMLParser

import pytest
from tests.training.tiny import request, train

from ludus.games import get_game
from ludus.monitor.cells import cell
from ludus.monitor.inspect.stored import newest_of
from ludus.monitor.inspect.tables import as_csv
from ludus.monitor.report import read_run, render, report_document
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


def page_of(path):
    return Page(render(report_document(read_run(path))))


def test_the_page_is_one_file_that_needs_nothing(finished_run):
    page = page_of(finished_run)
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
    html = render(report_document(read_run(finished_run)))
    assert "http" not in html
    assert "url(" not in re.sub(r"url\(#[\w.-]+\)", "", html)


def test_the_same_run_gives_the_same_bytes(finished_run):
    first = report_document(read_run(finished_run, now=1.8e9))
    again = report_document(read_run(finished_run, now=1.8e9))
    assert first == again
    assert render(first) == render(again)


def test_games_are_drawn_by_the_game(finished_run):
    games = report_document(read_run(finished_run))["games"]
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


def test_a_game_may_have_pictures(finished_run):
    document = report_document(read_run(finished_run))
    first, second = document["games"]["games"][:2]
    assert first["picture"] is None
    othello = get_game("othello")
    first["picture"] = othello.picture(othello.rules.initial())
    html = render(document)
    assert first["picture"] in html
    assert first["drawing"] not in html
    assert second["drawing"] in html
    assert "http" not in html


def test_games_without_points_show_the_quickest_win_and_the_longest_game(finished_run):
    from ludus.monitor.report import games

    records = newest_of(finished_run, 10**6)[1]
    won = records.columns["returns"].max(1) > 0
    plies = records.columns["plies"]
    for scores in (records.columns["returns"], records.columns["scores"]):
        same = games.GameRecords({**records.columns, "scores": scores})
        chosen = dict(games._choose(same, has_scores=scores is records.columns["returns"]))
        assert list(chosen) == ["Quickest win", "Longest game"]
        assert plies[chosen["Quickest win"]] == plies[won].min()
        assert plies[chosen["Longest game"]] == plies.max()


def test_what_was_asked_is_told_with_what_is_usual(finished_run):
    rows = {
        row["key"]: row for row in report_document(read_run(finished_run))["settings"]["changed"]
    }
    assert rows["model.hidden_dim"]["value"] == 32
    assert rows["model.hidden_dim"]["usual"] > 32
    assert rows["model.hidden_dim"]["source"] == "asked"


def test_names_of_users_stay_text(run):
    evil = "<script>alert(1)</script>\"'&=cmd"
    events = run / "logs" / "events.ndjson"
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
    data = read_run(run)
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


def test_faults_are_counted_by_kind_and_place(run):
    with (run / "logs" / "events.ndjson").open("a") as file:
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
    document = report_document(read_run(run))
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
def test_runs_that_ended_otherwise(run, state):
    status = json.loads((run / "status.json").read_text())
    status.update(state=state, reason="the disk is full", error="no" if state == "error" else None)
    (run / "status.json").write_text(json.dumps(status))
    text = page_of(run).text
    words = {"training": "was killed", "paused": "is paused", "error": "ended with an error"}
    assert words[state] in text


def test_torn_and_foreign_logs(run):
    for name in ("metrics.ndjson", "events.ndjson"):
        log = run / "logs" / name
        whole = log.read_bytes()
        log.write_bytes(whole + b'\x00\xff{\n[1]\n{"event":"train_step","step":"x"}\n{"event":"al')
    document = report_document(read_run(run))
    assert document["missing"][-1] == "4 lines of the logs could not be read"
    (run / "logs" / "metrics.ndjson").unlink()
    (run / "logs" / "events.ndjson").write_bytes(b"")
    Page(render(report_document(read_run(run))))
    (run / "status.json").write_text("{")
    (run / "config.yaml").write_text("- :")
    document = report_document(read_run(run))
    assert any("config.yaml" in sentence for sentence in document["missing"])
    Page(render(document))


def test_a_game_that_is_gone_leaves_the_rest(run):
    shutil.rmtree(run / "replay")
    document = report_document(read_run(run))
    assert "cannot be shown" in document["games"]["problem"]
    assert document["totals"]["games"] == 144
    Page(render(document))


def test_thousands_of_iterations_stay_small_and_quick(finished_run):
    data = read_run(finished_run)
    one = data.iterations[1]
    data.iterations = [{**one, "iteration": number} for number in range(5000)]
    began = time.perf_counter()
    page = render(report_document(data))
    assert time.perf_counter() - began < 10
    assert len(page) < 2_000_000
    assert "4,880 older ones left out" in Page(page).text


def test_a_text_is_one_cell_of_one_line_and_no_formula():
    assert [cell(text) for text in ("a\r=1\nb", "=1", "-1")] == ["a =1 b", "'=1", "'-1"]
    assert [cell(value) for value in (-1, None, 0.5)] == [-1, None, 0.5]
    table = as_csv(["name"], [{"name": "a\r=1"}, {"name": "@x"}])
    assert list(csv.reader(io.StringIO(table))) == [["name"], ["a =1"], ["'@x"]]
