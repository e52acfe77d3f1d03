"""How a run directory comes into being, and its configuration."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ludus import reading
from ludus.errors import CorruptError, RunError, RunLockedError
from ludus.runs import layout
from ludus.runs.lock import RunLock, lock_holder
from ludus.runs.manifest import Manifest, manifest_name
from ludus.runs.objects import ObjectRef, SaveError, fsync_directory, replace_file
from ludus.runs.schema import SchemaIds
from ludus.runs.store import ObjectStore

_CONFIG_LIMIT = 1 << 20


def create(
    path: Path,
    *,
    recipe: str,
    asked: bytes,
    resolved: Mapping[str, Any],
    seed: int,
    schema: SchemaIds,
    git_hash: str | None,
) -> tuple[Path, RunLock, Manifest]:
    """Make the directory; the birth manifest comes last, and only it makes the directory a run.

    Returns: the directory, its lock (held), its first manifest. Raises as ``Run.create``.
    """
    require_free(path)
    resolved_bytes = yaml.safe_dump(dict(resolved), sort_keys=True).encode("utf-8")
    if max(len(asked), len(resolved_bytes)) > _CONFIG_LIMIT:
        raise RunError(f"the configuration of {path} is larger than {_CONFIG_LIMIT} bytes")
    made = _make_directory(path)
    lock = RunLock.acquire(path)
    try:
        require_free(path)  # another process may have created it meanwhile
        for name in layout.SUBDIRECTORIES:
            _make_directory(path / name)
        replace_file(path / layout.CONFIG, asked, durable=True)
        replace_file(path / layout.RESOLVED, resolved_bytes, durable=True)
        now = time.time_ns() // 1_000_000
        day = time.strftime("%Y%m%d", time.gmtime(now / 1000))
        config_hash = hashlib.sha256(resolved_bytes).hexdigest()
        manifest = Manifest(
            run_id=f"{recipe}-{day}-{secrets.token_hex(4)}",
            sequence=1,
            parent_sequence=None,
            parent_digest=None,
            written_ms=now,
            created_ms=now,
            recipe=recipe,
            seed=seed,
            schema=schema,
            git_hash=git_hash,
            config_hash=config_hash,
            config={
                "asked": ObjectRef(
                    "config", layout.CONFIG, len(asked), hashlib.sha256(asked).hexdigest()
                ),
                "resolved": ObjectRef("config", layout.RESOLVED, len(resolved_bytes), config_hash),
            },
            progress={},
            counters={},
            objects={},
            logs={},
            elapsed_seconds=0.0,
            incarnation="birth",
        )
        for directory in (path, path / "checkpoints"):
            fsync_directory(directory)
        ObjectStore(path).put_manifest(manifest_name(1), manifest.encode())
        if made:
            fsync_directory(path.parent)
    except BaseException:
        lock.release()
        raise
    return path, lock, manifest


def require_free(path: Path) -> None:
    """Refuse a directory that is a run already, or holds files that no killed creation left.

    Raises:
        RunLockedError: somebody trains that run; the sentence names the process.
        RunError: as one sentence.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise RunError(f"{path} exists and is no directory: name another run directory")
    if layout.is_run(path):
        holder = lock_holder(path)
        if holder is not None and holder.pid != os.getpid():  # of two births, the other was first
            raise RunLockedError(f"{path} is a run already, and in use by {holder}")
        raise RunError(f"{path} is a run already: train again to continue it, or use --new")
    ours = {Path(name).parts[0] for name in layout.SUBDIRECTORIES} | set(layout.FILES)
    foreign = [name for name in sorted(os.listdir(path)) if name not in ours and name[0] != "."]
    if foreign:
        raise RunError(
            f"{path} is no run directory and not empty (it holds {foreign[0]}): name another one"
        )


def _make_directory(path: Path) -> bool:
    """Make a directory and its parents; returns whether it was missing."""
    if path.is_dir():
        return False
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(f"could not make {path}: {error.strerror}") from error
    return True


def read_config(path: Path, manifest: Manifest) -> dict[str, Any]:
    """The resolved configuration of a run, verified against the manifest.

    Raises: CorruptError.
    """
    data = ObjectStore(path).read(manifest.config["resolved"], _CONFIG_LIMIT)
    try:
        config = reading.parse_yaml(data, _CONFIG_LIMIT)
    except ValueError as error:
        raise CorruptError(f"{path / layout.RESOLVED} cannot be parsed: {error}") from error
    if not isinstance(config, dict):
        raise CorruptError(f"{path / layout.RESOLVED} holds no settings")
    return config


def read_asked(path: Path, manifest: Manifest) -> bytes:
    """The exact bytes of the configuration as asked for; raises CorruptError."""
    return ObjectStore(path).read(manifest.config["asked"], _CONFIG_LIMIT)
