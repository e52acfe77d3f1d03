"""TensorBoard: the event files say exactly what the log says, whatever happens in between."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from ludus.cli.main import main
from ludus.monitor.exporters.base import make_sink, scalars
from ludus.monitor.exporters.feed import Feed
from ludus.runs import read_ndjson, read_status

pytest.importorskip("tensorboard")


def poll(run: Path, to: Path) -> Feed:
    with Feed(run, make_sink("tensorboard", to), "tensorboard", to) as feed:
        feed.poll()
    return feed


def read_back(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every point of every tag, by TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def expected(run: Path) -> dict[str, list[tuple[int, float]]]:
    points: dict[str, list[tuple[int, float]]] = {}
    for record in read_ndjson(run / "logs" / "metrics.ndjson")[0]:
        for name, value in scalars(record):
            points.setdefault(name, []).append((record["step"], value))
    return points


def same(found: dict[str, list[tuple[int, float]]], wanted: dict[str, list[tuple[int, float]]]):
    assert found.keys() == wanted.keys()
    for tag, points in wanted.items():
        assert [step for step, _ in found[tag]] == [step for step, _ in points], tag
        # Event files hold 32 bits.
        assert [value for _, value in found[tag]] == pytest.approx(
            [value for _, value in points], rel=1e-6
        ), tag


def test_values_are_those_of_the_log(run: Path, tmp_path: Path) -> None:
    poll(run, tmp_path / "tb")
    found = read_back(tmp_path / "tb" / "records")
    same(found, expected(run))
    assert len(found["train_step/loss_total"]) >= 1
    figures = read_back(tmp_path / "tb" / "figures")
    status = read_status(run)
    assert status is not None
    known = {name: value for name, value in status["figures"].items() if value is not None}
    assert {tag.removeprefix("figures/") for tag in figures} == set(known)
    assert figures["figures/games"][0][1] == known["games"]


def test_a_second_sync_sends_nothing_twice(run: Path, tmp_path: Path, lines: Callable) -> None:
    log = run / "logs" / "metrics.ndjson"
    whole = lines()
    log.write_bytes(b"".join(whole[:3]) + whole[3][:10])  # a torn line is being written
    assert poll(run, tmp_path / "tb").sent == 3
    log.write_bytes(b"".join(whole))
    assert poll(run, tmp_path / "tb").sent == len(whole) - 3
    assert poll(run, tmp_path / "tb").sent == 0
    same(read_back(tmp_path / "tb" / "records"), expected(run))
    assert all(len(points) == 1 for points in read_back(tmp_path / "tb" / "figures").values())


def test_a_sync_that_died_leaves_no_duplicates(run: Path, tmp_path: Path, lines: Callable) -> None:
    """Its records are in the file, but the cursor does not know: they are cut and sent again."""
    log, to = run / "logs" / "metrics.ndjson", tmp_path / "tb"
    whole = lines()
    log.write_bytes(b"".join(whole[:4]))
    poll(run, to)
    before = (to / "ludus-cursor.json").read_bytes()
    log.write_bytes(b"".join(whole))
    poll(run, to)
    (to / "ludus-cursor.json").write_bytes(before)
    with open(next((to / "records").iterdir()), "ab") as file:
        file.write(b"torn")
    poll(run, to)
    same(read_back(to / "records"), expected(run))


@pytest.mark.parametrize("live", [True, False])
def test_a_run_that_was_cut_back(run: Path, tmp_path: Path, lines: Callable, live: bool) -> None:
    """A resume cuts what was not committed and does it anew, with other times and values."""
    log, to = run / "logs" / "metrics.ndjson", tmp_path / "tb"
    whole = lines()
    keep = len(whole) - 4

    def again() -> None:
        with open(log, "r+b") as file:
            file.truncate(sum(len(line) for line in whole[:keep]))
            file.seek(0, 2)
            for line in whole[keep:]:
                record = json.loads(line)
                record["ts_ms"] += 60_000
                record["added"] = 1.5
                file.write(json.dumps(record).encode() + b"\n")

    if live:
        with Feed(run, make_sink("tensorboard", to), "tensorboard", to) as feed:
            feed.poll()
            again()
            feed.poll()
    else:
        poll(run, to)
        again()
        feed = poll(run, to)
    assert feed.rewinds == 1
    same(read_back(to / "records"), expected(run))


def test_a_lost_output_is_written_again(run: Path, tmp_path: Path) -> None:
    to = tmp_path / "tb"
    poll(run, to)
    next((to / "records").iterdir()).unlink()
    poll(run, to)
    same(read_back(to / "records"), expected(run))


def test_hostile_names_and_numbers(run: Path, tmp_path: Path) -> None:
    with open(run / "logs" / "metrics.ndjson", "a") as file:
        record = {
            "event": "../a b\n",
            "step": 7,
            "x/../y\x1b[0m": 1.5,
            "é" * 500: 2,
            "big": 10**400,
        }
        file.write(json.dumps(record) + "\n[1]\nno json\n")
    assert poll(run, tmp_path / "tb").sent > 1
    found = read_back(tmp_path / "tb" / "records")
    names = [tag for tag in found if tag.startswith(".._a_b_/")]
    assert sorted(names) == [".._a_b_/" + "_" * 100, ".._a_b_/x_.._y__0m"]
    assert all(math.isfinite(value) for points in found.values() for _, value in points)


def test_the_command(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture, lines: Callable
) -> None:
    assert main(["sync", "tensorboard", str(run)]) == 0
    assert f"{len(lines())} new records" in capsys.readouterr().out
    assert main(["sync", "tensorboard", str(run), "--follow"]) == 0  # nobody trains: it ends
    assert "0 new records" in capsys.readouterr().out
    same(read_back(run / "reports" / "tensorboard" / "records"), expected(run))

    assert main(["sync", "tensorboard", str(run), "--artifacts"]) == 2
    assert "takes no checkpoints" in capsys.readouterr().err
    assert main(["sync", "fax", str(run)]) == 2
    assert "sinks: tensorboard, wandb, braintrust" in capsys.readouterr().err


def test_a_folder_belongs_to_one_run_and_one_writer(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    to = tmp_path / "tb"
    with Feed(run, make_sink("tensorboard", to), "tensorboard", to) as feed:
        feed.poll()
        assert main(["sync", "tensorboard", str(run), "--to", str(to)]) == 2
        assert "another ludus writes" in capsys.readouterr().err
    cursor = to / "ludus-cursor.json"
    cursor.write_text(cursor.read_text().replace('"run_id": "', '"run_id": "other-'))
    assert main(["sync", "tensorboard", str(run), "--to", str(to)]) == 2
    assert "name another folder" in capsys.readouterr().err
    cursor.write_text("{")
    assert main(["sync", "tensorboard", str(run), "--to", str(to)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_missing_library_is_one_sentence(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    assert main(["sync", "tensorboard", str(run)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "./ludus setup tensorboard" in error
