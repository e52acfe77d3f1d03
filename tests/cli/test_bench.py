"""Benchmarks: figures and goals, comparison with a report, comparison with a revision."""

import json
import math
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.training.tiny import command, environment

from ludus.cli import bench
from ludus.cli import main as cli
from ludus.errors import UserError
from ludus.measure import Figure, Goal, in_turns, turns
from ludus.measure.comparison import (
    Rates,
    against_report,
    compare_apart,
    compare_together,
    read_report,
)


def ludus(capsys, *arguments):
    """Exit code, stdout, stderr."""
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


# -- figures ---------------------------------------------------------------------------------------


def test_turns_are_counted_and_the_rival_is_measured_in_each():
    done = []

    def work():
        done.append("work")
        return sum(range(20_000)) * 0 + 2.0

    def rival():
        done.append("rival")
        return sum(range(20_000)) * 0 + 1.0

    with turns(4):
        figure = in_turns("a", "things/s", work, against=("b", rival))
    assert done == ["work", *["work", "rival"] * 4]
    assert len(figure.rates) == len(figure.calibration) == 4
    assert min(*figure.rates, *figure.calibration) > 0
    assert figure.ratio > 0
    assert len(in_turns("a", "things/s", work, quick=True).rates) == 3
    assert len(in_turns("a", "things/s", work).rates) == 7


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (None, None),
        (Goal(9.0), "met"),
        (Goal(10.0), "met"),
        (Goal(10.5), "missed"),
        (Goal(10.5, "most"), "met"),
        (Goal(9.5, "most"), "missed"),
        (Goal(0.5, on="ratio"), "met"),
        (Goal(0.7, on="ratio"), "missed"),
    ],
)
def test_a_goal_is_met_or_missed(goal, verdict):
    figure = Figure("a", "b", [9.0, 10.0, 100.0], [1.0] * 3, "c", 0.6, goal=goal)
    assert figure.verdict == verdict
    assert (figure.bottleneck is not None) == (verdict == "missed")


def test_a_ratio_that_was_not_measured_has_no_verdict():
    assert Figure("a", "b", [1.0], [1.0], goal=Goal(1.0, on="ratio")).verdict is None


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"phases": {"tree": 0.2, "network": 0.5, "softmax": 0.3}}, "softmax (30%"),
        ({"phases": {"network": 1.0}, "note": "memory sets the pace"}, "memory sets the pace"),
        ({"note": "one core only"}, "one core only"),
        ({}, "not known"),
    ],
)
def test_the_bottleneck_of_a_missed_goal_is_named(extra, words):
    figure = Figure("a", "b", [1.0], [1.0], extra=extra, goal=Goal(2.0))
    assert words in figure.bottleneck


def test_a_missed_goal_is_shown_with_its_bottleneck(capsys):
    phases = {"tree": 0.4, "network": 0.6}
    bench._show([Figure("a", "x/s", [1.0], [1.0], extra={"phases": phases}, goal=Goal(2.0))])
    out = capsys.readouterr().out
    assert "missed: >= 2" in out
    assert "missed: a; bottleneck: tree (40% of the time)" in out


# -- comparisons -----------------------------------------------------------------------------------

SPREAD = [0.99, 1.0, 1.01, 1.0, 0.99, 1.01, 1.0]


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.0, "unchanged"), (1.01, "unchanged"), (1.1, "faster"), (0.9, "slower")],
)
def test_alternating_turns_tell_a_change_from_noise(factor, verdict):
    drift = [1.0, 2.0, 0.5, 3.0, 1.0, 0.7, 1.4]  # the machine's, which both sides see
    before = [1000 * d for d in drift]
    now = [factor * s * b for s, b in zip(SPREAD, before, strict=True)]
    found = compare_together("a", "x/s", now, before)
    assert found.verdict == verdict
    assert found.ratio == pytest.approx(factor, rel=0.011)
    assert found.threshold >= 0.02 - 1e-12


def test_noise_hides_a_change_and_that_is_said():
    now = [1.3 * x for x in (0.5, 2.0, 1.0, 0.6, 1.7)]
    found = compare_together("a", "x/s", now, [1.0] * 5)
    assert found.verdict == "unclear"
    assert found.threshold > 0.25
    assert compare_together("a", "x/s", [9.0], [1.0]).verdict == "unclear", "one turn has no spread"


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.0, "unchanged"), (1.04, "unchanged"), (1.2, "faster"), (0.8, "slower")],
)
def test_reports_are_compared_by_the_machines_figure(factor, verdict):
    slow = Rates("a", "x/s", tuple(100 * s for s in SPREAD), (20.0,) * 7)
    fast = Rates("a", "x/s", tuple(factor * 250 * s for s in SPREAD), (50.0,) * 7)
    found = compare_apart(fast, slow)
    assert found.verdict == verdict
    assert found.ratio == pytest.approx(factor, rel=0.02)
    assert not found.together


def test_figures_that_never_vary_can_be_compared():
    same = Rates("a", "x/s", (5.0, 5.0), (1.0, 1.0))
    assert compare_apart(same, same).verdict == "unchanged"
    assert compare_together("a", "x/s", [2.0, 2.0], [1.0, 1.0]).verdict == "faster"


def test_what_an_earlier_report_lacks_is_told():
    figures = [Figure(n, "x/s", [1.0, 1.0], [1.0, 1.0]) for n in ("old", "new", "unit")]
    before = {
        "old": Rates("old", "x/s", (1.0, 1.0), (1.0, 1.0)),
        "unit": Rates("unit", "y/s", (1.0, 1.0), (1.0, 1.0)),
    }
    found, missing = against_report(figures, before)
    assert [c.name for c in found] == ["old"]
    assert missing == ["new", "unit"]


GOOD = {"name": "a", "unit": "x/s", "rates": [1.0], "calibration": [2]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "no JSON"),
        ("[1]", "has no figures"),
        ("{}", "has no figures"),
        ('{"figures": 3}', "has no figures"),
        ('{"figures": [3]}', "figure 0: it is no object"),
        (json.dumps({"figures": [GOOD, {**GOOD, "rates": []}]}), "figure 1: a figure has"),
        (json.dumps({"figures": [{**GOOD, "rates": [0.0]}]}), "figure 0"),
        (json.dumps({"figures": [{**GOOD, "rates": [math.nan]}]}), "figure 0"),
        (json.dumps({"figures": [{**GOOD, "rates": [1.0, 2.0]}]}), "figure 0"),
        (json.dumps({"figures": [{**GOOD, "name": None}]}), "figure 0"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_file_that_is_no_report_is_one_sentence(capsys, tmp_path, data, words):
    path = tmp_path / "report.json"
    path.write_text(data)
    code, out, err = ludus(capsys, "bench", "rules", "--against", path)
    assert (code, out) == (2, "")
    assert err.startswith("ludus: ")
    assert err.count("\n") == 1
    assert words in err


def test_a_report_is_read_back(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"figures": [GOOD]}))
    assert read_report(path) == {"a": Rates("a", "x/s", (1.0,), (2,))}


# -- the command -----------------------------------------------------------------------------------

BENCHMARK = """
from ludus import _core
from ludus.cli.bench import Figure, in_turns


def measure(quick):
    def work():
        _core.calibration_work({blocks})
        return {worth}

    return [in_turns(name, "blocks/s", work, quick=quick) for name in {names}]
"""

CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(toy LANGUAGES NONE)
file(GLOB core "${CMAKE_CURRENT_SOURCE_DIR}/kept/_core*.so")
get_filename_component(name "${core}" NAME)
add_custom_target(_core ALL
  COMMAND "${CMAKE_COMMAND}" -E copy "${core}" "${CMAKE_BINARY_DIR}/${name}")
"""


def git(root, *arguments):
    subprocess.run(
        ["git", "-C", root, "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def clone(tmp_path, repository, monkeypatch):
    """A clone with this package, a core that is copied instead of compiled, and two benchmarks."""
    root = tmp_path / "clone with a space"
    (root / "benchmarks").mkdir(parents=True)
    (root / "kept").mkdir()
    shutil.copytree(
        repository / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    import ludus._core as core

    shutil.copy(core.__file__, root / "kept")
    (root / "CMakeLists.txt").write_text(CMAKE)
    (root / ".gitignore").write_text("/build/\n__pycache__/\n")
    toy = BENCHMARK.format(blocks=20_000, worth="20_000.0", names='["first", "gone"]')
    (root / "benchmarks/toy.py").write_text(toy)
    git(root, "init", "-q")
    git(root, "add", "--force", ".")
    git(root, "commit", "-q", "-m", "before")
    monkeypatch.setattr(bench, "_root", lambda: root)
    return root


def test_an_unknown_benchmark_is_refused(capsys, clone):
    code, _, err = ludus(capsys, "bench", "toy", "tyo")
    assert code == 2
    assert err == "ludus: there is no benchmark 'tyo'; there are: toy\n"


def test_json_against_itself(capsys, clone, tmp_path):
    code, out, _ = ludus(capsys, "bench", "--turns", 2, "--json")
    assert code == 0
    report = json.loads(out)
    assert [figure["name"] for figure in report["figures"]] == ["first", "gone"]
    assert [len(figure["rates"]) for figure in report["figures"]] == [2, 2]
    path = tmp_path / "before.json"
    path.write_text(out)
    code, out, _ = ludus(capsys, "bench", "toy", "--quick", "--against", path, "--json")
    assert code == 0
    assert [c["name"] for c in json.loads(out)["comparisons"]] == ["first", "gone"]


def test_a_revision_is_measured_in_alternating_turns(capsys, clone):
    """The benchmark now counts half of what it did: that must be called slower."""
    toy = BENCHMARK.format(blocks=20_000, worth="10_000.0", names='["first", "new"]')
    (clone / "benchmarks/toy.py").write_text(toy)
    (clone / "benchmarks/late.py").write_text(toy)
    code, out, err = ludus(capsys, "bench", "--against", "HEAD", "--turns", 9, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert [figure["name"] for figure in report["figures"]] == ["first", "new"]
    (first,) = report["comparisons"]
    assert (first["name"], first["together"]) == ("first", True)
    assert 0.2 < first["ratio"] < 0.9
    notes = "\n".join(report["notes"])
    assert "late: revision" in notes
    assert "toy: its file differs" in notes
    assert "new: the other revision does not measure it" in notes
    assert "gone: only the other revision measures it" in notes
    place = clone / "build/bench"
    assert not list(place.glob("tree-*"))
    assert len(list(place.glob("core-*"))) == 1
    listed = subprocess.run(
        ["git", "-C", clone, "worktree", "list"], capture_output=True, text=True, check=True
    )
    assert listed.stdout.count("\n") == 1
    code, out, err = ludus(capsys, "bench", "toy", "--against", "HEAD", "--turns", 2)
    assert code == 0, err
    assert "building revision" not in err, "its core is kept"
    assert "now over HEAD" in out


def test_a_revision_whose_benchmark_breaks_is_told_and_skipped(capsys, clone):
    path = clone / "benchmarks/toy.py"
    working = path.read_text()
    path.write_text("raise RuntimeError('no such thing here')\n")
    git(clone, "commit", "-qam", "broken")
    path.write_text(working)
    code, out, err = ludus(capsys, "bench", "--against", "HEAD", "--turns", 1, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert [figure["name"] for figure in report["figures"]] == ["first", "gone"]
    assert report["comparisons"] == []
    assert any("no such thing here" in note for note in report["notes"])


def test_a_benchmark_of_ours_that_breaks_is_an_error(capsys, clone):
    (clone / "benchmarks/toy.py").write_text("raise RuntimeError('ours')\n")
    code, out, err = ludus(capsys, "bench", "--against", "HEAD")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == "ludus: benchmark toy: RuntimeError: ours (exit code 1)"
    assert not list((clone / "build/bench").glob("tree-*"))


@pytest.mark.parametrize("revision", ["no-such-thing", "--help", "HEAD:ludus", "HEAD~99", ""])
def test_an_unknown_revision_is_one_sentence(capsys, clone, revision):
    code, out, err = ludus(capsys, "bench", "toy", f"--against={revision}")
    assert (code, out) == (2, "")
    sentence = f"ludus: --against {revision}: there is no such file and no such revision"
    assert err.split() == sentence.split()


def test_without_a_clone_there_is_no_revision(capsys, clone):
    shutil.rmtree(clone / ".git")
    code, _, err = ludus(capsys, "bench", "toy", "--against", "HEAD")
    assert code == 2
    assert "is no git clone" in err
    assert err.count("\n") == 1


def test_a_revision_that_does_not_build_names_the_log(capsys, clone):
    (clone / "CMakeLists.txt").write_text("project(broken LANGUAGES NONE)\nmessage(FATAL_ERROR no)")
    git(clone, "commit", "-qam", "broken")
    code, out, err = ludus(capsys, "bench", "toy", "--against", "HEAD")
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert "does not build here; the log is " in last
    (log,) = (clone / "build/bench").glob("*.log")
    assert str(log) in last
    assert "no" in log.read_text()
    assert not list((clone / "build/bench").glob("tree-*"))


def test_what_a_killed_comparison_left_is_swept(capsys, clone):
    left = clone / "build/bench/tree-000000000000-x"
    git(clone, "worktree", "add", "--detach", str(left), "HEAD")
    code, _, err = ludus(capsys, "bench", "toy", "--against", "HEAD", "--turns", 1)
    assert code == 0, err
    assert not left.exists()


def test_two_comparisons_at_once_are_refused(clone):
    from ludus.measure.revision import checked_out, find_commit

    commit = find_commit(clone, "HEAD")
    with (
        checked_out(clone, commit, lambda text: None),
        pytest.raises(UserError, match="another ludus bench --against"),
        checked_out(clone, commit, lambda text: None),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("rules", 1),
        ("perft", 1),
        ("micro", 10),
        ("games", 2),
        pytest.param("checkpoint", 4, marks=pytest.mark.slow),
    ],
)
def test_benchmarks_of_the_house_measure_something(repository, name, figures):
    """In a process of its own, as short as it can be."""
    before = set((repository / "build").glob("bench-*"))  # of somebody who was killed
    done = subprocess.run(
        command("bench", name, "--quick", "--turns", "1", "--json"),
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["figures"]
    assert len(found) >= figures
    assert all(figure["median"] > 0 and figure["calibration"][0] > 0 for figure in found)
    left = set((repository / "build").glob("bench-*")) - before
    assert not left, "what a benchmark wrote is removed"


def test_a_peer_that_the_environment_names_is_measured_too(tmp_path, monkeypatch):
    """The stand-in prints rows as Edax does: ply, leaves, and more that does not matter."""
    peer = tmp_path / "edax"
    peer.write_text(
        f"#!{sys.executable}\n"
        "for line in iter(input, 'quit'):\n"
        "    print('  ply    moves   passes', '-' * 40, sep='\\n')\n"
        "    for ply in range(1, int(line.split()[1]) + 1):\n"
        "        print(f'  {ply:2}, {10**ply:15}, 0, 0:00.001, 4.9 MN/s', flush=True)\n"
    )
    peer.chmod(0o755)
    monkeypatch.setenv("LUDUS_PEER_EDAX", str(peer))
    benchmark = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "perft.py"))
    with turns(1):
        alone, beside = benchmark["measure"](quick=True)
    assert (alone.against, beside.against) == ("the walk over the interface", "Edax")
    assert beside.verdict in ("met", "missed")
    with benchmark["edax"]() as running:
        assert running.count(3) == 1110
