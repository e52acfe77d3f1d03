"""The manifest: one small immutable document a commit, the only truth about a run's progress.

The file is the one canonical encoding of its content, which holds a digest of all the rest. A
reader re-encodes what it parsed and wants the very same bytes, so any changed byte is noticed,
even where JSON would not care. The scheme (canonical JSON, ``digest`` = SHA-256 of the canonical
document without ``digest``) is the same in all versions, so that a newer manifest is told from
a damaged one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ludus.errors import CorruptError, LudusError, VersionError
from ludus.runs.jsonio import canonical_json, strict_json
from ludus.runs.objects import ObjectRef, read_file
from ludus.runs.schema import MANIFEST_VERSION, PROTOCOL_VERSION, SchemaIds

FORMAT = "ludus-manifest"
SIZE_LIMIT = 64 * 1024
"""A manifest has fewer bytes than this."""


class ManifestTooLargeError(LudusError):
    """The progress given to a commit does not fit: large things belong into objects."""


@dataclass(frozen=True)
class LogPosition:
    """How far a log belongs to a commit.

    Attributes:
        offset: bytes; what lies beyond was written after the commit.
        lines: records up to there.
        steps: the last step of each stream.
    """

    offset: int
    lines: int
    steps: Mapping[str, int]


@dataclass(frozen=True)
class Manifest:
    """One commit.

    Attributes:
        run_id: the run that it belongs to.
        sequence: number of the commit, from 1 (the birth); above all commits that are kept.
        parent_sequence, parent_digest: the commit before it; None at birth.
        written_ms: wall clock, milliseconds since 1970.
        created_ms: wall clock of the run's birth.
        recipe: name of the recipe.
        seed: the run's seed.
        schema: ids of encoder, action space and rules.
        git_hash: of the code at birth; None if unknown.
        config_hash: SHA-256 of ``config.resolved.yaml``.
        config: references to ``config.yaml`` and ``config.resolved.yaml``.
        progress: JSON of the loop.
        counters: all counters.
        objects: by name, the files needed to go on.
        logs: by name, how far each log belongs to the commit.
        elapsed_seconds: worked on the run so far.
        incarnation: which process wrote it.
        permanent: permanent checkpoints written since the commit before; keep the manifest.
        good: whether the numbers had been checked.
    """

    run_id: str
    sequence: int
    parent_sequence: int | None
    parent_digest: str | None
    written_ms: int
    created_ms: int
    recipe: str
    seed: int
    schema: SchemaIds
    git_hash: str | None
    config_hash: str
    config: Mapping[str, ObjectRef]
    progress: Mapping[str, Any]
    counters: Mapping[str, int]
    objects: Mapping[str, ObjectRef]
    logs: Mapping[str, LogPosition]
    elapsed_seconds: float
    incarnation: str
    permanent: tuple[str, ...] = ()
    good: bool = True

    @property
    def champion(self) -> ObjectRef | None:
        """The weights that self-play uses, if committed."""
        return self.objects.get("champion")

    @property
    def candidate(self) -> ObjectRef | None:
        """The weights under training, if committed."""
        return self.objects.get("candidate")

    @property
    def start_date(self) -> str:
        """Day of the run's birth, UTC, as YYYYMMDD."""
        return time.strftime("%Y%m%d", time.gmtime(self.created_ms / 1000))

    @property
    def digest(self) -> str:
        """SHA-256 of the document without its field ``digest``, in hex."""
        return hashlib.sha256(canonical_json(self._body())).hexdigest()

    def _body(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "format_version": MANIFEST_VERSION,
            "protocol_version": PROTOCOL_VERSION,
            "run_id": self.run_id,
            "sequence": self.sequence,
            "parent_sequence": self.parent_sequence,
            "parent_digest": self.parent_digest,
            "written_ms": self.written_ms,
            "created_ms": self.created_ms,
            "recipe": self.recipe,
            "seed": self.seed,
            "schema": self.schema.envelope(),
            "git_hash": self.git_hash,
            "config_hash": self.config_hash,
            "config": {name: ref.document() for name, ref in self.config.items()},
            "progress": dict(self.progress),
            "counters": dict(self.counters),
            "objects": {name: ref.document() for name, ref in self.objects.items()},
            "logs": {
                name: {"offset": at.offset, "lines": at.lines, "steps": dict(at.steps)}
                for name, at in self.logs.items()
            },
            "elapsed_seconds": self.elapsed_seconds,
            "incarnation": self.incarnation,
            "permanent": list(self.permanent),
            "good": self.good,
        }

    def document(self) -> dict[str, Any]:
        """The whole document with its digest."""
        return {**self._body(), "digest": self.digest}

    def encode(self) -> bytes:
        """The bytes of the file; raises ManifestTooLargeError at 64 KB."""
        data = canonical_json(self.document())
        if len(data) >= SIZE_LIMIT:
            raise ManifestTooLargeError(
                f"manifest {self.sequence} would have {len(data)} bytes, the limit is "
                f"{SIZE_LIMIT}: put large things into objects"
            )
        return data

    def successor(
        self,
        *,
        sequence: int,
        progress: Mapping[str, Any],
        objects: Mapping[str, ObjectRef],
        counters: Mapping[str, int],
        logs: Mapping[str, LogPosition],
        elapsed_seconds: float,
        incarnation: str,
        permanent: tuple[str, ...],
        good: bool,
    ) -> Manifest:
        """The next commit of the same run. Raises ManifestTooLargeError, NumericsError."""
        draft = replace(
            self,
            sequence=sequence,
            parent_sequence=self.sequence,
            parent_digest=self.digest,
            written_ms=time.time_ns() // 1_000_000,
            progress=progress,
            objects=objects,
            counters=counters,
            logs=logs,
            elapsed_seconds=round(elapsed_seconds, 3),
            incarnation=incarnation,
            permanent=permanent,
            good=good,
        )
        # Through the encoding, so that memory holds exactly what a reader will see.
        return decode_manifest(draft.encode(), f"manifest {sequence}")


def manifest_name(sequence: int) -> str:
    """File name of a manifest."""
    return f"{sequence:06d}.json"


def decode_manifest(data: bytes, what: str) -> Manifest:
    """Verify and parse the bytes of a manifest.

    Raises:
        VersionError: whole, but of a newer format; both versions are named.
        CorruptError: anything else that :meth:`Manifest.encode` did not write.
    """
    if len(data) >= SIZE_LIMIT:
        raise CorruptError(f"{what} is damaged: {len(data)} bytes, the limit is {SIZE_LIMIT}")
    document = strict_json(data, what)
    try:
        same = canonical_json(document) == data
        digest = document.pop("digest", None)
        whole = same and digest == hashlib.sha256(canonical_json(document)).hexdigest()
    except (LudusError, UnicodeError, RecursionError) as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if not whole:
        raise CorruptError(f"{what} is damaged: its digest does not fit its content")
    if document.get("format") != FORMAT:
        raise CorruptError(f"{what} is no manifest of Ludus: format {document.get('format')!r}")
    for field, known in (
        ("format_version", MANIFEST_VERSION),
        ("protocol_version", PROTOCOL_VERSION),
    ):
        if document.get(field) != known:
            raise VersionError(
                f"{what} has {field} {document.get(field)}, and this version of Ludus reads "
                f"{known}: use the version of Ludus that wrote the run"
            )
    try:
        return _from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptError(f"{what} lacks a field or has one of the wrong type: {error}") from error


def _from_document(document: dict[str, Any]) -> Manifest:
    def references(name: str) -> dict[str, ObjectRef]:
        return {key: ObjectRef.from_document(ref) for key, ref in document[name].items()}

    return Manifest(
        run_id=document["run_id"],
        sequence=int(document["sequence"]),
        parent_sequence=document["parent_sequence"],
        parent_digest=document["parent_digest"],
        written_ms=int(document["written_ms"]),
        created_ms=int(document["created_ms"]),
        recipe=document["recipe"],
        seed=int(document["seed"]),
        schema=SchemaIds.from_envelope(document["schema"]),
        git_hash=document["git_hash"],
        config_hash=document["config_hash"],
        config=references("config"),
        progress=dict(document["progress"]),
        counters=dict(document["counters"]),
        objects=references("objects"),
        logs={
            name: LogPosition(int(at["offset"]), int(at["lines"]), dict(at["steps"]))
            for name, at in document["logs"].items()
        },
        elapsed_seconds=float(document["elapsed_seconds"]),
        incarnation=document["incarnation"],
        permanent=tuple(document["permanent"]),
        good=bool(document["good"]),
    )


def read_manifest(path: Path) -> Manifest:
    """Read, verify and parse a manifest, whose number must be that of its name.

    Raises: FileNotFoundError, CorruptError, VersionError.
    """
    manifest = decode_manifest(read_file(path, SIZE_LIMIT), str(path))
    if path.name != manifest_name(manifest.sequence):
        raise CorruptError(f"{path} holds manifest {manifest.sequence}, which is not its name")
    return manifest
