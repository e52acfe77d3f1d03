"""The view: a pure function of the directory that never raises, re-reads or grows."""

import json
import os
import resource
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.monitor.conftest import at_work, doctor

from ludus.monitor import logs
from ludus.monitor.phases import iteration_number, phase_bars, run_share
from ludus.monitor.series import MOST_POINTS
from ludus.monitor.view import MOST_EVENTS, STALE_SECONDS, RunReader
from ludus.runs import RunLock


@pytest.fixture
def held(run: Path):
    """The run while this process has its lock."""
    lock = RunLock.acquire(run)
    yield run
    lock.release()


def test_a_finished_run(finished_run: Path) -> None:
    view = RunReader(finished_run).look()
    assert view.problem is None
    assert view.state == "done"
    assert not view.alive and not view.stale and not view.torn and not view.remote
    assert [entry["iteration"] for entry in view.iterations] == [0, 1]
    assert view.events[0]["event"] == "run_created"
    assert view.events[-1]["event"] in ("ended", "commit")
    assert list(view.curves["selfplay_iter.mean_score"].x) == [0.0, 1.0]
    assert view.curves["evaluation.win_rate.random"].y
    assert view.settings["search.budget"] == 2
    assert view.settings["selfplay.temperature.kind"] == "constant"
    assert view.figures["games"] == 144
    assert view.bad_lines == 0
    assert iteration_number(view) == 2  # of 2, as people count
    assert phase_bars(view) == []


def test_looking_changes_nothing(finished_run: Path) -> None:
    def stamps() -> dict[str, tuple[int, int]]:
        found = sorted(finished_run.rglob("*"))
        return {str(one): (one.stat().st_mtime_ns, one.stat().st_size) for one in found}

    before = stamps()
    reader = RunReader(finished_run)
    first, second = reader.look(), reader.look()
    assert stamps() == before
    assert replace(first, taken=0, status_age=0) == replace(second, taken=0, status_age=0)


def test_nothing_is_read_twice(finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = RunReader(finished_run)
    reader.look()
    for name in ("describe_run", "read_status", "read_summary", "read_settings"):
        monkeypatch.setattr(
            f"ludus.monitor.view.{name}", lambda *_, name=name: pytest.fail(f"{name} again")
        )
    assert reader.look().state == "done"


def test_a_trainer_at_work(held: Path) -> None:
    at_work(held, os.getpid())
    view = RunReader(held).look()
    assert (view.state, view.alive, view.stale) == ("training", True, False)
    assert iteration_number(view) == 2
    assert run_share(view) == 0.5
    selfplay, train, gate, evaluate = phase_bars(view)
    assert (selfplay.state, selfplay.share, selfplay.done) == ("done", 1.0, 72)
    assert (train.state, train.done, train.total, train.unit) == ("now", 3, 8, "steps")
    assert train.share == 3 / 8
    assert (gate.state, gate.share) == ("next", 0.0)
    assert evaluate.state == "next"


def test_paused_by_a_guard_and_by_the_user(held: Path) -> None:
    doctor(held, state="paused", reason="no space", pid=os.getpid())
    reader = RunReader(held)
    view = reader.look()
    assert (view.state, view.alive) == ("paused", True)


def test_a_process_that_has_not_spoken_yet_is_starting(held: Path) -> None:
    doctor(held, state="paused", reason="asked to pause", pid=1, ts_ms=1000)
    view = RunReader(held).look()
    assert (view.state, view.alive, view.stale) == ("starting", True, False)


def test_a_trainer_that_is_gone_is_dead(run: Path) -> None:
    at_work(run, 4242)
    view = RunReader(run).look()
    assert (view.state, view.alive, view.stale) == ("dead", False, False)


def test_an_old_status_of_a_process_that_is_there(held: Path) -> None:
    at_work(held, os.getpid(), ts_ms=int((time.time() - 180) * 1000))
    view = RunReader(held).look()
    assert (view.state, view.stale) == ("training", True)
    assert view.status_age == pytest.approx(180, abs=5)
    assert view.aged(view.taken + 60).status_age == pytest.approx(240, abs=5)


def test_a_trainer_on_another_machine_is_seen_by_its_status(run: Path) -> None:
    lock = {"pid": 7, "host": "elsewhere.example", "started": "2026-11-21T00:00:00Z"}
    (run / "run.lock").write_text(json.dumps(lock))
    at_work(run, 7)
    reader = RunReader(run)
    view = reader.look()
    assert (view.remote, view.alive, view.state) == (True, True, "training")
    at_work(run, 7, ts_ms=int((time.time() - 3600) * 1000), number=1000)
    assert reader.look().state == "training", "it moved before our eyes: clocks may differ"
    old = RunReader(run).look()
    assert old.state == "dead"
    assert old.status_age is not None and old.status_age > STALE_SECONDS


@pytest.mark.parametrize("torn", [b"", b'{"state": "trai', b"\x00" * 100, b"[1]", b"\xff\xfe"])
def test_a_torn_status_leaves_the_last_good_one(run: Path, torn: bytes) -> None:
    reader = RunReader(run)
    before = reader.look()
    (run / "status.json").write_bytes(torn)
    view = reader.look()
    assert view.torn and view.status == before.status and view.state == "done"
    fresh = RunReader(run).look()
    assert fresh.torn and fresh.status == {} and fresh.state == "unknown"
    doctor_source = dict(before.status)
    (run / "status.json").write_text(json.dumps(doctor_source))
    assert not reader.look().torn


def test_missing_files(run: Path) -> None:
    for name in ("status.json", "run.json", "config.resolved.yaml", "logs/metrics.ndjson"):
        (run / name).unlink()
    view = RunReader(run).look()
    assert view.problem is None and view.state == "unknown"
    assert view.status == {} and view.iterations == [] and view.curves == {}
    assert view.settings == {}
    assert view.summary is not None and view.summary.recipe == "yatzy"


def test_no_run_yet_and_then_one(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "later"
    reader = RunReader(place)
    view = reader.look()
    assert view.summary is None and view.state == "unknown"
    assert view.problem is not None and str(place) in view.problem
    run.rename(place)
    assert reader.look().state == "done"


def test_a_newer_version_is_said(run: Path) -> None:
    doctor(run, protocol_version=99)
    view = RunReader(run).look()
    assert view.problem is not None and "newer version" in view.problem
    assert view.state == "done"
    for one in (run / "manifests").iterdir():
        document = json.loads(one.read_text())
        document["format_version"] = 99
        one.write_text(json.dumps(document))
    broken = RunReader(run).look()
    assert broken.summary is not None and broken.problem is not None


def test_documents_of_any_shape_are_no_error(run: Path) -> None:
    odd = {"figures": [1], "guards": 3, "alerts": "x", "rating": 1, "phase": 7, "iteration": "a"}
    doctor(run, **odd, progress=None, counters=[], commit=5)
    (run / "run.json").write_text('{"iterations": [1, null, {"iteration": "x"}], "progress": 2}')
    view = RunReader(run).look()
    assert view.figures == {} and view.iterations == [{"iteration": "x"}]
    assert iteration_number(view) is None and run_share(view) is None
    phase_bars(view)


def test_logs_are_read_on_and_a_cut_is_noticed(run: Path) -> None:
    path = run / "logs" / "metrics.ndjson"
    reader = RunReader(run)
    before = len(reader.look().curves["train_step.loss_total"])
    size = path.stat().st_size
    with open(path, "a") as file:
        file.write('{"event": "train_step", "step": 900, "loss_total": 1.5}\n{"event": "tra')
    view = reader.look()
    curve = view.curves["train_step.loss_total"]
    assert (len(curve), curve.y[-1], view.bad_lines) == (before + 1, 1.5, 0)
    os.truncate(path, size)
    assert len(reader.look().curves["train_step.loss_total"]) == before
    assert len(curve) == before + 1, "a view that was given out never changes"
    os.truncate(path, 0)
    assert reader.look().curves == {}


def test_damaged_lines_are_counted(run: Path) -> None:
    with open(run / "logs" / "events.ndjson", "ab") as file:
        file.write(b"\x00\x00garbage\n[1, 2]\n")
    assert RunReader(run).look().bad_lines == 2


def _long_logs(run: Path, lines: int) -> None:
    with open(run / "logs" / "metrics.ndjson", "w") as file:
        for step in range(lines):
            file.write(f'{{"event": "train_step", "step": {step}, "loss_total": {step / lines}}}\n')
    with open(run / "logs" / "events.ndjson", "w") as file:
        for step in range(lines):
            file.write(f'{{"event": "commit", "ts_ms": {step}, "sequence": {step}}}\n')


def test_long_logs_are_read_in_slices_and_stay_small(run: Path) -> None:
    _long_logs(run, 60_000)
    reader = RunReader(run, budget=0.005)
    begin = time.perf_counter()
    view = reader.look()
    assert time.perf_counter() - begin < 3.0
    assert 0.0 < view.read < 1.0, "the newest events are there at once, the curves grow"
    assert len(view.events) == MOST_EVENTS and view.events[-1]["sequence"] == 59_999
    looks = 0
    while view.read < 1.0:
        view, looks = reader.look(), looks + 1
        assert looks < 10_000
    curve = view.curves["train_step.loss_total"]
    assert len(curve) < MOST_POINTS
    assert curve.y[0] < 0.01 and curve.y[-1] > 0.99
    assert curve.y == sorted(curve.y)
    whole = RunReader(run).look()
    assert whole.curves["train_step.loss_total"].y == curve.y


@pytest.mark.slow
def test_a_million_lines_are_bounded(run: Path) -> None:
    _long_logs(run, 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    view = RunReader(run).look()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024, f"{grown} kB more for logs of a million lines"
    assert len(view.events) == MOST_EVENTS
    assert len(view.curves["train_step.loss_total"]) < MOST_POINTS


def test_the_number_of_curves_is_bounded(run: Path) -> None:
    with open(run / "logs" / "metrics.ndjson", "w") as file:
        fields = ", ".join(f'"figure_{index}": 1.0' for index in range(1000))
        file.write(f'{{"event": "health", "iteration": 0, {fields}}}\n')
    assert len(RunReader(run).look().curves) == logs._MOST_CURVES
