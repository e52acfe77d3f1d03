"""Shard files: records of a fixed range of game ids, with a JSON neighbour.

Equal games give equal bytes, whenever and by whomever they are written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from ludus.errors import CorruptError
from ludus.replay.records import GameRecords
from ludus.replay.schema import ReplaySchema

Put = Callable[[str, bytes], object]
"""Writes a file durably under a new name below the run directory, e.g. ``Run.put_file``."""

Load = Callable[[str], bytes]
"""Reads a file below the run directory."""


@dataclass(frozen=True, kw_only=True)
class ShardEntry:
    """One shard as the index knows it.

    Attributes:
        index: k; the shard holds the games [k * games_per_shard, (k + 1) * games_per_shard).
        games: number of games; fewer than the range has where rules of an own game failed.
        samples: number of plies.
        size: bytes of the safetensors file.
        sha256: of the safetensors file.
        meta_size: bytes of the JSON neighbour.
        meta_sha256: of the JSON neighbour.
    """

    index: int
    games: int
    samples: int
    size: int
    sha256: str
    meta_size: int
    meta_sha256: str

    @property
    def name(self) -> str:
        """Path of the shard below the run directory."""
        return shard_name(self.index)

    @property
    def meta_name(self) -> str:
        """Path of the JSON neighbour."""
        return shard_name(self.index).removesuffix(".safetensors") + ".meta.json"

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def shard_name(index: int) -> str:
    """``replay/shard_000000.safetensors``."""
    return f"replay/shard_{index:06d}.safetensors"


def encode_shard(
    schema: ReplaySchema, index: int, records: GameRecords
) -> tuple[ShardEntry, bytes, bytes]:
    """Entry, safetensors bytes and JSON bytes of a shard."""
    tensors = {name: np.ascontiguousarray(array) for name, array in records.columns.items()}
    data = bytes(safetensors_numpy.save(tensors))
    sha256 = hashlib.sha256(data).hexdigest()
    ids = records.game_ids
    meta = {
        **schema.as_json(),
        "shard": index,
        "first_game": int(ids[0]) if len(ids) else 0,
        "end_game": int(ids[-1]) + 1 if len(ids) else 0,
        "games": len(records),
        "samples": records.samples,
        "bytes": len(data),
        "sha256": sha256,
    }
    text = (json.dumps(meta, sort_keys=True, indent=1) + "\n").encode()
    entry = ShardEntry(
        index=index,
        games=len(records),
        samples=records.samples,
        size=len(data),
        sha256=sha256,
        meta_size=len(text),
        meta_sha256=hashlib.sha256(text).hexdigest(),
    )
    return entry, data, text


def decode_shard(schema: ReplaySchema, entry: ShardEntry, data: bytes, meta: bytes) -> GameRecords:
    """Read a shard back.

    Raises:
        CorruptError: bytes that differ from those of the index, or no sound columns.
        VersionError: another schema, with both values named.
    """
    for name, content, wanted in (
        (entry.meta_name, meta, entry.meta_sha256),
        (entry.name, data, entry.sha256),
    ):
        if hashlib.sha256(content).hexdigest() != wanted:
            raise CorruptError(f"{name} is damaged: its SHA-256 is not {wanted}")
    schema.require(json.loads(meta), entry.meta_name)
    return read_columns(data, entry.name)


def read_columns(data: bytes, where: str) -> GameRecords:
    """Records of safetensors bytes.

    Raises:
        CorruptError: not a safetensors file, cut short, or no sound columns.
    """
    try:
        columns = safetensors_numpy.load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CorruptError(f"{where} is damaged: {error}") from error
    return GameRecords(columns)
