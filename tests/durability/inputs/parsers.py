"""Every parser that gets bytes from outside, with valid inputs to begin from, for the fuzzer.

A parser either raises a typed error or returns something that the rest can use: what it accepts is
written out again, replayed or validated here, and that must not fail in any untyped way either.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from tests.durability.inputs.forging import container, manifest_bytes, safetensors_bytes
from tests.durability.inputs.mutating import Make, either, of_bytes, of_json
from tests.durability.places import ROOT

from ludus import _core, reading
from ludus.errors import CorruptError, LudusError
from ludus.games import get_game
from ludus.runs import control, manifest, tensors
from ludus.runs.container import read_checkpoint
from ludus.runs.jsonio import canonical_json, strict_json
from ludus.runs.objects import ObjectRef

_OLD_SHARDS = ROOT / "tests" / "data" / "replay_v1"


class NotAsWrittenError(Exception):
    """Something was accepted that is not what it was read as."""


@dataclass(frozen=True)
class Parser:
    """One parser.

    Attributes:
        name: of its own.
        make: an input from random numbers.
        parse: reads it, and uses what was read.
        share: of all inputs, relative to the others: cheap ones get more.
        expected: errors besides those of Ludus that its callers turn into sentences.
    """

    name: str
    make: Make
    parse: Callable[[bytes], object]
    share: float = 1.0
    expected: tuple[type[Exception], ...] = ()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# -- what a run consists of ------------------------------------------------------------------------


def _arrays() -> dict[str, Any]:
    return {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "step": np.array(3, np.int64),
        "none": np.zeros((0, 4), np.uint8),
    }


def _safetensors() -> Parser:
    data = b"".join(tensors.encode(_arrays(), {"number": 1, "name": "x"}))
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]

    def parse(found: bytes) -> None:
        arrays, meta = tensors.decode(found, "fuzzed")
        again = tensors.decode(b"".join(tensors.encode(arrays, meta)), "again")
        if again[1] != meta or set(again[0]) != set(arrays):
            raise NotAsWrittenError("what was written again is different")

    make = either(of_bytes([data]), of_json([header], lambda one: safetensors_bytes(one, body)))
    # What encode() refuses as a type is a dtype that Ludus never writes.
    return Parser("safetensors", make, parse, 8.0, (TypeError,))


def _container(folder: Path) -> Parser:
    payload = b"".join(tensors.encode(_arrays(), {}))
    header = {"meta": {"run_id": "x", "unit": 3}, "tensors": tensors.describe(_arrays())}
    whole = container(header, payload)
    path = folder / "fuzzed.ckpt"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def parse(data: bytes) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)
        found, about = read_checkpoint(path)
        if tensors.describe(found) != about.tensors:
            raise NotAsWrittenError("its arrays are not those of its header")

    make = either(
        of_bytes([whole]),
        of_json([header], lambda one: container(one, payload)),
        lambda rng: container(header, of_bytes([payload])(rng)),
        lambda rng: container(
            header, payload, flags=int(rng.random() * 4), plain=int(rng.random() * 2**40)
        ),
    )
    return Parser("container", make, parse, 1.5)


def _manifest() -> Parser:
    ref = {"kind": "x", "path": "state/x-1.json", "bytes": 3, "sha256": "0" * 64}
    document = {
        "format": "ludus-manifest",
        "format_version": 1,
        "protocol_version": 1,
        "run_id": "x",
        "sequence": 2,
        "parent_sequence": 1,
        "parent_digest": "0" * 64,
        "written_ms": 1,
        "created_ms": 1,
        "recipe": "toy",
        "seed": 7,
        "schema": {
            "protocol_version": 1,
            "feature_schema_id": "a",
            "action_space_id": "b",
            "ruleset_id": "c",
        },
        "git_hash": None,
        "config_hash": "0" * 64,
        "config": {"asked": ref, "resolved": ref},
        "progress": {"a": [1, 2]},
        "counters": {"games": 3},
        "objects": {"learner": ref},
        "logs": {"metrics": {"offset": 1, "lines": 1, "steps": {"train_step": 3}}},
        "elapsed_seconds": 1.5,
        "incarnation": "x",
        "permanent": ["checkpoints/permanent/x.ckpt"],
        "good": True,
    }
    whole = manifest_bytes(document)

    def parse(data: bytes) -> None:
        found = manifest.decode_manifest(data, "fuzzed")
        if any(
            ref.path.startswith(("/", "..")) or "/../" in ref.path for ref in found.objects.values()
        ):
            raise NotAsWrittenError("a reference leads out of the run")
        found.encode()

    return Parser(
        "manifest", either(of_bytes([whole]), of_json([document], manifest_bytes)), parse, 3.0
    )


def _reference() -> Parser:
    def parse(data: bytes) -> None:
        document = {"kind": "x", "path": _text(data), "bytes": 1, "sha256": "0" * 64}
        ref = ObjectRef.from_document(document)
        real = os.path.normpath(os.path.join("/run", ref.path))
        if not real.startswith("/run/") or "\0" in ref.path:
            raise NotAsWrittenError(f"{ref.path!r} lies outside the run")

    paths = [b"state/x-1.json", b"replay/shard_000001.safetensors", b"../x", b"a/../../b", b"/etc"]
    return Parser("reference", of_bytes(paths, (b"..", b"/", b"./", b"//", b"\\")), parse, 12.0)


def _document() -> Parser:
    document = {"state": "training", "number": 3, "figures": {"loss": 0.5, "x": None}, "a": [1, {}]}

    def parse(data: bytes) -> None:
        found = strict_json(data, "fuzzed")
        if len(found) < data.count(b'"k'):
            raise NotAsWrittenError("a key that is there twice was taken")
        try:
            again = strict_json(canonical_json(found), "again")
        except LudusError as error:
            raise NotAsWrittenError(f"it cannot be written again: {error}") from error
        if again != found:
            raise NotAsWrittenError("what was written again is different")

    def doubled(rng: random.Random) -> bytes:
        """Keys that may be the same, and numbers that may be beyond all."""
        one, two, power = rng.randrange(4), rng.randrange(4), rng.randrange(600)
        return b'{"k%d":1e%d,"k%d":2}' % (one, power, two)

    make = either(of_bytes([canonical_json(document)]), of_json([document]), doubled)
    return Parser("json", make, parse, 6.0)


def _ndjson(folder: Path) -> Parser:
    from ludus.monitor.logs import Curves
    from ludus.runs import NdjsonReader

    lines = [
        b'{"event":"train_step","ts_ms":1,"run_id":"x","step":3,"loss_total":0.5,"lr":0.1}',
        b'{"event":"game_stats","ts_ms":1,"step":3,"games":4,"mean_score":1.5}',
        b'{"event":"evaluation","step":1,"iteration":2,"win_rate":0.5,"opponent":"random"}',
        b'{"event":"health","iteration":3,"a":1,"b":2.5}',
    ]
    reader, curves = NdjsonReader(folder / "none"), Curves(folder / "none")

    def parse(data: bytes) -> None:
        record = reader._parse(data + b"\n")
        if record is not None:
            curves._draw(record)

    make = either(of_bytes(lines), of_json([json.loads(line) for line in lines]))
    return Parser("ndjson", make, parse, 20.0)


def _shards() -> Parser:
    """Records of games: the columns, what the rules say of them, and their replay in C++."""
    from ludus.replay import TargetRule
    from ludus.replay.records import GameRecords
    from ludus.replay.rederive import decoder
    from ludus.replay.shards import read_columns

    game = _core.game("yatzy")
    decode = decoder(game, TargetRule())
    stored = read_columns(sorted(_OLD_SHARDS.glob("**/*.safetensors"))[0].read_bytes(), "sound")
    data = safetensors.numpy.save(dict(stored.slice(0, 1).columns))
    columns = safetensors.numpy.load(data)
    names = sorted(columns)

    def values(rng: Any) -> bytes:
        """A value in a column that is no longer what was stored."""
        changed = {name: array.copy() for name, array in columns.items()}
        for _ in range(1 + int(rng.random() * 3)):
            array = changed[names[int(rng.random() * len(names))]].reshape(-1).view(np.uint8)
            if len(array):
                array[int(rng.random() * len(array))] = int(rng.random() * 256)
        return bytes(safetensors.numpy.save(changed))

    def parse(found: bytes) -> None:
        records: GameRecords = read_columns(found, "fuzzed")
        records.validate(game)
        floats = [array for array in records.columns.values() if array.dtype.kind == "f"]
        if not all(np.isfinite(array).all() for array in floats):
            raise NotAsWrittenError("records with a number that is not finite were taken")
        rows = decode(records)
        if not np.isfinite(rows.observations).all() or not (np.abs(rows.value) <= 1).all():
            raise NotAsWrittenError("rows with impossible numbers were made of it")

    return Parser("shard", either(of_bytes([data]), values, values), parse, 1.0)


def _states(name: str) -> Parser:
    """Packed positions in C++."""
    game = _core.game(name)
    state = game.initial()
    packed = [bytes(state.packed())]
    for turn in range(12):
        if state.kind == "terminal":
            break
        if state.kind == "decision":
            state.apply(int(state.legal()[turn % len(state.legal())]))
        else:
            state.apply_outcome(state.draw(turn))
        packed.append(bytes(state.packed()))

    def parse(data: bytes) -> None:
        found = game.state(data)
        if bytes(found.packed()) != data:
            raise NotAsWrittenError("a position was read as another one")
        if found.kind == "decision":
            found.legal()

    return Parser(f"state-{name}", of_bytes(packed), parse, 4.0, (ValueError, TypeError))


# -- commands, settings, players -------------------------------------------------------------------


def _signal() -> Parser:
    lines = [
        b"PAUSE",
        b"pause iteration",
        b"CONTINUE",
        b"stop",
        b"SAVE",
        b"SET a.b=1",
        b"set x = y z",
    ]

    def parse(data: bytes) -> None:
        found = control.parse_signal(_text(data))
        document = strict_json(
            canonical_json({"command": found.name, "args": dict(found.args)}), "x"
        )
        control._check(document["command"], document["args"])

    return Parser("signal", of_bytes(lines, (b"=", b"SET ", b"pause", b" ")), parse, 15.0)


def _yaml() -> Parser:
    texts = [b"search: {budget: 64}\n", b"a: [1, 2.5, x]\nb: &c {d: 1}\ne: *c\n", b"- 1\n- a: b\n"]
    words = (b"&a ", b"*a", b"<<: ", b"!!set", b"!!binary ", b"? ", b"- ", b": ", b"|\n", b"---\n")

    def parse(data: bytes) -> None:
        repr(reading.parse_yaml(data))

    return Parser("yaml", of_bytes(texts, words), parse, 0.6, (ValueError,))


def _assignment() -> Parser:
    from ludus.training.layers import parse_assignment, require_changeable

    texts = [b"search.budget=64", b"run.commit_seconds = 1e3", b"training.learning_rate={start: 1}"]

    def parse(data: bytes) -> None:
        require_changeable(parse_assignment(_text(data)), "x")

    return Parser("assignment", of_bytes(texts, (b"search", b".", b"null")), parse, 0.3)


def _players() -> Parser:
    from ludus.players.spec import parse_player

    game = get_game("othello")
    texts = [
        b"random",
        b"uniform:sims=64,rule=puct",
        b"uniform:c_puct=1.5,fpu=0.2",
        b"edax:depth=3",
    ]

    def parse(data: bytes) -> None:
        text = _text(data)
        if ":" in text and text.partition(":")[0].strip() in ("random", "uniform"):
            parse_player(text, game)

    return Parser("player", of_bytes(texts, (b"sims=", b"rule=", b",", b"nan", b"1e9")), parse, 6.0)


def _patterns() -> Parser:
    texts = [b"corner: a1 b1 a2 b2\nedge: a1 b1 c1 d1 e1 f1\n", b"# x\ncentre: d4 e4 d5 e5\n"]

    def parse(data: bytes) -> None:
        _core.PatternSet.parse(_text(data))

    return Parser("patterns", of_bytes(texts, (b"h8", b"#", b" ", b"a1 ")), parse, 4.0)


def _stored(name: str, documents: Sequence[Any], read: Callable[[Any], object]) -> Parser:
    def parse(data: bytes) -> None:
        read(json.loads(data))

    return Parser(name, of_json(documents), parse, 2.0)


def _files() -> list[Parser]:
    from ludus.arena.ladder_file import SCHEMA, LadderDocument
    from ludus.arena.seeds import SeedSet
    from ludus.runs import Counters

    players = [{"key": key, "label": key, "kind": "given"} for key in "ab"]
    ladder = {
        "schema": SCHEMA,
        "run_id": "x",
        "game": "g",
        "rules_id": "r",
        "seed": 1,
        "players": players,
        "pairings": [{"a": "a", "b": "b", "quarters": "024", "seeds": 3}],
        "ratings": None,
    }

    def read_ladder(data: Any) -> None:
        found = LadderDocument.from_json(data, "fuzzed")
        found.table()
        json.dumps(found.as_json())

    seeds = SeedSet.generate(1, 4, purpose="x").as_json()
    return [
        _stored("ladder", [ladder], read_ladder),
        _stored("seeds", [seeds], lambda data: SeedSet.from_json(data).as_json()),
        _stored("counters", [{"games": 3}], lambda data: Counters.from_dict(data).as_dict()),
    ]


def all_parsers(folder: Path) -> list[Parser]:
    """All of them; `folder` is for files that are read from a disk."""
    from tests.durability.inputs.game_parsers import game_parsers

    return [
        _safetensors(),
        _container(folder),
        _manifest(),
        _reference(),
        _document(),
        _ndjson(folder),
        _shards(),
        _states("othello"),
        _states("yatzy"),
        _states("blob"),
        _signal(),
        _yaml(),
        _assignment(),
        _players(),
        _patterns(),
        *_files(),
        *game_parsers(),
    ]


def digest(data: bytes) -> str:
    """For the name of an input."""
    return hashlib.sha256(data).hexdigest()[:12]


__all__ = ["CorruptError", "LudusError", "NotAsWrittenError", "Parser", "all_parsers", "digest"]
