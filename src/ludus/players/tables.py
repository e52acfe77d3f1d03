"""Players made of a run's pattern tables.

Reading them is the same for every game; what they mean is the game's business
(``GameEntry.tables``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ludus.errors import PlayerError
from ludus.evaluators.tables import KIND, load_tables
from ludus.players.player import ExternalPlayer

if TYPE_CHECKING:
    from ludus.players.spec import PlayableGame


def is_table_run(path: Path) -> bool:
    """Whether the champion of a run is pattern tables; False for what is no run."""
    from ludus.runs import Run, is_run

    if not is_run(path):
        return False
    champion = Run.open(path, write=False).manifest.objects.get("champion")
    return champion is not None and champion.kind == KIND


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
