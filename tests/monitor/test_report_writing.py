"""Where reports are written, the command, and the report at the end of each training."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import pytest
from tests.training.tiny import SETTINGS, command, environment

from ludus.cli import main as cli
from ludus.errors import RunError
from ludus.monitor.after import after_training
from ludus.monitor.folders import KEPT, report_folders
from ludus.monitor.report import write_report
from ludus.runs import Run


def ludus(capsys, *arguments):
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_report_is_files_and_a_pointer(run):
    report = write_report(run)
    latest = run / "reports" / "latest"
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


def test_old_reports_go_and_foreign_files_stay(run):
    mine = run / "reports" / "20200101-mine"
    mine.mkdir()
    for day in range(10, 10 + KEPT + 1):
        (run / "reports" / f"202001{day}T000000Z-000001").mkdir()
    report = write_report(run, now=1.8e9)
    assert len(report_folders(run / "reports")) == KEPT
    assert report.removed == ("20200110T000000Z-000001", "20200111T000000Z-000001")
    assert mine.is_dir()
    assert (run / "reports" / "gate_report.json").is_file()
    twice = write_report(run, now=1.8e9)
    assert twice.folder.name.endswith("-2")


def test_where_links_cannot_be_made_the_pointer_is_text(run, monkeypatch):
    from pathlib import Path

    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    report = write_report(run)
    assert (run / "reports" / "latest").read_text().strip() == report.folder.name
    assert report.page == report.folder / "dashboard.html"
    assert any("text file" in sentence for sentence in report.notes)


def test_a_folder_that_cannot_be_written_is_said(run):
    with pytest.raises(RunError, match="--output"):
        write_report(run, run / "run.json" / "below")


def test_the_command(capsys, run, tmp_path):
    code, out, _ = ludus(capsys, "report", "--run", run)
    assert code == 0
    assert out.splitlines()[-1] == f"report: {run}/reports/latest/dashboard.html"
    code, out, _ = ludus(capsys, "report", run / "reports" / "latest", "--open-path-only")
    assert out == f"{run}/reports/latest/dashboard.html\n"
    before = len(report_folders(run / "reports"))
    document = json.loads(ludus(capsys, "report", run, "--json")[1])
    assert "improvement" in document
    assert len(report_folders(run / "reports")) == before
    code, _, _ = ludus(capsys, "report", run, "--output", tmp_path / "analysis")
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
def test_mistakes_are_one_sentence(capsys, finished_run, arguments, words):
    arguments = [finished_run if one == "RUN" else one for one in arguments]
    code, out, err = ludus(capsys, "report", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("ludus: ")
    assert err.count("\n") == 1
    assert words in err


def test_a_live_run_can_be_reported_by_the_command(capsys, run):
    with Run.open(run, write=True):
        code, out, _ = ludus(capsys, "report", run)
    assert code == 0
    assert "reports/latest" in out


# -- at the end of a training ------------------------------------------------------------------


def test_every_training_ends_with_a_report(run):
    said = []
    after_training(run, 1, said.append)
    assert said == [f"report: {run}/reports/latest/dashboard.html"]
    assert (run / "reports" / "latest" / "metrics.json").is_file()


def test_a_report_that_fails_or_hangs_is_one_note(run):
    said = []
    broken = [sys.executable, "-c", "import sys; sys.exit('it broke')"]
    after_training(run, 0, said.append, command=broken)
    assert said == ["ludus: the report could not be written: it broke"]
    hanging = [sys.executable, "-c", "import time; time.sleep(60)"]
    after_training(run, 0, said.append, command=hanging, seconds=0.5)
    assert "given up" in said[1]
    after_training(run, 0, said.append, command=["/nowhere/python"])
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
def test_none_after_a_pause_or_a_training_that_did_not_work(run, code):
    said = []
    after_training(run, code, said.append)
    assert not said
    assert not report_folders(run / "reports")
