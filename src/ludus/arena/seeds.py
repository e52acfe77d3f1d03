"""Seed sets: the stored, ordered lists of episode seeds that make matches comparable.

A set is a JSON file with an id, its seeds as 16 hexadecimal digits (a u64 does not survive in every
JSON reader as a number) and the SHA-256 of the exact ordered list, 8 bytes a seed, little-endian.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core, reading
from ludus.errors import CorruptError, UserError, VersionError

SCHEMA = "ludus_seed_set_v1"
"""Identifier of the file format."""

FOLDER = Path("seeds")
"""Where sets are stored under a name: ``seeds/NAME.json`` below the working directory."""

LARGEST = 1_000_000
"""Most seeds of a set that is made from its id."""

_FILE_LIMIT = 64 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_GENERATED = re.compile(r"([A-Za-z0-9_]+)-(\d+)-(\d+)(?:\[:(\d+)\])?")

Seeds = npt.NDArray[np.uint64]
"""Episode seeds in order, ``u64[n]``."""


def seeds_hash(seeds: npt.ArrayLike) -> str:
    """SHA-256 over the exact ordered list, each seed as 8 bytes little-endian."""
    return hashlib.sha256(np.asarray(seeds, dtype="<u8").tobytes()).hexdigest()


@dataclass(frozen=True)
class SeedSet:
    """Episode seeds with a name; pair number i of a match is played with ``seeds[i]``, twice.

    Attributes:
        id: the name by which runs and reports refer to it.
        seeds: ``u64[n]``, not to be changed.
    """

    id: str
    seeds: Seeds

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the ordered list (:func:`seeds_hash`)."""
        return seeds_hash(self.seeds)

    def __len__(self) -> int:
        return len(self.seeds)

    def first(self, count: int) -> SeedSet:
        """The first ``count`` seeds as a set of their own.

        Raises:
            UserError: the set has fewer.
        """
        if not 1 <= count <= len(self):
            raise UserError(f"seed set {self.id} has {len(self)} seeds, but {count} are asked for")
        return self if count == len(self) else SeedSet(f"{self.id}[:{count}]", self.seeds[:count])

    @classmethod
    def generate(cls, seed: int, count: int, *, purpose: str = "arena", start: int = 0) -> SeedSet:
        """The seeds that follow from one seed; a longer set begins with the shorter one.

        Args:
            seed: u64.
            count: number of pairs, at least 1.
            purpose: what the set is for; sets of two purposes share nothing, nor do they share
                anything with the games of self-play.
            start: number of the first seed to be taken; the set holds ``count - start``.

        Raises:
            UserError: a count under 1 or a seed that is no u64.
        """
        if count < 1:
            raise UserError(f"a seed set needs at least 1 seed, not {count}")
        if not 0 <= seed < 2**64:
            raise UserError(f"seed {seed} must lie between 0 and 2^64 - 1")
        label = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
        base = _core.derive_seed(seed, "episode", label)
        seeds = np.array(
            [_core.derive_seed(base, "episode", i) for i in range(start, count)], dtype=np.uint64
        )
        whole = f"{purpose}-{seed}-{count}"
        return cls(f"{whole}[{start}:]" if start else whole, seeds)

    def as_json(self) -> dict[str, Any]:
        """The content of the file."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "count": len(self),
            "sha256": self.hash,
            "seeds": [f"{int(seed):016x}" for seed in self.seeds],
        }

    @classmethod
    def from_json(cls, data: Any, where: str = "seed set") -> SeedSet:
        """The inverse of :meth:`as_json`.

        Raises:
            VersionError: another schema.
            CorruptError: a field is missing or wrong, or the list does not have its hash.
        """
        schema = data.get("schema") if isinstance(data, dict) else None
        if schema != SCHEMA:
            raise VersionError(f"{where} has schema {schema!r}, but this program reads {SCHEMA!r}")
        try:
            seeds = np.array([int(text, 16) for text in data["seeds"]], dtype=np.uint64)
            found = cls(str(data["id"]), seeds)
            stated = data["sha256"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptError(f"{where} is not a list of seeds: {error!r}") from error
        if len(found) == 0 or found.hash != stated:
            raise CorruptError(f"{where} does not hold the seeds that its hash {stated} names")
        return found

    def write(self, path: Path) -> None:
        """Store the set; an existing file stays when it holds the same list.

        Raises:
            UserError: the file holds another list.
        """
        if path.exists():
            if SeedSet.read(path).hash != self.hash:
                raise UserError(f"{path} holds other seeds already; name another file")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> SeedSet:
        """Load a stored set.

        Raises:
            UserError: no such file.
            CorruptError, VersionError: as in :meth:`from_json`.
        """
        try:
            data = reading.parse_json(reading.read_regular(path, _FILE_LIMIT))
        except FileNotFoundError as error:
            raise UserError(f"there is no seed set {path}") from error
        except OSError as error:
            raise UserError(f"seed set {path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise CorruptError(f"seed set {path} is no JSON: {error}") from error
        return cls.from_json(data, f"seed set {path}")


def stored_path(name: str) -> Path:
    """Where a set of that name is stored.

    Raises:
        UserError: no name that a file could have.
    """
    if _NAME.fullmatch(name) is None:
        raise UserError(
            f"{name!r} is no name for a seed set: use letters, digits, '_', '-' and '.'"
        )
    return FOLDER / f"{name}.json"


def find_seed_set(name: str) -> SeedSet:
    """The set that a name, a file or an id means.

    In this order: a file of that path; ``seeds/NAME.json``; an id as reports print it
    (``arena-1-500``, also ``arena-1-500[:100]``), whose seeds follow from it.

    Raises:
        UserError: none of these; the sentence lists the stored names.
        CorruptError, VersionError: as of :meth:`SeedSet.read`.
    """
    path = Path(name)
    if path.is_file() or "/" in name or name.endswith(".json"):
        return SeedSet.read(path)
    if _NAME.fullmatch(name) is not None and stored_path(name).is_file():
        return SeedSet.read(stored_path(name))
    made = _GENERATED.fullmatch(name)
    if made is not None:
        purpose, seed, count, first = made[1], int(made[2]), int(made[3]), made[4]
        if not 1 <= count <= LARGEST:
            raise UserError(f"seed set {name} would have {count} seeds: 1 to {LARGEST} are allowed")
        whole = SeedSet.generate(seed, count, purpose=purpose)
        return whole if first is None else whole.first(int(first))
    known = sorted(path.stem for path in FOLDER.glob("*.json")) if FOLDER.is_dir() else []
    stored = f"stored in {FOLDER}/ are {', '.join(known)}" if known else f"{FOLDER}/ stores none"
    raise UserError(
        f"there is no seed set {name!r}: it is no file, {stored}, and it is no id such as "
        "arena-1-500; make one with `ludus seeds make NAME`"
    )
