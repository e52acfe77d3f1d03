"""Profiles: stacks, flame graphs, phases, and the command on a tiny run."""

import json
import re
import shutil
import threading
import time
from xml.etree import ElementTree

import pytest
from tests.training.tiny import SETTINGS

from ludus.cli import main as cli
from ludus.measure.flame import flame_graph, kind_of
from ludus.measure.native import NativeSampler, fold
from ludus.measure.profiling import _phases
from ludus.measure.stacks import WAITING, Sampler, spread, without_waits, write_folded
from ludus.players import PhaseSeconds

SVG = "{http://www.w3.org/2000/svg}"


def ludus(capsys, *arguments):
    """Exit code, stdout, stderr."""
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


# -- stacks ----------------------------------------------------------------------------------------


def busy_inner(until):
    while not until.is_set():
        sum(range(1000))


def busy_outer(until):
    busy_inner(until)


def test_the_sampler_sees_who_called_whom_and_who_waits():
    until = threading.Event()
    threads = [
        threading.Thread(target=busy_outer, args=(until,), name="busy"),
        threading.Thread(target=until.wait, name="lane-7"),
        threading.Thread(target=until.wait, name="other"),
    ]
    for thread in threads:
        thread.start()
    sampler = Sampler(500.0)
    sampler.start()
    end = time.monotonic() + 20
    while sampler.samples < 20 and time.monotonic() < end:
        time.sleep(0.01)
    found = sampler.stop()
    until.set()
    for thread in threads:
        thread.join()
    assert sampler.samples >= 20
    assert sampler.cost < sampler.seconds
    module = __name__
    inside = [stack for stack in found if stack[0] == "busy"]
    assert all(stack[1:3] == (f"{module}:busy_outer", f"{module}:busy_inner") for stack in inside)
    weight = sum(found[stack] for stack in inside)
    assert weight == pytest.approx(1e6 * sampler.seconds, rel=0.5), "a sample is as long as it took"
    assert found[("lane-7", WAITING)] > 0
    assert ("other", WAITING) in found
    kept = without_waits(found, "lane-")
    assert ("lane-7", WAITING) in kept
    assert ("other", WAITING) not in kept


def test_frames_outside_of_a_name_are_left_out():
    until = threading.Event()
    thread = threading.Thread(target=busy_outer, args=(until,), name="busy")
    thread.start()
    sampler = Sampler(500.0, below=f"{__name__}:busy_outer")
    sampler.start()
    end = time.monotonic() + 20
    while sampler.samples < 3 and time.monotonic() < end:
        time.sleep(0.01)
    found = sampler.stop()
    until.set()
    thread.join()
    assert {stack[:2] for stack in found if stack[0] == "busy"} == {
        ("busy", f"{__name__}:busy_inner")
    }


def test_compiled_code_is_split_by_its_counters_and_nothing_is_lost():
    folded = {("lane", "a:b"): 1001, ("lane", "a:b", "c:d"): 500, ("main", "x:y"): 7}
    found = spread(
        folded, ("a:b", "q:r"), {"tree (core)": 3.0, "encode (core)": 1.0, "idle (core)": 0.0}
    )
    assert found == {
        ("lane", "a:b", "tree (core)"): 751,
        ("lane", "a:b", "encode (core)"): 250,
        ("lane", "a:b", "c:d"): 500,
        ("main", "x:y"): 7,
    }
    assert spread(folded, ("a:b", "q:r"), {"tree (core)": 0.0}) == folded


def test_folded_files_are_what_other_viewers_read(tmp_path):
    path = tmp_path / "a.folded"
    write_folded(path, {("a", "b;c"): 3, ("a",): 1})
    assert path.read_text() == "a 1\na;b,c 3\n"


# -- the picture -----------------------------------------------------------------------------------


def bars(svg):
    """(x, y, width, title) of every bar."""
    found = []
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        shape, title = group.find(f"{SVG}rect"), group.find(f"{SVG}title")
        found.append((*(float(shape.get(k)) for k in ("x", "y", "width")), title.text))
    return found


def test_a_bar_is_as_wide_as_its_share_and_stands_on_its_caller():
    folded = {("t", "a:f"): 250_000, ("t", "a:f", "b:<g> & h"): 750_000, ("u",): 1_000_000}
    svg = flame_graph(folded, title="A < B & C", subtitle="x")
    found = bars(svg)

    def bar(name):
        return next(bar for bar in found if bar[3].startswith(name + ": "))

    t, f, g, u = (bar(name) for name in ("t", "a:f", "b:<g> & h", "u"))
    assert t[2] == pytest.approx(590, abs=1)
    assert f[2] == pytest.approx(590, abs=1)
    assert g[2] == pytest.approx(442.5, abs=1)
    assert t[1] == u[1] > f[1] > g[1], "callers below"
    assert {t[0], u[0]} == {10.0, 600.0}
    assert f[0] == t[0] == g[0]
    assert any(title.endswith("0.750 s, 37.5%") for *_, title in found)


def test_the_picture_is_one_file_that_runs_and_fetches_nothing():
    svg = flame_graph({("lanes", "ludus.players:x", "tree (core)"): 5}, title="t")
    assert not re.search(r"<script|href|url\(|on[a-z]+=|<style|@import", svg)
    assert svg.count("http") == 1, "the name space is the only address"
    assert flame_graph({}, title="nothing").endswith("</svg>\n")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tree (core)", "compiled"),
        ("ludus::Tree::select", "compiled"),
        ("ludus.evaluators.network:NetworkEvaluator.evaluate", "network"),
        ("torch.nn.functional:linear", "network"),
        ("mkl_blas_avx512_sgemm_kernel", "network"),
        ("ludus.players.lanes:Lanes._turn", "ludus"),
        ("numpy:take", "other"),
        (WAITING, "waiting"),
    ],
)
def test_colours_tell_what_it_is(name, kind):
    assert kind_of(name) == kind


# -- native stacks ---------------------------------------------------------------------------------

PERF = """python 77
\t           1a2b ludus::Tree::select(int, std::vector<int, A<int> >&) (/x/_core.so)
\t           1a2c ludus::(anonymous namespace)::fill<G<2> >(ludus::Slots&) (/x/_core.so)
\t           1a2d _PyEval_EvalFrameDefault (/usr/lib/libpython3.11.so.1.0)
\t           1a2e _PyEval_Vector (/usr/lib/libpython3.11.so.1.0)
\t           1a2f [unknown] (/usr/lib/libc.so.6)

python 78
\t           1a2b sgemm_kernel+0x10 (/x/libmkl.so)

"""


def test_output_of_perf_is_folded_with_names_that_people_read():
    found = fold(PERF)
    assert set(found) == {
        ("[libc.so.6]", "(Python)", "ludus::fill", "ludus::Tree::select"),
        ("sgemm_kernel",),
    }
    assert set(found.values()) == {round(1e6 / 199)}
    assert fold("") == {}


def test_without_perf_there_is_a_reason(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    sampler = NativeSampler()
    sampler.start()
    assert sampler.stop() is None
    assert sampler.refused == "perf is not installed"


# -- phases and the command ------------------------------------------------------------------------


def test_what_is_left_of_the_lanes_time_is_idle():
    spent = PhaseSeconds()
    name = next(iter(vars(spent)))
    setattr(spent, name, 3.0)
    phases = _phases(spent, 10.0)
    assert phases[name] == 3.0
    assert phases["idle"] == pytest.approx(10.0 - 3.0)
    assert sum(phases.values()) == pytest.approx(10.0)
    assert not {"turns", "rows"} & set(phases), "counts are no phases"


@pytest.fixture
def tiny():
    return [part for text in SETTINGS for part in ("--set", text)]


@pytest.mark.slow
def test_a_profile_of_self_play(capsys, tmp_path, tiny):
    code, out, err = ludus(
        capsys, *("profile", "selfplay", "yatzy", "--seconds", 2, "--out", tmp_path / "p"), *tiny
    )
    assert code == 0, err
    report = json.loads((tmp_path / "p/profile.json").read_text())
    shares = {phase["name"]: phase["share"] for phase in report["phases"]}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["idle"] < 1.0
    assert report["rates"]["leaves_per_second"] > 0
    for name in shares:
        assert re.search(rf"^{name} ", out, re.M)
    folded = (tmp_path / "p/flame.folded").read_text()
    assert re.search(r"^lanes;.*;ludus\.players\.\w+:[\w.]+;\w+ \(core\) \d+$", folded, re.M)
    assert "ludus.cli" not in folded, "what started the profile is no part of it"
    assert bars((tmp_path / "p/flame.svg").read_text())
    native = (tmp_path / "p/native.svg").exists()
    assert native != ("no native stacks: " in err)


def test_a_profile_of_training(capsys, tmp_path, tiny):
    arguments = ("profile", "train", "yatzy", "--seconds", 1, "--out", tmp_path, "--no-native")
    code, out, err = ludus(capsys, *arguments, *tiny, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report == json.loads((tmp_path / "profile.json").read_text())
    seconds = {phase["name"]: phase["seconds"] for phase in report["phases"]}
    assert seconds["step"] > 0
    assert seconds["rows"] > 0
    assert sum(seconds.values()) == pytest.approx(report["seconds"])
    assert "addmm" in (tmp_path / "torch-table.txt").read_text()
    assert json.loads((tmp_path / "torch-trace.json").read_bytes())["traceEvents"]
    assert "AlphaZeroLearner.step" in (tmp_path / "flame.folded").read_text()
    assert not (tmp_path / "native.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["selfplay", "yatsy"], "did you mean yatzy"),
        (["selfplay", "yatzy", "--set", "search.c_pukt=1"], "did you mean search.c_puct"),
        (["train", "yatzy", "--seconds", "0"], "--seconds"),
        (["train", "yatzy", "--quick", "--preset", "default"], "--quick"),
        (["selfplay", "yatzy", "--out", "/dev/null/x"], "--out /dev/null/x: "),
    ],
)
def test_a_mistake_is_one_sentence(capsys, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = ludus(capsys, "profile", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("ludus: ")
    assert err.count("\n") == 1
    assert words in err
