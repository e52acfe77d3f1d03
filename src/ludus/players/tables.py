"""Players made of a run's pattern tables.

Reading them is the same for every game; what they mean is the game's business
(``GameEntry.tables``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ludus.errors import CorruptError, PlayerError, RunError
from ludus.players.player import ExternalPlayer

if TYPE_CHECKING:
    from ludus.players.spec import PlayableGame

Arrays = dict[str, npt.NDArray[Any]]

KIND = "tables"
"""Kind of the object, and first part of the name of the file, that holds pattern tables."""

_PREFIX = "champion/"


def is_table_run(path: Path) -> bool:
    """Whether the champion of a run is pattern tables; False for what is no run."""
    from ludus.runs import Run, is_run

    if not is_run(path):
        return False
    champion = Run.open(path, write=False).manifest.objects.get("champion")
    return champion is not None and champion.kind == KIND


def load_tables(source: str | Path, model: str = "champion") -> tuple[Arrays, dict[str, Any]]:
    """Arrays of pattern tables, verified, and the JSON that describes them.

    Args:
        source: a run directory, a checkpoint (``.ckpt``) or a file of ``models/``.
        model: of a run: ``champion``, ``first``, a unit's number, or a file as named.

    Raises:
        RunError: neither of these, no such model, or damaged; also its subclasses.
    """
    from ludus.players.search import model_file
    from ludus.runs import Run, is_run, read_checkpoint
    from ludus.runs.tensors import decode

    path = Path(source)
    if not is_run(path):
        if not path.is_file():
            raise RunError(f"{path} is neither a run nor a file of pattern tables")
        if path.suffix == ".ckpt":
            found, header = read_checkpoint(path)
            arrays = {
                name.removeprefix(_PREFIX): np.asarray(array)
                for name, array in found.items()
                if name.startswith(_PREFIX)
            }
            return arrays, dict((header.meta.get("meta") or {}).get("tables") or {})
        return _decoded(path, decode)
    opened = Run.open(path, write=False)
    if model == "champion":
        ref = opened.manifest.objects.get("champion")
        if ref is None:
            raise RunError(f"run {path} has no champion yet; let it finish its first iteration")
        if ref.kind != KIND:
            raise RunError(f"the champion of {path} is no pattern table but a {ref.kind}")
        arrays, meta = opened.get_object(ref)
        return dict(arrays), dict(meta)
    return _decoded(model_file(opened.path, model), decode)


def _decoded(path: Path, decode: Any) -> tuple[Arrays, dict[str, Any]]:
    try:
        arrays, meta = decode(path.read_bytes(), str(path))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    if "patterns" not in meta:
        raise CorruptError(f"{path} carries no description of pattern tables")
    return arrays, meta


def table_player(
    game: PlayableGame,
    source: str | Path,
    *,
    model: str = "champion",
    options: Mapping[str, str] | None = None,
    name: str | None = None,
) -> ExternalPlayer:
    """A run's tables, one move ahead or with a search, as its options say.

    Args:
        game: that it is to play; it must know what tables are.
        source: see :func:`load_tables`.
        model: likewise.
        options: of the search, as texts; the game checks them.
        name: for reports.

    Raises:
        PlayerError: a game without tables, or an option out of range.
        RunError: see :func:`load_tables`.
    """
    make = game.tables
    if make is None:
        raise PlayerError(f"{game.name} has no pattern tables")
    arrays, meta = load_tables(source, model)
    return ExternalPlayer(make(arrays, meta, options or {}), name or f"td:run={source}")
