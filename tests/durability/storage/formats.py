"""R11: run directories of older formats are read for ever, newer ones refused and left alone."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.durability.experiment import Budget, Outcome
from tests.durability.places import ROOT, environment, ludus_command
from tests.durability.storage.common import contents, quick_folder, unheard
from tests.runs.helpers import check, commit, new_run, weights

from ludus.errors import LudusError, VersionError
from ludus.runs import (
    KeepLast,
    Run,
    extract_checkpoint,
    list_checkpoints,
    read_checkpoint,
    read_header,
    verify_checkpoint,
)
from ludus.runs.jsonio import canonical_json

GOLDEN = ROOT / "tests/durability/golden"
"""Runs that older versions really wrote, packed:

``toy_1``: run directory, manifest, index and container of version 1, three commits, of
2026-11-21; ``yatzy_records_1``: a training of commit 55a7d54, killed after its self-play, with game
records of version 1.
"""

VERSIONS = (0, 2, 3, 99, 40_000)
TRAINING_FROM = 1.0
"""Minutes of budget from which the golden training goes on, which takes ten seconds."""


def unpack(name: str, folder: Path) -> Path:
    """A golden run directory."""
    with tarfile.open(GOLDEN / f"{name}.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return folder / "run"


# -- older ones ----------------------------------------------------------------------------------


def read_toy(folder: Path) -> str | None:
    """What is wrong with reading and continuing the toy, if anything."""
    path = unpack("toy_1", folder)
    before = contents(path)
    with Run.open(path, write=False) as run:
        check(run, 2)
    entries = list_checkpoints(path)
    for number, entry in enumerate(entries):
        arrays, header = read_checkpoint(path / entry.path)
        if header.meta["meta"] != {"n": number} or any(
            arrays[name].tobytes() != array.tobytes() for name, array in weights(number).items()
        ):
            return f"{entry.path} holds something else"
    if len(entries) != 3 or contents(path) != before:
        return "reading changed something, or did not find its three checkpoints"
    with Run.open(path, write=True) as run:
        check(run, 2)
        if run.notices:
            return run.notices[0]
        commit(run, 3)
    with Run.open(path, write=True) as run:
        check(run, 3)
    return None


def read_yatzy(folder: Path, go_on: bool) -> str | None:
    """What is wrong with reading and continuing the training, if anything."""
    path = unpack("yatzy_records_1", folder)
    before = contents(path)
    with Run.open(path, write=False) as run:
        objects = run.manifest.objects
        for ref in objects.values():
            run.store.verify(ref)
        files, _ = run.get_index(objects["replay"])
        versions = {
            json.loads(run.store.read(ref))["protocol_version"]
            for ref in files
            if ref.path.endswith(".meta.json")
        }
    if versions != {1} or contents(path) != before:
        return f"its shards have the versions {versions}, or reading changed something"
    if not go_on:
        return None
    # It was made on another machine, whose processor may round otherwise; that must be said.
    done = _ludus("train", "yatzy", "--run", str(path), "--iterations", "2", "--accept-change")
    if done.returncode != 0:
        return f"it does not go on: {done.stderr.strip()[-300:]}"
    with Run.open(path, write=False) as run:
        files, _ = run.get_index(run.manifest.objects["replay"])
        games = run.manifest.counters["selfplay_games"]
    after = contents(path)
    metas = [json.loads(after[ref.path]) for ref in files if ref.path.endswith(".meta.json")]
    if games != 8 or 2 not in {meta["protocol_version"] for meta in metas}:
        return f"it went on to {games} games, with shards {metas}"
    changed = [n for n in before if n.startswith("replay/") and after.get(n, b"") != before[n]]
    gone = [n for n in changed if n in after]
    return f"{gone[0]} was rewritten in place" if gone else None


# -- newer ones ----------------------------------------------------------------------------------


def _manifest(path: Path, change: Callable[[dict[str, Any]], None], name: str) -> None:
    document = json.loads((path / "manifests/000003.json").read_bytes())
    del document["digest"]
    change(document)
    document["digest"] = hashlib.sha256(canonical_json(document)).hexdigest()
    (path / "manifests" / name).write_bytes(canonical_json(document))


def newer_manifest(path: Path, version: int, rng: random.Random) -> Path:
    """A commit of another version, whole by the rule that is the same in all of them."""
    field = rng.choice(("format_version", "protocol_version"))
    _manifest(path, lambda d: d.update({field: version, "sequence": 4, "new": [1]}), "000004.json")
    return path


def newer_index(path: Path, version: int, rng: random.Random) -> Path:
    """A commit that names an index of another version."""
    name = rng.choice(("replay_index", "iterations"))

    def change(document: dict[str, Any]) -> None:
        ref = document["objects"][name]
        index = json.loads((path / ref["path"]).read_bytes()) | {"format_version": version}
        data = canonical_json(index)
        digest = hashlib.sha256(data).hexdigest()
        ref.update(bytes=len(data), sha256=digest, path=f"state/{name}-{digest[:32]}.json")
        (path / ref["path"]).write_bytes(data)
        document["sequence"] = 4

    _manifest(path, change, "000004.json")
    return path


def newer_container(path: Path, version: int, rng: random.Random) -> Path:
    """A checkpoint of another version, or with a flag that nobody knows."""
    file = path / rng.choice(list_checkpoints(path)).path
    data = bytearray(file.read_bytes())
    if rng.random() < 0.5:
        struct.pack_into("<H", data, 4, version)
    else:
        struct.pack_into("<H", data, 6, 1 << rng.randrange(1, 16))
    struct.pack_into("<I", data, 124, zlib.crc32(data[:124]))
    file.write_bytes(data)
    return file


def opened(path: Path) -> list[Callable[[], object]]:
    """The ways of opening a run."""
    return [lambda: Run.open(path, write=False), lambda: Run.open(path, write=True)]


def read(file: Path) -> list[Callable[[], object]]:
    """The ways of reading a checkpoint."""
    target = file.parent / "out.safetensors"
    return [
        lambda: read_header(file),
        lambda: verify_checkpoint(file),
        lambda: read_checkpoint(file),
        lambda: extract_checkpoint(file, target),
    ]


CASES = (
    ("manifest", newer_manifest, opened),
    ("index", newer_index, opened),
    ("container", newer_container, read),
)


def refuse(model: Path, path: Path, case: int, version: int, rng: random.Random) -> str | None:
    """What is wrong with the refusal of something newer, if anything."""
    shutil.copytree(model, path)
    name, make, ways = CASES[case]
    made = make(path, version, rng)
    before = contents(path)
    for number, way in enumerate(ways(made)):
        try:
            found = way()
        except VersionError as error:
            sentence = str(error)
            if "\n" in sentence or "this version of Ludus reads" not in sentence:
                return f"{name} {version}: refused with {sentence!r}"
        except Exception as error:  # noqa: BLE001 - whatever else comes out is wrong
            return f"{name} {version}: {type(error).__name__} instead of a refusal: {error}"
        else:
            if isinstance(found, Run):
                found.close()
            if name == "index" and number == 0:
                continue  # a reader looks at the manifest alone
            return f"{name} {version} was accepted"
        after = contents(path)
        changed = [n for n in {*before, *after} if before.get(n) != after.get(n)]
        if [n for n in changed if n != "run.lock"]:
            return f"{name} {version}: the refusal changed {changed[0]}"
    return None


def _ludus(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ludus_command(*words), env=environment(), capture_output=True, text=True, check=False
    )


def by_command(model: Path, path: Path) -> str | None:
    """What is wrong with the refusal that a user sees."""
    shutil.copytree(model, path)
    newer_manifest(path, 2, random.Random(1))
    before = contents(path)
    done = _ludus("train", "yatzy", "--run", str(path))
    if done.returncode == 0 or "Traceback" in done.stderr or "reads 1" not in done.stderr:
        return f"ludus train ended with {done.returncode}: {done.stderr[-300:]}"
    changed = [name for name, data in contents(path).items() if before.get(name) != data]
    changed = [name for name in changed if name != "run.lock"]
    return f"ludus train changed {changed[0]}" if changed else None


def run(budget: Budget) -> Outcome:
    """Golden runs read and continued; newer formats refused."""
    outcome = Outcome("older and newer runs and files")

    def tried(what: str, act: Callable[[], str | None]) -> None:
        outcome.trials += 1
        try:
            wrong = act()
        except (LudusError, AssertionError) as error:
            wrong = f"{type(error).__name__}: {error}"
        if wrong is not None:
            outcome.fail("lost", f"{what}: {wrong}")

    with unheard(), quick_folder(budget) as folder:
        go_on = budget.minutes >= TRAINING_FROM
        tried("golden toy_1", lambda: read_toy(folder / "toy"))
        tried("golden yatzy_records_1", lambda: read_yatzy(folder / "yatzy", go_on))
        model, path = folder / "model", folder / "run"
        with new_run(model) as made:
            for number in range(2):
                commit(made, number)
                made.save_checkpoint(
                    weights(number), {}, unit=number + 1, policy=KeepLast(5), parameters=9
                )
        for trial in range(budget.count(600, len(CASES) * len(VERSIONS))):
            case, version = trial % len(CASES), VERSIONS[trial // len(CASES) % len(VERSIONS)]
            rng = budget.random("newer", trial)
            tried(f"newer {trial}", lambda c=case, v=version, r=rng: refuse(model, path, c, v, r))
            shutil.rmtree(path, ignore_errors=True)
        if go_on:
            tried("newer, by command", lambda: by_command(model, path))
        else:
            outcome.skipped.append(f"whole trainings: from --budget {TRAINING_FROM:g} on")
    return outcome
