"""W&B and Braintrust by injected clients, and the real W&B offline."""

import functools
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.monitor.exporters.fakes import FakeBraintrust, FakeWandb
from tests.training import tiny

from ludus.cli.main import main
from ludus.errors import UserError
from ludus.monitor.exporters.base import scalars
from ludus.monitor.exporters.braintrust import BraintrustSink
from ludus.monitor.exporters.feed import Feed
from ludus.monitor.exporters.retry import with_retry
from ludus.monitor.exporters.sweeps import chosen_by_agent, sweep_assignments
from ludus.monitor.exporters.wandb import WandbSink
from ludus.runs import Run, list_checkpoints, read_ndjson, send_command
from ludus.training.layers import parse_assignment


def poll(run: Path, to: Path, client: Any, **options: Any) -> Feed:
    with Feed(run, WandbSink(to, client=client), "wandb", to, **options) as feed:
        feed.poll()
    return feed


def with_numbers(run: Path) -> list[dict[str, Any]]:
    records, _ = read_ndjson(run / "logs" / "metrics.ndjson")
    return [record for record in records if list(scalars(record))]


def test_every_record_is_a_row_at_its_own_clock(run: Path, tmp_path: Path) -> None:
    client = FakeWandb()
    poll(run, tmp_path / "wb", client)
    records = with_numbers(run)
    rows = client.rows
    assert len(rows) == len(records) + 1  # and the figures
    for record, row in zip(records, rows, strict=False):
        clock = f"{record['event']}/step"
        assert row == {**dict(scalars(record)), clock: record["step"]}
        assert (f"{record['event']}/*", clock) in client.runs[0].defined
    assert rows[-1]["figures/games"] == 72
    (options,) = client.inits
    facts = Run.open(run, write=False)
    assert options["id"] == facts.id
    assert options["config"]["training.batch_size"] == 64
    assert options["settings"]["console"] == "off"
    assert client.runs[0].finished == 1


def test_a_second_sync_goes_on_in_the_same_run(
    run: Path, tmp_path: Path, lines: Callable[[], list[bytes]]
) -> None:
    log, client = run / "logs" / "metrics.ndjson", FakeWandb()
    whole = lines()
    log.write_bytes(b"".join(whole[:5]))
    poll(run, tmp_path / "wb", client)
    log.write_bytes(b"".join(whole))
    poll(run, tmp_path / "wb", client)
    poll(run, tmp_path / "wb", client)
    assert len(client.rows) == len(with_numbers(run)) + 1
    assert len({options["id"] for options in client.inits}) == 1
    assert {options["resume"] for options in client.inits} == {"allow"}


def test_a_run_that_was_cut_back_sends_only_what_is_beyond(
    run: Path, tmp_path: Path, lines: Callable[[], list[bytes]]
) -> None:
    """Nothing can be taken back from a service: steps that it has are not sent again."""
    log, client = run / "logs" / "metrics.ndjson", FakeWandb()
    poll(run, tmp_path / "wb", client)
    before = len(client.rows)
    steps = [json.loads(line) for line in lines()]
    with open(log, "wb") as file:
        for record in [*steps[:-3], *steps[-3:], *(dict(one, step=10**6) for one in steps[-3:])]:
            file.write(json.dumps(dict(record, ts_ms=record["ts_ms"] + 1)).encode() + b"\n")
    feed = poll(run, tmp_path / "wb", client)
    assert feed.rewinds == 1
    new = client.rows[before:]
    beyond = [one for one in steps[-3:] if list(scalars(one))]
    assert len(beyond) >= 1
    assert [row[f"{one['event']}/step"] for one, row in zip(beyond, new, strict=True)] == [
        10**6
    ] * len(beyond)
    assert poll(run, tmp_path / "wb", client).sent == 0


# -- checkpoints -----------------------------------------------------------------------------------


def test_checkpoints_are_artifacts_sent_once(run: Path, tmp_path: Path) -> None:
    def save(loop: Any, unit: int) -> None:
        if unit == 2:
            send_command(run, "save")

    tiny.train(run, iterations=2, act=save)
    found = [run / entry.path for entry in list_checkpoints(run)]
    assert found
    client = FakeWandb()
    poll(run, tmp_path / "wb", client, artifacts=True)
    poll(run, tmp_path / "wb", client, artifacts=True)
    assert [artifact.files for artifact, _ in client.artifacts] == [[str(one)] for one in found]
    assert "latest" in client.artifacts[-1][1]
    assert client.artifacts[0][0].type == "model"


def test_uploads_are_tried_again_with_backoff(run: Path, tmp_path: Path) -> None:
    slept: list[float] = []
    told: list[str] = []
    retry = functools.partial(with_retry, sleep=slept.append, tell=told.append)
    client = FakeWandb(ConnectionError("gone"), TimeoutError("slow"))
    sink = WandbSink(tmp_path, client=client, retry=retry)
    from ludus.monitor.exporters.base import RunFacts

    sink.open(RunFacts.of(run), {})
    path = run / "status.json"
    sink.checkpoint(path, ["latest"])
    assert slept == [1.0, 2.0]
    assert [str(path) in text for text in told] == [True, True]
    assert len(client.artifacts) == 1

    client.failures += [RuntimeError("a"), RuntimeError("b"), RuntimeError("c")]
    with pytest.raises(RuntimeError, match="c"):
        sink.checkpoint(path, ["latest"])
    client.failures[:] = [ValueError("at once")]
    slept.clear()
    with pytest.raises(ValueError, match="at once"):
        sink.checkpoint(path, ["latest"])
    assert slept == []


def test_a_refusal_is_one_sentence(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"W&B refuses \(no key\): log in with wandb login"):
        poll(run, tmp_path / "wb", FakeWandb(refuse="no\n key"))


# -- the real thing --------------------------------------------------------------------------------


def log_records(data: bytes) -> Iterator[bytes]:
    """Records of W&B's file: LevelDB's log format, blocks of 32 KB, behind a head of 7 bytes."""
    assert data[:4] == b":W&B"
    at, parts = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        size, kind = struct.unpack_from("<HB", data, at + 4)
        if kind == 0:
            return
        parts += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


@pytest.mark.filterwarnings("ignore")
def test_offline(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no login: W&B's own directory comes out, with the run's id and every record."""
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "offline")
    to = tmp_path / "wb"
    assert main(["sync", "wandb", str(run), "--to", str(to), "--project", "p"]) == 0
    (file,) = to.glob("wandb/offline-run-*/*.wandb")
    rows: list[dict[str, float]] = []
    projects: list[str] = []
    for data in log_records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("run"):
            projects.append(record.run.project)
        if record.HasField("history"):
            items = record.history.item
            named = {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
            rows.append({key: value for key, value in named.items() if "/" in key})
    assert projects[0] == "p"
    wanted = [
        {**dict(scalars(one)), f"{one['event']}/step": one["step"]} for one in with_numbers(run)
    ]
    assert rows[: len(wanted)] == [pytest.approx(row) for row in wanted]
    assert main(["sync", "wandb", str(run), "--to", str(to)]) == 0


# -- sweeps ----------------------------------------------------------------------------------------


class Active:
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config


def test_no_active_run_no_assignments() -> None:
    pytest.importorskip("wandb")
    assert sweep_assignments() == []


def test_a_sweeps_choice_becomes_assignments() -> None:
    run = Active(
        {
            "training.learning_rate": 0.01,
            "search": {"budget": 16, "rule": "puct"},
            "evaluation.opponents": ["first", "random"],
            "run.total_games": None,
            "_wandb": {"x": 1},
            "wandb_version": 1,
        }
    )
    found = sweep_assignments(run)
    assert found == [
        "training.learning_rate=0.01",
        "search.budget=16",
        'search.rule="puct"',
        'evaluation.opponents=["first", "random"]',
        "run.total_games=null",
    ]
    values = {k: g.value for text in found for k, g in parse_assignment(text).items()}
    assert values["search.rule"] == "puct"
    assert values["evaluation.opponents"] == ["first", "random"]
    assert values["training.learning_rate"] == 0.01


def test_an_agents_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As W&B's agent starts a program: variables and a file of parameters."""
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    with pytest.raises(UserError, match="no sweep's agent"):
        chosen_by_agent()
    (tmp_path / "chosen.yaml").write_text(
        "wandb_version: 1\ntraining.learning_rate:\n  value: 0.01\n"
    )
    agent = {
        "WANDB_MODE": "offline",
        "WANDB_SWEEP_ID": "s1",
        "WANDB_RUN_ID": "r1",
        "WANDB_SWEEP_PARAM_PATH": str(tmp_path / "chosen.yaml"),
    }
    code = (
        "from ludus.monitor.exporters.sweeps import *; "
        "print(chosen_by_agent(), sweep_assignments())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **agent},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "['training.learning_rate=0.01'] []\n", done.stderr


def test_the_option_of_train(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from ludus.monitor.exporters import sweeps

    monkeypatch.setattr(sweeps, "chosen_by_agent", lambda: ["training.batch_size=96"])
    assert main(["train", "yatzy", "--sweep", "wandb", "--settings"]) == 0
    (row,) = [one for one in capsys.readouterr().out.splitlines() if "training.batch_size" in one]
    assert row.split()[1] == "96"
    monkeypatch.setattr(sweeps, "chosen_by_agent", lambda: ["training.batch_sise=96"])
    assert main(["train", "yatzy", "--sweep", "wandb", "--settings"]) == 2
    assert "batch_sise" in capsys.readouterr().err
    assert main(["train", "yatzy", "--sweep", "other"]) == 2


# -- Braintrust ------------------------------------------------------------------------------------


def test_braintrust_rows_have_ids_of_their_own(run: Path, tmp_path: Path) -> None:
    client, to = FakeBraintrust(), tmp_path / "bt"
    for _ in range(2):
        with Feed(run, BraintrustSink(to, client=client), "braintrust", to) as feed:
            feed.poll()
    events = client.experiment.events
    records = with_numbers(run)
    assert len(events) == len(records) + 1
    assert len({event["id"] for event in events}) == len(events)
    for record, event in zip(records, events, strict=False):
        assert event["metrics"] == dict(scalars(record))
        assert event["input"] == {"record": record["event"], "step": record["step"]}
    assert client.inits[0]["experiment"] == Run.open(run, write=False).id
    assert client.experiment.flushes >= 2


def test_braintrust_without_a_key(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("braintrust")
    monkeypatch.delenv("BRAINTRUST_API_KEY", raising=False)
    assert main(["sync", "braintrust", str(run)]) == 2
    assert "BRAINTRUST_API_KEY" in capsys.readouterr().err
