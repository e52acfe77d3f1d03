"""The checkpoint container: every byte counts, names, order and retention."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from tests.runs.helpers import FaultyOs, commit, new_run, weights

from ludus.errors import CorruptError, RunError, VersionError
from ludus.runs import (
    KeepLast,
    Milestones,
    Run,
    SaveError,
    checkpoint_name,
    container,
    extract_checkpoint,
    list_checkpoints,
    newest_valid_checkpoint,
    read_checkpoint,
    read_header,
    read_ndjson,
    verify_checkpoint,
    write_checkpoint,
)

ARRAYS = {
    "half": np.arange(7, dtype=np.float16),
    "bits": np.array([[0x3F80, 0x7FC1]], np.uint16),
    "scalar": np.array(-1, np.int64),
    "empty": np.zeros((0, 4), np.float32),
    "flag": np.array([True, False]),
}


@pytest.fixture(params=[False, True], ids=["plain", "zstd"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_checkpoint(
        tmp_path / "small.ckpt", ARRAYS, {"sequence": 3, "unit": 5}, compress=request.param
    )


def test_round_trip(small: Path) -> None:
    found, header = read_checkpoint(small)
    assert header.meta == {"sequence": 3, "unit": 5}
    assert header.payload_offset % 64 == 0
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    assert header.tensors["bits"] == {"dtype": "U16", "shape": [1, 2]}
    assert verify_checkpoint(small) == read_header(small) == header


def test_every_flip_and_cut_is_noticed(small: Path, tmp_path: Path) -> None:
    data = small.read_bytes()
    offset = read_header(small).payload_offset
    copy = tmp_path / "copy.ckpt"
    for at in range(len(data)):
        for bit in (1, 0x80):
            changed = bytearray(data)
            changed[at] ^= bit
            copy.write_bytes(changed)
            with pytest.raises((CorruptError, VersionError)):
                verify_checkpoint(copy)
            if at < offset:  # the header is verified without the payload
                with pytest.raises((CorruptError, VersionError)):
                    read_header(copy)
            else:
                read_header(copy)
    for size in range(len(data)):
        copy.write_bytes(data[:size])
        with pytest.raises(CorruptError):
            read_header(copy)
    copy.write_bytes(data + b"\0")
    with pytest.raises(CorruptError):
        verify_checkpoint(copy)


def test_swapped_payload_is_noticed(tmp_path: Path) -> None:
    one = write_checkpoint(tmp_path / "1.ckpt", {"a": np.array([1.0])}, {"n": 1})
    two = write_checkpoint(tmp_path / "2.ckpt", {"a": np.array([2.0])}, {"n": 1})
    offset = read_header(one).payload_offset
    mixed = tmp_path / "mixed.ckpt"
    mixed.write_bytes(one.read_bytes()[:offset] + two.read_bytes()[offset:])
    with pytest.raises(CorruptError, match="payload"):
        read_checkpoint(mixed)


def _resealed(data: bytes, at: int, value: bytes) -> bytes:
    """A forged prefix whose own checksum is right."""
    body = bytearray(data[:124])
    body[at : at + len(value)] = value
    return bytes(body) + struct.pack("<I", zlib.crc32(bytes(body))) + data[128:]


def test_other_versions_are_refused_with_both_named(small: Path) -> None:
    data = small.read_bytes()
    small.write_bytes(_resealed(data, 4, struct.pack("<H", 7)))
    with pytest.raises(VersionError, match=r"format 7 .* reads format 1"):
        verify_checkpoint(small)
    small.write_bytes(_resealed(data, 6, struct.pack("<H", 0x8000)))
    with pytest.raises(VersionError, match="flags 32768"):
        read_header(small)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (12, 2**32 - 1),  # header size
        (16, 2**64 - 1),  # payload offset
        (24, 2**64 - 1),  # stored size
        (32, 2**64 - 1),  # plain size
        (32, 0),
        (8, 64),  # prefix size
    ],
)
def test_hostile_sizes_are_refused_without_allocating(small: Path, at: int, value: int) -> None:
    width = "<I" if at in (8, 12) else "<Q"
    small.write_bytes(_resealed(small.read_bytes(), at, struct.pack(width, value)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CorruptError):
        read_checkpoint(small)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize(
    "data", [b"", b"LUDS", b"PRSM" + bytes(200), b"\x80\x04\x95" + bytes(200), b"PK\x03\x04" * 99]
)
def test_foreign_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(data)
    with pytest.raises(CorruptError):
        read_checkpoint(path)
    with pytest.raises(RunError, match="no checkpoint"):
        read_checkpoint(tmp_path / "absent.ckpt")


def test_extract_gives_a_plain_safetensors_file(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "plain.safetensors"
    extract_checkpoint(small, target)
    found = safetensors.numpy.load_file(target)
    assert all(found[name].tobytes() == array.tobytes() for name, array in ARRAYS.items())
    with pytest.raises(RunError, match="exists already"):
        extract_checkpoint(small, target)


def test_compression_saves_room_and_writing_makes_no_second_copy(tmp_path: Path) -> None:
    big = {"table": np.zeros(32 << 20, np.uint8)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = write_checkpoint(tmp_path / "big.ckpt", big, {}, compress=True)
    assert path.stat().st_size < 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 24 * 1024
    assert read_checkpoint(path)[0]["table"].nbytes == 32 << 20


@pytest.mark.parametrize(
    ("parameters", "elo", "expected"),
    [
        (204_800, None, "20261120-yatzy-v1-0.2M-iter005.ckpt"),
        (4_870_000, 1234.4, "20261120-yatzy-v1-4.9M-iter005-elo1234.ckpt"),
        (20_480, 987.6, "20261120-yatzy-v1-20.5K-iter005-elo0988.ckpt"),
    ],
)
def test_names(parameters: int, elo: float | None, expected: str) -> None:
    assert checkpoint_name("20261120", "yatzy", parameters, 5, elo=elo) == expected


def test_milestones_and_cache(run: Run) -> None:
    removed = []
    for unit in range(1, 18):
        _, gone = run.save_checkpoint(
            weights(unit), {"unit": unit}, unit=unit, policy=Milestones(5, 4), parameters=2_000_000
        )
        removed += gone
    entries = list_checkpoints(run.path)
    assert [entry.unit for entry in entries if entry.where == "permanent"] == [5, 10, 15]
    assert [entry.unit for entry in entries if entry.where == "cache"] == [13, 14, 16, 17]
    assert [entry.sequence for entry in entries] == sorted(entry.sequence for entry in entries)
    events, _ = read_ndjson(run.path / "logs/events.ndjson")
    told = [event for event in events if event["event"] == "checkpoint_removed"]
    assert len(told) == len(removed) == 10
    assert all(event["bytes"] > 0 and "megabytes" in event for event in told)
    saved = [event for event in events if event["event"] == "checkpoint_saved"]
    assert {event["kind"] for event in saved} == {"permanent", "cache"}


def test_of_ten_in_the_cache_the_newest_four_stay(run: Run) -> None:
    for unit in range(10):
        policy = Milestones(every=100, cache=4) if unit else KeepLast(4)  # 0 is no milestone
        run.save_checkpoint(weights(unit), {}, unit=unit, policy=policy, parameters=1)
        assert len(list((run.path / "checkpoints/cache").iterdir())) <= 4
    assert [entry.unit for entry in list_checkpoints(run.path)] == [6, 7, 8, 9]


def test_permanent_checkpoints_are_never_rotated(run: Run) -> None:
    kept: dict[str, bytes] = {}
    for unit in range(1, 31):
        entry, _ = run.save_checkpoint(
            weights(unit), {}, unit=unit, policy=Milestones(5, 1), parameters=1, elo=1200.0 + unit
        )
        if unit in (5, 10, 15, 20):
            assert entry.where == "permanent"
            assert f"iter{unit:03d}-elo{1200 + unit}" in entry.path
            kept[entry.path] = (run.path / entry.path).read_bytes()
    assert len(kept) == 4
    assert all((run.path / path).read_bytes() == data for path, data in kept.items())


def test_ratings_are_in_the_names_of_permanent_checkpoints_only(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    for unit, elo in ((4, 900.4), (5, 987.6), (10, float("nan"))):
        run.save_checkpoint(
            weights(unit), {}, unit=unit, policy=Milestones(5, 4), parameters=1, elo=elo
        )
    cached, rated, unrated = list_checkpoints(run.path)
    assert (cached.where, cached.elo, "-elo" in cached.path) == ("cache", 900.4, False)
    assert rated.path.endswith("iter005-elo0988.ckpt")
    assert unrated.path.endswith("iter010.ckpt")
    assert unrated.elo is None
    assert "a rating of nan is left out" in caplog.text


def test_a_cache_folder_that_is_gone_is_no_error(run: Run) -> None:
    run.save_checkpoint(weights(1), {}, unit=1, policy=KeepLast(2), parameters=1)
    shutil.rmtree(run.path / "checkpoints")
    entry, gone = run.save_checkpoint(weights(2), {}, unit=2, policy=KeepLast(2), parameters=1)
    assert gone == []
    assert [one.path for one in list_checkpoints(run.path)] == [entry.path]


def test_order_is_by_sequence_never_by_file_time_or_unit(run: Run) -> None:
    for unit in (9, 8, 7, 2, 1, 3, 3):  # after a rollback the units start again
        run.save_checkpoint(weights(unit), {}, unit=unit, policy=KeepLast(5), parameters=1)
    for index, entry in enumerate(list_checkpoints(run.path)):
        os.utime(run.path / entry.path, (1e9 - index, 1e9 - index))
    entries = list_checkpoints(run.path)
    assert [entry.unit for entry in entries] == [7, 2, 1, 3, 3]
    assert entries[-1].path.endswith("iter003-2.ckpt")
    run.close()
    with Run.open(run.path, write=True) as again:
        entry, _ = again.save_checkpoint(weights(1), {}, unit=1, policy=KeepLast(5), parameters=1)
        assert entry.sequence == entries[-1].sequence + 1


def test_the_date_in_the_name_is_that_of_the_birth(run: Run) -> None:
    run.counters.add("selfplay_games", 7)
    entry, _ = run.save_checkpoint(weights(1), {}, unit=1, policy=KeepLast(), parameters=300_000)
    assert f"/{run.manifest.start_date}-toy-v1-0.3M-iter001.ckpt" in entry.path
    header = read_header(run.path / entry.path)
    assert header.meta["schema"] == run.schema.envelope()
    assert header.meta["start_date"] == run.manifest.start_date
    assert header.meta["counters"]["selfplay_games"] == 7
    assert abs(header.meta["saved_ms"] / 1000 - time.time()) < 60


def test_the_default_keeps_five(run: Run) -> None:
    for unit in range(1, 8):
        run.save_checkpoint(weights(unit), {}, unit=unit, policy=KeepLast(), parameters=1)
    assert [entry.unit for entry in list_checkpoints(run.path)] == [3, 4, 5, 6, 7]


def test_a_save_that_failed_removes_nothing(run: Run, faulty_os: Callable[..., FaultyOs]) -> None:
    run.save_checkpoint(weights(1), {}, unit=1, policy=KeepLast(1), parameters=1)
    faulty_os(1, errno.ENOSPC, only=("write",))
    with pytest.raises(SaveError):
        run.save_checkpoint(weights(2), {}, unit=2, policy=KeepLast(1), parameters=1)
    (left,) = list_checkpoints(run.path)
    assert left.unit == 1
    assert [path.name for path in (run.path / "checkpoints/cache").iterdir()] == [
        left.path.rpartition("/")[2]
    ]


def test_protected_unreadable_and_permanent_files_stay(run: Run) -> None:
    first, _ = run.save_checkpoint(weights(1), {}, unit=1, policy=KeepLast(1), parameters=1)
    run.checkpoints.protected.add(first.path)
    mine = run.path / "checkpoints/cache/mine.ckpt"
    mine.write_bytes(b"not a checkpoint")
    kept, _ = run.save_checkpoint(
        weights(2), {}, unit=2, policy=KeepLast(1), parameters=1, permanent=True
    )
    for unit in (3, 4):
        run.save_checkpoint(weights(unit), {}, unit=unit, policy=KeepLast(1), parameters=1)
    assert mine.exists()
    paths = [entry.path for entry in list_checkpoints(run.path)]
    assert first.path in paths
    assert kept.path in paths
    assert len([path for path in paths if "cache" in path]) == 3
    assert list_checkpoints(run.path)[0].error is not None


def test_a_failed_removal_only_warns(
    run: Run, faulty_os: Callable[..., FaultyOs], caplog: pytest.LogCaptureFixture
) -> None:
    run.save_checkpoint(weights(1), {}, unit=1, policy=KeepLast(1), parameters=1)
    # The first unlink is the temporary name of the new checkpoint, the second the removal.
    faulty_os(2, errno.EBUSY, only=("unlink",))
    _, gone = run.save_checkpoint(weights(2), {}, unit=2, policy=KeepLast(1), parameters=1)
    assert [removal.error for removal in gone] == [os.strerror(errno.EBUSY)]
    assert "could not remove" in caplog.text
    assert len(list_checkpoints(run.path)) == 2


def test_newest_valid_checkpoint_is_found(run: Run) -> None:
    assert newest_valid_checkpoint(run.path) is None
    for unit in (1, 2, 3):
        run.save_checkpoint(weights(unit), {}, unit=unit, policy=KeepLast(), parameters=1)
    entries = list_checkpoints(run.path)
    for entry in entries[1:]:
        path = run.path / entry.path
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = newest_valid_checkpoint(run.path)
    assert found is not None
    assert found.unit == 1
    (run.path / found.path).write_bytes(b"")
    assert newest_valid_checkpoint(run.path) is None


def test_writing_never_replaces(small: Path) -> None:
    before = small.read_bytes()
    with pytest.raises(container.NameTakenError):
        write_checkpoint(small, {}, {})
    assert small.read_bytes() == before
    assert not list(small.parent.glob(".*"))


@pytest.mark.parametrize("bad", [0, -1])
def test_policies_refuse_nonsense(bad: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        KeepLast(bad)
    with pytest.raises(ValueError, match="every >= 1"):
        Milestones(bad, 4)


def test_permanent_checkpoint_keeps_its_commit(tmp_path: Path) -> None:
    with new_run(tmp_path / "run") as run:
        entry, _ = run.save_checkpoint(weights(0), {}, unit=5, policy=Milestones(), parameters=1)
        commit(run, 0)
        assert run.manifest.permanent == (entry.path,)
        commit(run, 1)
        assert run.manifest.permanent == ()
