"""Where a new run's first weights come from: its seed, or the champion of another run.

The source is read when the run is made and checked by its digest; where it was stands in
``config.resolved.yaml`` as ``init_from``. A run that has begun needs it no more. No torch here but
in :func:`weights_of`: a mistake is told before a trainer is started.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludus.errors import ConfigError, RunError, VersionError
from ludus.games import GameEntry
from ludus.runs import Run, SchemaIds, is_run, read_checkpoint, read_header

_PREFIX = "champion/"


def find_source(path: Path, entry: GameEntry) -> dict[str, Any]:
    """What a new run is to start from, as JSON for its configuration.

    Args:
        path: a checkpoint, or a run directory, whose champion is meant.
        entry: the game that is to be trained.

    Raises:
        RunError: neither of both, damaged, without a champion, or made for another game.
    """
    if is_run(path):
        run = Run.open(path, write=False)
        ref = run.manifest.objects.get("champion")
        if ref is None:
            raise RunError(f"the run {path} has no champion yet: nothing can start from it")
        _require_game(run.schema.envelope(), entry, f"the run {path}")
        return {
            "path": str(path.resolve()),
            "kind": "run",
            "file": ref.path,
            "sha256": ref.sha256,
            "run_id": run.id,
            "unit": run.manifest.progress.get("units", {}).get("champion"),
        }
    if not path.is_file():
        raise RunError(f"--init-from {path} is neither a checkpoint nor a run")
    header = read_header(path)
    if not any(name.startswith(_PREFIX) for name in header.tensors):
        raise RunError(f"the checkpoint {path} holds no champion: nothing can start from it")
    _require_game(header.meta.get("schema"), entry, f"the checkpoint {path}")
    return {
        "path": str(path.resolve()),
        "kind": "checkpoint",
        "file": path.name,
        "sha256": header.payload_sha256,
        "run_id": header.meta.get("run_id"),
        "unit": header.meta.get("unit"),
    }


def _require_game(found: Any, entry: GameEntry, where: str) -> None:
    rules = entry.rules
    wanted = SchemaIds(rules.encoder_id, rules.action_space_id, rules.rules_id).envelope()
    for key in ("ruleset_id", "action_space_id", "feature_schema_id"):
        have = found.get(key) if isinstance(found, Mapping) else None
        if have != wanted[key]:
            raise RunError(f"{where} has {key} {have}, but {entry.name} has {wanted[key]}")


def require_same_source(run: Run, asked: Path | None) -> None:
    """Refuse ``--init-from`` for a run that began otherwise.

    Args:
        run: that exists.
        asked: what ``--init-from`` says; the file need not be there any more.

    Raises:
        ConfigError: naming both.
    """
    if asked is None:
        return
    recorded = run.config.get("init_from")
    before = recorded.get("path") if isinstance(recorded, Mapping) else None
    if before != str(asked.resolve()):
        began = f"began from {before}" if before else "began from its seed"
        raise ConfigError(
            f"the run {run.path} {began}, not from {asked}: leave --init-from out to continue it, "
            "or start another with --new"
        )


def weights_of(source: Mapping[str, Any], net: Any) -> dict[str, NDArray[np.float32]]:
    """The champion's weights of a source, verified, for a network.

    Args:
        source: as of :func:`find_source`.
        net: the network that is to have them.

    Raises:
        RunError: as of :func:`arrays_of_source`, or weights of another shape.
    """
    from ludus.nets import load_arrays

    arrays, path = arrays_of_source(source)
    try:
        load_arrays(net, arrays)
    except VersionError as error:
        raise RunError(
            f"{path} cannot begin this run: {error}; give the new run the same model.* settings"
        ) from error
    return arrays


def arrays_of_source(source: Mapping[str, Any]) -> tuple[dict[str, NDArray[Any]], Path]:
    """The champion's arrays of a source, verified, and where they come from.

    Args:
        source: as of :func:`find_source`.

    Raises:
        RunError: the file has changed since, or is damaged.
    """
    path = Path(str(source["path"]))
    if source["kind"] == "run":
        run = Run.open(path, write=False)
        ref = run.manifest.objects.get("champion")
        if ref is None or ref.sha256 != source["sha256"]:
            raise RunError(f"the run {path} has another champion by now: start again")
        arrays = run.get_object(ref)[0]
    else:
        found, header = read_checkpoint(path)
        if header.payload_sha256 != source["sha256"]:
            raise RunError(f"the checkpoint {path} is another file by now: start again")
        arrays = {
            name.removeprefix(_PREFIX): array
            for name, array in found.items()
            if name.startswith(_PREFIX)
        }
    return arrays, path
