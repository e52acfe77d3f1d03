"""The comparison of variants: its file, its processor time, its results, its going on."""

import json
import os
import signal
import subprocess
import sys

import pytest
from tests.training.tiny import SETTINGS
from tools import ablation

from ludus.errors import UserError

TINY = [f'"{text}"' for text in SETTINGS if not text.startswith(("evaluation", "gating.max"))]
FILE = f"""
recipe: yatzy
names: {{budget: [search.budget, gating.simulations]}}
common: [runtime.lanes=1, evaluation.every=0, gating.max_pairs=4, {", ".join(TINY)}]
variants:
  base: []
  deep: ["$budget=4"]
  loose: [gating.enabled=false]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "variants.yaml"
    path.write_text(FILE)
    return path


def run(file, out, *more):
    command = [sys.executable, ablation.__file__, str(file), str(out), "--pairs", "4", *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_names_stand_for_all_their_settings(file):
    found = ablation.read_variants(file)
    assert found["variants"]["deep"] == ("search.budget=4", "gating.simulations=4")
    assert found["variants"]["base"] == ()


def test_the_variants_of_yatzy_are_all_accepted(repository):
    found = ablation.read_variants(repository / "tools/ablation_yatzy.yaml")
    assert len(found["variants"]) > 12
    plan = ablation.Plan(found["recipe"], 1.0, 1, (), found["common"], found["variants"])
    ablation.check_settings(plan)
    wider = ("model.hidden_dim=100", *found["common"])
    with pytest.raises(UserError, match=r"variant base: model\.hidden_dim = 100"):
        ablation.check_settings(ablation.Plan("yatzy", 1.0, 1, (), wider, found["variants"]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "cannot be read"),
        ("variants: []", "must hold recipe"),
        ("variants: {other: []}", "no variant 'base'"),
        ("variants: {base: x}", "base must be a list"),
        ("variants: {base: ['$speed=1']}", r"base has \$speed"),
        ("variants: {base: [], ../x: []}", "name '../x'"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, sentence):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        ablation.read_variants(path)


def test_bad_settings_are_told_before_anything_is_trained(file, tmp_path):
    done = run(file, tmp_path / "out", "--set", "search.budgit=3")
    assert done.returncode == 2
    assert "did you mean search.budget" in done.stderr and not (tmp_path / "out").exists()


@pytest.mark.slow  # six processes that import torch
def test_trainings_of_equal_time_meet_and_a_stop_is_gone_on_from(file, tmp_path):
    out = tmp_path / "out"
    asked = ("--minutes", "0.04", "--only", "loose", "--against", "random")
    command = [sys.executable, ablation.__file__, str(file), str(out), "--pairs", "4", *asked]
    clock = out / "results" / "base-1.train.clock.json"
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as first:
        while first.poll() is None and not clock.exists():
            signal.sigtimedwait([], 0.05)
        os.killpg(first.pid, signal.SIGINT)
        said = first.communicate(timeout=60)[1]
    assert first.returncode == 130 and "the same command goes on" in said
    begun = json.loads(clock.read_text())["seconds"]
    assert 0 < begun < 2.4 and not (out / "results" / "base-1.train.json").exists()

    done = run(file, out, *asked)
    assert done.returncode == 0, done.stderr
    for variant in ("base", "loose"):
        trained = json.loads((out / "results" / f"{variant}-1.train.json").read_text())
        assert 2.4 <= trained["cpu_seconds"] < 4.0
        assert trained["games"] > 0
    assert "| base | - |" in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("| loose"))
    assert "`gating.enabled=false`" in row and row.count("%") == 6, row
    assert (out / "table.md").read_text() == done.stdout
    # All is there: nothing is done again, and the table alone is the same.
    stamps = {path: path.stat().st_mtime_ns for path in (out / "results").iterdir()}
    assert run(file, out, *asked, "--table").stdout == done.stdout
    assert run(file, out, *asked).stdout == done.stdout
    assert stamps == {path: path.stat().st_mtime_ns for path in (out / "results").iterdir()}
    # Other conditions would not be comparable.
    refused = run(file, out, "--minutes", "0.06")
    assert refused.returncode == 2 and "was begun with minutes = 0.04" in refused.stderr


def test_the_table_has_a_gap_where_a_result_is_missing(tmp_path):
    plan = ablation.Plan("yatzy", 1.0, 10, ("greedy",), (), {"base": (), "deep": ("a.b=1",)})
    (tmp_path / "results").mkdir()
    match = {"win_rate": 0.6, "win_rate_low": 0.5, "win_rate_high": 0.7, "win_rate_se": 0.05}
    for seed, rate in ((1, 0.6), (2, 0.5)):
        path = tmp_path / "results" / f"deep-{seed}.match-base.json"
        path.write_text(json.dumps({**match, "win_rate": rate, "mean_scores": [200, 190]}))
    lines = ablation.table(plan, tmp_path, [1, 2, 3]).splitlines()
    assert lines[-2].split("|")[1:] == [" base ", *[" - "] * 9, ""]
    cells = [cell.strip() for cell in lines[-1].split("|")[1:-1]]
    assert cells[:4] == ["deep", "`a.b=1`", "-", "-"]
    assert cells[4:7] == ["60.0% [50.0%, 70.0%]", "50.0% [50.0%, 70.0%]", "-"]
    # Mean of both; its error is sqrt(2 * 0.05^2) / 2.
    assert cells[7] == "55.0% [48.1%, 61.9%]"
