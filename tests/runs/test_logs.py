"""Logs: the envelope, monotonic steps, and healing of every torn tail."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runs.helpers import SCHEMA, FaultyOs, commit, new_run

from ludus.runs import NdjsonReader, Run, SaveError, read_ndjson
from ludus.runs.logs import RunLogs


def steps(path: Path, event: str) -> list[int]:
    return [record["step"] for record in read_ndjson(path)[0] if record["event"] == event]


def test_envelope(run: Run) -> None:
    run.metrics.append("train_step", step=4, loss=np.float32(0.5), shape=np.array([1, 2]))
    run.metrics.append("oracle_eval", mean=245.1, best=float("nan"), policy_id="best")
    records, bad = read_ndjson(run.path / "logs/metrics.ndjson")
    assert bad == 0
    assert [record["event"] for record in records] == ["run_created", "train_step", "oracle_eval"]
    for record in records:
        assert record["run_id"] == run.id
        assert record["v"] == SCHEMA.envelope()
        assert record["config_hash"] == run.manifest.config_hash
        assert "git_hash" in record
        assert record["ts_ms"] > 1_700_000_000_000
        assert isinstance(record["step"], int)
    assert records[1]["step"] == 4
    assert records[1]["loss"] == 0.5
    assert records[1]["shape"] == [1, 2]
    assert records[2]["best"] is None  # JSON has no NaN


def test_steps_never_go_back_also_after_a_resume(run: Run) -> None:
    run.metrics.append("train_step", step=5)
    run.metrics.append("train_step", step=5)
    with pytest.raises(ValueError, match="step 4 of train_step in metrics comes after step 5"):
        run.metrics.append("train_step", step=4)
    run.metrics.append("gate", step=1)  # a clock of its own
    run.metrics.append("gate_detail", step=0, stream="detail")
    run.metrics.append("plain")
    run.metrics.append("plain")
    run.commit({"number": 0}, {})
    run.close()
    with Run.open(run.path, write=True) as again:
        with pytest.raises(ValueError, match="comes after step 5"):
            again.metrics.append("train_step", step=4)
        again.metrics.append("plain")
    assert steps(run.path / "logs/metrics.ndjson", "plain") == [0, 1, 2]


@pytest.mark.parametrize("event", ["", "Train", "a b", "a\n", "1a"])
def test_bad_names_are_refused(run: Run, event: str) -> None:
    with pytest.raises(ValueError, match="no name for an event"):
        run.metrics.append(event)
    with pytest.raises(ValueError, match="belongs to the envelope"):
        run.metrics.append("ok", run_id="other")
    with pytest.raises(ValueError, match="no name for a log"):
        run.log("../x")


def test_text_cannot_break_a_line(run: Run) -> None:
    nasty = "a\nb\r\u2028\u0000\x1b[31m</script>\ud7ff"
    run.events.append("note", text=nasty)
    records, bad = read_ndjson(run.path / "logs/events.ndjson")
    assert bad == 0
    assert records[-1]["text"] == nasty


def test_records_beyond_the_commit_are_cut_into_quarantine(run: Run) -> None:
    commit(run, 0)
    run.metrics.append("train_step", step=9)
    run.log("roots").append("root", step=1)
    run.close()
    with Run.open(run.path, write=True) as again:
        assert steps(run.path / "logs/metrics.ndjson", "train_step") == [0]
        assert steps(run.path / "logs/roots.ndjson", "root") == []
        tail = run.path / f"quarantine/metrics.ndjson.tail-{again.incarnation}"
        assert [json.loads(line)["step"] for line in tail.read_bytes().splitlines()] == [9]
        records, _ = read_ndjson(run.path / "logs/metrics.ndjson")
        assert records[-1]["event"] == "resume"
        assert records[-1]["incarnation"] == again.incarnation
        assert records[-1]["manifest"] == 2
        assert records[-1]["cut_bytes"] == tail.stat().st_size
        commit(again, 1)
        assert steps(run.path / "logs/metrics.ndjson", "train_step") == [0, 1]


def test_a_clean_stop_leaves_nothing_to_cut(run: Run) -> None:
    commit(run, 0)
    run.close()
    Run.open(run.path, write=True).close()
    assert not list((run.path / "quarantine").iterdir())


def heal(run: Run, number: int) -> tuple[RunLogs, list[str]]:
    """What opening a run does to its logs, without the rest."""
    logs = RunLogs(run.path, envelope={"run_id": run.id})
    return logs, logs.heal(run.manifest, incarnation=f"heal{number}", event="resume")


def test_every_torn_tail_is_healed(run: Run) -> None:
    commit(run, 0)
    log = run.path / "logs/metrics.ndjson"
    committed = log.read_bytes()
    run.metrics.append("train_step", step=1, text="ünï")
    tail = log.read_bytes()[len(committed) :]
    tails = [tail[:size] for size in range(len(tail) + 1)]
    tails += [b"\0" * 7, b"\0" * 4096, tail[:20] + b"\n\n", b"\n", tail + b"{"]
    for number, torn in enumerate(tails):
        log.write_bytes(committed + torn)
        logs, notices = heal(run, number)
        assert notices == []
        logs.get("metrics").append("train_step", step=1)
        logs.close()
        records, bad = read_ndjson(log)
        assert bad == 0
        names = [record["event"] for record in records]
        assert names == ["run_created", "train_step", "resume", "train_step"]
        kept = run.path / f"quarantine/metrics.ndjson.tail-heal{number}"
        assert (kept.read_bytes() if torn else b"") == torn


def test_every_cut_of_committed_records_is_told(run: Run) -> None:
    commit(run, 0)
    commit(run, 1)
    log = run.path / "logs/metrics.ndjson"
    whole = log.read_bytes()
    for size in range(len(whole)):
        log.write_bytes(whole[:size])
        logs, notices = heal(run, size)
        assert len(notices) == 1
        assert "records were lost" in notices[0]
        logs.get("metrics").append("train_step", step=2)
        logs.close()
        records, bad = read_ndjson(log)
        assert bad == 0
        assert records[-1]["step"] == 2
        assert len(records) == whole[:size].count(b"\n") + 2


def test_a_failed_write_leaves_the_log_whole(
    run: Run, faulty_os: Callable[..., FaultyOs], monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = faulty_os(0)
    real = faulty.write
    calls: list[int] = []

    def half(descriptor: int, data: Any) -> int:
        calls.append(len(data))
        if len(calls) == 1:
            return int(real(descriptor, bytes(data)[:10]))
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(faulty, "write", half, raising=False)
    with pytest.raises(SaveError, match="could not write"):
        run.metrics.append("train_step", step=1)
    calls.clear()
    assert not run.metrics.append_if_possible("train_step", step=1)
    faulty_os(0)
    run.metrics.append("train_step", step=1)
    records, bad = read_ndjson(run.path / "logs/metrics.ndjson")
    assert bad == 0
    assert [record["event"] for record in records] == ["run_created", "train_step"]


@pytest.mark.parametrize("more", [0, 1, 5])
def test_a_line_without_end_is_passed_over(tmp_path: Path, more: int) -> None:
    path, longest = tmp_path / "events.ndjson", 4 << 20
    with path.open("wb") as file:
        file.write(b'{"a":1}\n' + b"x" * (longest - 1) + b"y" * more)
    reader = NdjsonReader(path)
    assert [list(reader.poll()), list(reader.poll())] == [[{"a": 1}], []]  # it may still be written
    with path.open("ab") as file:
        file.write(b'\n{"a":2}\n')
    assert (list(reader.poll()), reader.bad) == ([{"a": 2}], 1)
    assert reader.offset == path.stat().st_size


def test_a_file_that_seems_to_have_no_end_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"a":1}\n')
    os.truncate(path, 1 << 40)  # zeros that the disk does not hold
    reader = NdjsonReader(path)
    assert [list(reader.poll()), list(reader.poll())] == [[{"a": 1}], []]
    assert (reader.offset, reader.bad) == (8, 0)


def test_readers_skip_and_count_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    bad_lines = b"not json\n[1]\n\xff\xfe\n\n\0\0\n" + b"[" * 5000 + b"\n"
    path.write_bytes(b'{"a": 1}\n' + bad_lines + b'{"a": 2}\n{"a"')
    records, bad = read_ndjson(path)
    assert records == [{"a": 1}, {"a": 2}]
    assert bad == 6
    assert read_ndjson(tmp_path / "absent") == ([], 0)


def test_reader_follows_a_growing_log(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    reader = NdjsonReader(path)
    assert list(reader.poll()) == []
    line = b'{"a": "\xc3\xbc"}\n'
    got = []
    for size in range(1, 3 * len(line) + 1):  # torn at every byte, never read twice
        path.write_bytes((line * 3)[:size])
        got += list(reader.poll())
        assert len(got) == size // len(line)
    assert reader.bad == 0
    assert reader.restarts == 0
    path.write_bytes(line)
    assert len(list(reader.poll())) == 1
    assert reader.restarts == 1
    path.write_bytes(b'{"a": "another record, longer"}\n')  # cut, and grown beyond since
    assert len(list(reader.poll())) == 1
    assert reader.restarts == 2
    assert reader.bad == 0


def test_many_records_are_cheap(tmp_path: Path) -> None:
    with new_run(tmp_path / "run") as run:
        for number in range(2000):
            run.metrics.append("train_step", step=number, loss=0.1)
        assert run.metrics.lines == 2001


def test_lines_of_a_failed_flush_are_written_again(
    run: Run, faulty_os: Callable[..., FaultyOs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel drops what it could not write, and the next flush would say success."""
    commit(run, 0)
    run.metrics.append("note", text="precious")
    path = run.path / "logs/metrics.ndjson"
    before = path.read_bytes()
    faulty = faulty_os(1, errno.ENOSPC, only=("fsync",))
    with pytest.raises(SaveError, match="could not flush"):
        run.metrics.sync()
    path.write_bytes(before[:-20] + bytes(20))  # what a disk may be left with
    run.metrics.append("note", text="later")
    flushed: list[int] = []
    real = os.fsync
    monkeypatch.setattr(faulty, "fsync", lambda fd: flushed.append(real(fd) or fd), raising=False)
    position = run.metrics.sync()
    assert path.read_bytes().startswith(before)
    assert position.offset == path.stat().st_size
    assert [record.get("text") for record in read_ndjson(path)[0]][-2:] == ["precious", "later"]
    run.metrics.append("note", text="last")
    assert len(flushed) == 1
    assert read_ndjson(path)[1] == 0
