"""Commits: what comes back is what was put, nothing else is taken for one, garbage goes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.runs.helpers import ASKED, SCHEMA, check, commit, flip, new_run, snapshot, weights

from ludus.errors import CorruptError, NumericsError, RunError, RunLockedError
from ludus.runs import (
    KeepLast,
    ManifestTooLargeError,
    ObjectRef,
    Run,
    read_asked,
    read_manifest,
    read_summary,
)

_DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
_FLOATS = ["float16", "float32", "float64"]


def test_round_trip_is_bit_identical(run: Run) -> None:
    rng = np.random.default_rng(1)
    arrays = {name: rng.integers(0, 2, (3, 5)).astype(name) for name in _DTYPES}
    arrays |= {name: rng.standard_normal((2, 0, 3)).astype(name) for name in _FLOATS}
    for name in _FLOATS:
        bits = rng.integers(0, 256, 16 * np.dtype(name).itemsize, dtype=np.uint8)
        arrays[f"any bits {name}"] = bits.view(name)  # NaN payloads and denormals too
    arrays["scalar"] = np.array(3, np.int64)
    arrays["transposed"] = np.arange(6, dtype=np.float32).reshape(2, 3).T
    arrays["bfloat16"] = np.array([0x3F80, 0x7FC1], np.uint16)
    meta = {"text": "ünïcode", "none": None, "list": [1, 2.5, {"a": True}], "big": 2**63}
    found, found_meta = run.get_object(run.put_object("mixed", arrays, meta))
    assert found_meta == meta
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


def test_same_content_is_stored_once(run: Run) -> None:
    first = run.put_object("learner", weights(1), {"a": 1, "b": 2})
    again = run.put_object("learner", dict(reversed(weights(1).items())), {"b": 2, "a": 1})
    assert first == again
    assert len(list((run.path / "state").iterdir())) == 1
    assert run.put_object("learner", weights(1), {"a": 2}) != first
    # A damaged file of that name must not be taken for the content.
    flip(run.path / first.path)
    assert run.put_object("learner", weights(1), {"a": 1, "b": 2}) == first
    run.get_object(first)


def test_unsupported_arrays_are_refused(run: Run) -> None:
    with pytest.raises(TypeError, match="'o' of dtype object"):
        run.put_object("learner", {"o": np.array([object()])}, {})
    with pytest.raises(NumericsError):
        run.put_object("learner", {}, {"loss": float("nan")})
    assert list((run.path / "state").iterdir()) == []


def test_resume_restores_everything(run: Run) -> None:
    assert run.fresh
    for number in range(3):
        commit(run, number)
    elapsed = run.manifest.elapsed_seconds
    run.close()
    with Run.open(run.path, write=True) as again:
        check(again, 2)
        assert not again.fresh
        assert again.notices == []
        assert again.id == run.id
        assert again.incarnation != run.incarnation
        assert again.config == {"rate": 0.1}
        assert again.elapsed_seconds >= elapsed
        assert again.schema == SCHEMA
        commit(again, 3)
    with Run.open(run.path, write=False) as reader:
        check(reader, 3)
        with pytest.raises(RunError, match="reading only"):
            reader.put_object("x", {}, {})


def test_birth_and_config(run: Run) -> None:
    assert run.manifest.sequence == 1
    assert (run.path / "config.yaml").read_bytes() == ASKED
    assert read_asked(run.path, run.manifest) == ASKED
    assert run.manifest.config_hash == hashlib.sha256(
        (run.path / "config.resolved.yaml").read_bytes()
    ).hexdigest()  # fmt: skip
    with pytest.raises(RunError, match="is a run already"):
        new_run(run.path)


def test_creation_refuses_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(RunError, match=r"not empty .it holds precious\.txt"):
        new_run(tmp_path)
    with pytest.raises(RunError, match="is not a run directory"):
        Run.open(tmp_path, write=True)
    with pytest.raises(RunError, match="no run directory"):
        Run.open(tmp_path / "absent", write=True)
    with pytest.raises(RunError, match="no directory"):
        new_run(tmp_path / "precious.txt")
    assert snapshot(tmp_path) == before


def test_second_writer_is_refused_by_name(run: Run) -> None:
    before = snapshot(run.path)
    with pytest.raises(RunLockedError, match=f"in use by process {os.getpid()} on .*, started 2"):
        Run.open(run.path, write=True)
    assert snapshot(run.path) == before
    Run.open(run.path, write=False).close()


def test_run_json_tells_the_story(run: Run) -> None:
    commit(run, 0)
    commit(run, 1)
    summary = read_summary(run.path)
    assert summary is not None
    assert summary["sequence"] == 3
    assert summary["iterations"] == [{"number": 0}, {"number": 1}]
    assert summary["config_snapshot"] == "config.yaml"
    assert summary["counters"] == {"games": 20}
    for name in ("protocol_version", "feature_schema_id", "action_space_id", "ruleset_id"):
        assert summary[name] == SCHEMA.envelope()[name]
    assert summary["config_hash"] == run.manifest.config_hash
    (run.path / "run.json").write_bytes(b"")
    assert read_summary(run.path) is None
    run.close()
    with Run.open(run.path, write=True):
        assert read_summary(run.path) == summary


def test_manifest_chain_and_size(run: Run) -> None:
    birth = run.manifest
    commit(run, 0)
    assert run.manifest.parent_digest == birth.digest
    assert run.manifest.parent_sequence == 1
    with pytest.raises(ManifestTooLargeError, match="limit is 65536"):
        run.commit({"text": "x" * 65536}, {})
    assert run.manifest.progress == {"number": 0}
    commit(run, 1)
    with pytest.raises(NumericsError):
        run.commit({"loss": float("inf")}, {})
    run.close()
    with Run.open(run.path, write=True) as again:
        check(again, 1)


def test_every_flip_and_cut_of_a_manifest_is_noticed(run: Run, tmp_path: Path) -> None:
    commit(run, 0)
    path = run.path / "manifests/000002.json"
    data = path.read_bytes()
    copy = tmp_path / "000002.json"
    copy.write_bytes(data)
    assert read_manifest(copy) == run.manifest
    for size in range(len(data)):
        copy.write_bytes(data[:size])
        with pytest.raises(CorruptError):
            read_manifest(copy)
    for at in range(len(data)):
        for bit in (0x01, 0x20):  # 0x20 turns the case of letters, as in hex digits
            changed = bytearray(data)
            changed[at] ^= bit
            copy.write_bytes(changed)
            with pytest.raises(CorruptError):
                read_manifest(copy)
    for tail in (b" ", b"\n", b"\0"):
        copy.write_bytes(data + tail)
        with pytest.raises(CorruptError):
            read_manifest(copy)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 60000,
        b'{"a": ' * 9000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\x80\x04\x95pickle",
    ],
)
def test_hostile_manifests_are_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "000001.json"
    path.write_bytes(text)
    with pytest.raises(CorruptError):
        read_manifest(path)


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "state/../../x", "", "a//b", "state/a\0b", "-x"]
)
def test_references_stay_below_the_run(run: Run, path: str) -> None:
    document = {"kind": "x", "path": path, "bytes": 1, "sha256": "0" * 64}
    with pytest.raises(CorruptError):
        ObjectRef.from_document(document)
    with pytest.raises(CorruptError):
        run.get_object(ObjectRef("x", path, 1, "0" * 64))
    with pytest.raises(CorruptError):
        run.put_file(path, b"x")


def test_symbolic_links_are_not_followed(run: Run, tmp_path: Path) -> None:
    ref = run.put_object("learner", weights(0), {})
    shutil.move(run.path / ref.path, tmp_path / "outside")
    (run.path / ref.path).symlink_to(tmp_path / "outside")
    with pytest.raises(CorruptError):
        run.get_object(ref)


def test_garbage_collection_keeps_what_is_reachable(run: Run) -> None:
    for number in range(15):
        if number == 3:
            run.save_checkpoint(
                weights(3), {}, unit=3, policy=KeepLast(5), parameters=1000, permanent=True
            )
        commit(run, number)
    numbers = sorted(int(path.stem) for path in (run.path / "manifests").iterdir())
    assert numbers == [5, *range(9, 17)]  # commit 5 belongs to the permanent checkpoint
    reached = set()
    for number in numbers:
        manifest = read_manifest(run.path / f"manifests/{number:06d}.json")
        reached |= run.store.reaches(manifest.objects.values())
        for ref in manifest.objects.values():
            run.store.verify(ref)
    present = {f"state/{path.name}" for path in (run.path / "state").iterdir()}
    dropped = present - reached
    # What the manifest removed last reached waits for the next flush of the directory.
    assert len(dropped) == 3
    commit(run, 15)
    assert not any((run.path / path).exists() for path in dropped)
    shards = {path.name for path in (run.path / "replay").iterdir()}
    assert "shard_000000.safetensors" not in shards
    assert "shard_000000.json" not in shards
    assert {"shard_000003.safetensors", "shard_000003.json"} <= shards
    assert len(list((run.path / "models").glob("champion-*.safetensors"))) == 16


def test_last_good_commit_is_kept_whatever_its_age(run: Run) -> None:
    commit(run, 0)
    for number in range(1, 12):
        run.commit({"number": number}, run.manifest.objects, good=False)
    numbers = sorted(int(path.stem) for path in (run.path / "manifests").iterdir())
    assert numbers == [2, *range(6, 14)]


def test_candidates_and_uncommitted_files_are_collected(run: Run) -> None:
    commit(run, 0)
    candidate = run.put_model("candidate", 1, weights(1), {})
    shard = run.put_shard(1, weights(1), {})
    stray = run.put_object("learner", weights(1), {})
    champion = run.put_model("champion", 9, weights(9), {})
    run.commit({"number": 0}, run.manifest.objects)
    for ref in (candidate, shard, stray):  # this process may still commit them
        assert (run.path / ref.path).exists()
    run.close()
    with Run.open(run.path, write=True) as again:
        for ref in (candidate, shard, stray):
            assert not (run.path / ref.path).exists()
            assert not (run.path / ref.path).with_suffix(".json").exists()
        assert (run.path / champion.path).exists()
        check(again, 0)


def test_named_files_are_never_overwritten(run: Run) -> None:
    commit(run, 0)
    with pytest.raises(RunError, match="belongs to a commit and differs"):
        run.put_shard(0, weights(5), {})
    assert run.put_shard(0, weights(0), {}).path == "replay/shard_000000.safetensors"
    # Left by a process that was killed before its commit: kept aside, never lost.
    (run.path / "models/champion-000005.safetensors").write_bytes(b"left over")
    run.put_model("champion", 5, weights(5), {})
    kept = list(run.path.glob("quarantine/*/models/champion-000005.safetensors"))
    assert [path.read_bytes() for path in kept] == [b"left over"]
    about = json.loads((run.path / "models/champion-000005.json").read_bytes())
    assert about["role"] == "champion"
    assert about["run_id"] == run.id
    with pytest.raises(RunError, match="name a folder too"):
        run.put_file("run.json", b"x")


def test_file_in_pieces(run: Run) -> None:
    ref = run.put_file("games/000001.txt", (part for part in (b"one\n", b"", b"two\n")))
    assert (run.path / ref.path).read_bytes() == b"one\ntwo\n"
    assert ref.size == 8
    assert run.store.read(ref) == b"one\ntwo\n"


def test_temporary_files_of_the_dead_are_swept(run: Run) -> None:
    commit(run, 0)
    run.close()
    leftovers = [".learner.123.0123456789abcdef.tmp", ".status.json.1.fedcba9876543210.tmp"]
    others = [".hidden", "notes.tmp"]
    for name in (*leftovers, *others):
        (run.path / "state" / name).write_bytes(b"x")
        (run.path / name).write_bytes(b"x")
    reader = Run.open(run.path, write=False)
    assert (run.path / leftovers[0]).exists()
    reader.close()
    with Run.open(run.path, write=True):
        for name in leftovers:
            assert not (run.path / name).exists()
            assert not (run.path / "state" / name).exists()
        assert (run.path / others[0]).exists()
        assert (run.path / others[1]).exists()


def test_a_reader_needs_only_the_files(run: Run, tmp_path: Path) -> None:
    commit(run, 0)
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    with Run.open(copy, write=False) as reader:
        check(reader, 0)
        assert reader.manifest.champion is not None
        assert reader.manifest.candidate is None
