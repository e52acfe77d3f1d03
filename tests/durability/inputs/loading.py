"""Every kind of file that Ludus loads: where it lies in a sound run, and what reads it.

A reader gets a run whose one file was replaced. It may raise a ``LudusError``, or return what it
would return without the file; :class:`AcceptedError` says that it took what it must not take.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.runs.helpers import commit, new_run

from ludus.errors import LudusError
from ludus.runs import KeepLast, Run, read_ndjson, read_status, read_summary, send_command
from ludus.runs.container import extract_checkpoint, read_checkpoint, read_header
from ludus.runs.control import ControlReader
from ludus.runs.models import read_model

CONTROL = "00000000000000000001-1-abc.json"


class AcceptedError(Exception):
    """Something hostile or damaged was taken for good."""


@dataclass(frozen=True)
class Place:
    """One file and one way of reading it.

    Attributes:
        name: of the file and of the reader.
        file: below the run directory.
        read: run directory, name of the hostile file.
    """

    name: str
    file: str
    read: Callable[[Path, str], object]


def sound_run(path: Path) -> None:
    """A run with two commits, a checkpoint, logs, status, and files beside it."""
    run = new_run(path)
    try:
        for number in (1, 2):
            commit(run, number)
        run.save_checkpoint(
            {"w": run.get_object(run.manifest.objects["learner"])[0]["w"]},
            {"x": 1},
            unit=2,
            policy=KeepLast(5),
            parameters=64,
        )
        commit(run, 3)
        run.status.write({"state": "training"})
    finally:
        run.close()
    send_command(path, "pause")


def _fixed(path: Path, folder: str, pattern: str) -> str:
    return str(sorted((path / folder).glob(pattern))[-1].relative_to(path))


# -- what a run consists of ------------------------------------------------------------------------


def _must_refuse(read: Callable[[Path], object]) -> Callable[[Path, str], object]:
    """Nothing but what was written there is right."""

    def reader(run: Path, hostile: str) -> None:
        read(run)
        raise AcceptedError("it was taken for the file that was there")

    return reader


def _older(write: bool) -> Callable[[Path, str], object]:
    """A damaged newest commit: the one before it is taken, whole."""

    def reader(run: Path, hostile: str) -> None:
        opened = Run.open(run, write=write)
        try:
            if opened.manifest.sequence >= 4:
                raise AcceptedError(f"commit {opened.manifest.sequence} was opened")
            for ref in opened.manifest.objects.values():
                opened.store.verify(ref)
        finally:
            opened.close()

    return reader


def _object(name: str) -> Callable[[Path, str], object]:
    def read(run: Path) -> object:
        opened = Run.open(run, write=False)
        return opened.get_object(opened.manifest.objects[name])

    return _must_refuse(read)


def _index(run: Path) -> object:
    opened = Run.open(run, write=False)
    return opened.get_index(opened.manifest.objects["replay_index"])


def _shard(run: Path) -> object:
    opened = Run.open(run, write=False)
    return opened.get_object(opened.get_index(opened.manifest.objects["replay_index"])[0][-1])


def _reads(run: Path, hostile: str) -> None:
    """Everything that only looks: lists, view, report, exporters."""
    from ludus.monitor.exporters.base import RunFacts
    from ludus.monitor.report.reading import read_run
    from ludus.monitor.sources import seen_from_here
    from ludus.monitor.view import RunReader
    from ludus.runs import list_runs

    refused = None
    for look in (
        lambda: list_runs(run.parent),
        lambda: RunReader(run).look(),
        lambda: seen_from_here(run),
        lambda: read_run(run),
        lambda: RunFacts.of(run),
    ):
        try:
            look()
        except LudusError as error:
            refused = error
    if refused is not None:
        raise refused


def _takes(run: Path, hostile: str) -> None:
    """A trainer takes the run: logs are cut, commands cleared, leftovers swept."""
    opened = Run.open(run, write=True)
    try:
        for ref in opened.manifest.objects.values():
            opened.store.verify(ref)
    finally:
        opened.close()


def _document(read: Callable[[Path], Any]) -> Callable[[Path, str], object]:
    """A JSON document that is known or unknown, and never in between."""

    def reader(run: Path, hostile: str) -> None:
        found = read(run)
        if found is not None and hostile not in _SOUND_JSON:
            raise AcceptedError(f"it was read as {str(found)[:60]}")

    return reader


_SOUND_JSON = frozenset(
    f"json-{name}"
    for name in ("traversal", "proto", "many-keys", "huge-text", "ladder", "seeds", "surrogate")
)


def _command_file(run: Path, hostile: str) -> None:
    told: list[str] = []
    commands = ControlReader(run, on_refused=told.append).poll()
    mine = [one for one in commands if one.source == CONTROL]
    if mine and hostile != "json-traversal":
        raise AcceptedError(f"it was obeyed as {mine[0].name}")
    if not mine and not told:
        raise AcceptedError("it was neither obeyed nor told of")


def _signal(run: Path, hostile: str) -> None:
    told: list[str] = []
    time.sleep(0.001)
    commands = ControlReader(run, on_refused=told.append).poll()
    mine = {one.name for one in commands if one.source.count("-") == 3}
    if mine and hostile not in ("text-signal", "text-commands"):
        raise AcceptedError(f"it was obeyed as {sorted(mine)}")


# -- settings --------------------------------------------------------------------------------------


def _config(run: Path, hostile: str) -> None:
    from ludus.training.layers import Asked, load_recipe, read_file, resolve

    resolve(load_recipe("yatzy"), Asked(file=read_file(run / "asked.yaml")))


def _rules(run: Path, hostile: str) -> None:
    from ludus.training.layers import Asked, load_recipe, resolve

    assignment = f"alerts.rules={run / 'rules.yaml'}"
    resolve(load_recipe("yatzy"), Asked(assignments=[assignment]))


def _resolved(run: Path, hostile: str) -> None:
    from ludus.monitor.sources import read_settings

    read_settings(run / "config.resolved.yaml")
    _must_refuse(lambda run: Run.open(run, write=False).config)(run, hostile)


def _draft(run: Path, hostile: str) -> None:
    from ludus.monitor.tui.draft import Draft

    Draft.open(run / "drafts")


def _seeds(run: Path, hostile: str) -> None:
    from ludus.arena.seeds import find_seed_set

    find_seed_set(str(run / "seeds.json"))
    raise AcceptedError("it was read as seeds")


def _ladder(run: Path, hostile: str) -> None:
    from ludus.arena.ladder_file import LadderFile

    with LadderFile(run) as file:
        found = file.load(run_id="x", game="x", rules_id="x", seed=1)
    if hostile not in ("link-nowhere",) and (run / "reports/ladder.json").exists():
        raise AcceptedError(f"it was read as a ladder: {str(found)[:60]}")


def _patterns(run: Path, hostile: str) -> None:
    from types import SimpleNamespace

    from ludus.learners.td_options import TdOptions

    TdOptions.pattern_set(SimpleNamespace(patterns=str(run / "patterns.txt")))  # type: ignore[arg-type]


def _cursor(run: Path, hostile: str) -> None:
    from ludus.monitor.exporters.cursor import Cursor

    Cursor.load(run / "sink", "wandb", "x")


def _calibration(run: Path, hostile: str) -> None:
    import os

    from ludus.evaluators import calibration_file

    os.environ["LUDUS_CACHE"] = str(run / "cache")
    calibration_file._entries()


# -- games and players -----------------------------------------------------------------------------


def _records(game: str, end: str, name: str = "games") -> Callable[[Path, str], object]:
    def reader(run: Path, hostile: str) -> None:
        from ludus.games import get_game

        path, read = run / f"{name}{end}", get_game(game).formats[end].read
        with contextlib.suppress(LudusError):
            read(path, [])
        read(path, None)

    return reader


def _names(end: str) -> Callable[[Path, str], object]:
    def reader(run: Path, hostile: str) -> None:
        import struct

        from ludus.games import get_game

        head = struct.pack("<4BIHH4B", 20, 26, 1, 1, 1, 0, 2004, 8, 0, 0, 0)
        (run / "named.wtb").write_bytes(head + bytes(68))
        get_game("othello").formats[".wtb"].read(run / "named.wtb", None)

    return reader


def _player(file: str) -> Callable[[Path, str], object]:
    def reader(run: Path, hostile: str) -> None:
        from ludus.games import get_game
        from ludus.players.spec import parse_player

        if (run / file).is_dir():
            return  # a folder is taken for a run, whatever its name
        parse_player(str(run / file), get_game("othello"))
        raise AcceptedError("it was taken for a player")

    return reader


def places(run: Path) -> list[Place]:
    """All of them, for a run that :func:`sound_run` made."""
    checkpoint = _fixed(run, "checkpoints/cache", "*.ckpt")
    manifest = _fixed(run, "manifests", "*.json")
    model = _fixed(run, "models", "champion-*.safetensors")
    learner = Run.open(run, write=False).manifest.objects["learner"].path
    index = Run.open(run, write=False).manifest.objects["replay_index"].path
    shard = _fixed(run, "replay", "*.safetensors")
    _metrics, _events = "logs/metrics.ndjson", "logs/events.ndjson"
    found = [
        Place(
            "checkpoint", checkpoint, _must_refuse(lambda run: read_checkpoint(run / checkpoint))
        ),
        Place("checkpoint-header", checkpoint, lambda run, _: read_header(run / checkpoint)),
        Place(
            "checkpoint-extract",
            checkpoint,
            lambda run, _: extract_checkpoint(run / checkpoint, run / "reports/out.safetensors"),
        ),
        Place("checkpoint-taken", checkpoint, _takes),
        Place("manifest", manifest, _older(write=False)),
        Place("manifest-taken", manifest, _older(write=True)),
        Place("state", learner, _object("learner")),
        Place("state-taken", learner, _older(write=True)),
        Place("index", index, _must_refuse(_index)),
        Place("index-taken", index, _older(write=True)),
        Place("shard", shard, _must_refuse(_shard)),
        Place("shard-taken", shard, _older(write=True)),
        Place("champion", model, _object("champion")),
        Place("model", model, _must_refuse(lambda run: read_model(run / model))),
        Place("model-about", model[:-12] + ".json", lambda run, _: read_model(run / model)),
        Place("summary", "run.json", _document(read_summary)),
        Place("status", "status.json", _document(read_status)),
        Place("command", f"control/{CONTROL}", _command_file),
        Place("signal", "control.signal", _signal),
        Place("signal-inside", "control/control.signal", _signal),
        Place("config", "asked.yaml", _config),
        Place("config-rules", "rules.yaml", _rules),
        Place("config-resolved", "config.resolved.yaml", _resolved),
        Place("config-draft", "drafts/config.draft.yaml", _draft),
        Place("seeds", "seeds.json", _seeds),
        Place("ladder", "reports/ladder.json", _ladder),
        Place("patterns", "patterns.txt", _patterns),
        Place("cursor", "sink/ludus-cursor.json", _cursor),
        Place("calibration", "cache/calibration.json", _calibration),
        Place(
            "metrics-log",
            "logs/metrics.ndjson",
            lambda run, _: read_ndjson(run / "logs/metrics.ndjson"),
        ),
        Place("othello-transcripts", "games.txt", _records("othello", ".txt")),
        Place("othello-ggf", "games.ggf", _records("othello", ".ggf")),
        Place("othello-wthor", "games.wtb", _records("othello", ".wtb")),
        Place("othello-players", "named.jou", _names(".jou")),
        Place("othello-tournaments", "wthor.trn", _names(".trn")),
        Place("blob-transcripts", "games.txt", _records("blob", ".txt")),
        Place("player-checkpoint", "player.ckpt", _player("player.ckpt")),
        Place("player-tables", "player.safetensors", _player("player.safetensors")),
    ]
    for file in (
        manifest,
        "run.json",
        "status.json",
        "run.lock",
        "config.yaml",
        "config.resolved.yaml",
        "logs/metrics.ndjson",
        "logs/events.ndjson",
    ):
        found.append(Place(f"looks-at-{Path(file).name}", file, _reads))
    for file in (
        "run.json",
        "status.json",
        "config.yaml",
        "logs/metrics.ndjson",
        "logs/events.ndjson",
    ):
        found.append(Place(f"taken-with-{Path(file).name}", file, _takes))
    return found
