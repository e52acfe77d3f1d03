"""Players made of a run's weights: with a search, or the bare network.

Evaluation plays without root noise and at temperature 0, and equal visits go to the lowest action:
the same position gives the same action, whoever asks and however often.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ludus import _core
from ludus.errors import CorruptError, PlayerError, RunError
from ludus.evaluators import UniformEvaluator
from ludus.players.player import SearchPlayer

if TYPE_CHECKING:  # torch is loaded when a network is, and what reads a run likewise
    from ludus.nets import Network
    from ludus.runs import Run

_FROM_CONFIG = {
    "rule": "rule",
    "c_puct": "c_puct",
    "fpu_reduction": "fpu_reduction",
    "considered": "considered",
    "c_visit": "c_visit",
    "c_scale": "c_scale",
    "q_spread": "q_spread",
    "virtual_loss": "virtual_loss",
    "max_inflight_per_game": "max_inflight",
    "margin_weight": "margin_weight",
}
"""Keys of the section ``search`` of a run's configuration -> settings of the slots."""

_FROM_CONFIG_HIDDEN = ("worlds", "open_worlds", "information_sets", "evidence", "belief")
"""Keys of the same section, the same for the slots, in games with hidden information."""


def evaluation_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A searching player's settings for gating and evaluation.

    No root noise, temperature 0, no tree kept over moves, every search a full one; the rest as
    given.
    """
    capped = ("full_fraction", "fast_simulations")
    return {
        **{key: value for key, value in settings.items() if key not in capped},
        "noise_fraction": 0.0,
        "temperature": [0.0],
        "reuse_tree": False,
    }


def settings_of_run(config: Mapping[str, Any], game: _core.Game) -> dict[str, Any]:
    """How a run searches, from its resolved configuration, with evaluation settings.

    Args:
        config: ``Run.config``; its section ``search`` has ``budget``, ``budget_by_kind`` and the
            keys of a search, missing ones have the defaults of the slots.
        game: gives the kinds of decision.
    """
    search = config.get("search", {})
    settings: dict[str, Any] = {
        ours: search[theirs] for theirs, ours in _FROM_CONFIG.items() if theirs in search
    }
    if game.has_hidden:
        settings |= {key: search[key] for key in _FROM_CONFIG_HIDDEN if key in search}
    if "budget" in search:
        by_kind = search.get("budget_by_kind", {})
        settings["simulations"] = [
            by_kind.get(kind, search["budget"]) for kind in game.decision_kinds
        ]
    return evaluation_settings(settings)


def load_network(game: _core.Game, run: str | Path, model: str = "champion") -> tuple[Network, Run]:
    """Read weights of a run, verified; the run is opened for reading only.

    Args:
        game: the game that is to be played.
        run: the run directory.
        model: ``champion`` or ``candidate`` as last committed, ``first`` (the run's first network),
            a number (the champion of that unit) or a safetensors file (as named, or in the run's
            ``models/``).

    Returns: the network, and the run.

    Raises:
        RunError: no such run, or no such model in it; also its subclasses for damaged or foreign
            files.
    """
    from ludus.nets import from_arrays
    from ludus.runs import Run
    from ludus.runs.models import model_file, read_model

    opened = Run.open(run, write=False)
    if model in ("champion", "candidate"):
        ref = opened.manifest.objects.get(model)
        if ref is None:
            raise RunError(f"run {run} has no {model} yet; let it finish its first iteration")
        arrays, meta = opened.get_object(ref)
        return from_arrays(game, arrays, meta, f"{run}/{ref.path}"), opened
    path = model_file(opened.path, model)
    arrays, meta = read_model(path)
    if meta.get("network") is None:
        raise CorruptError(f"{path} carries no description of a network")
    return from_arrays(game, arrays, meta, str(path)), opened


def search_player(
    game: _core.Game,
    run: str | Path,
    *,
    model: str = "champion",
    overrides: Mapping[str, Any] | None = None,
    backend: str | None = None,
    name: str | None = None,
) -> SearchPlayer:
    """A run's network with the run's search, in evaluation settings.

    Args:
        game: the rules.
        run: the run directory.
        model: see :func:`load_network`.
        overrides: settings of the slots that replace those of the run.
        backend: of the network, see :class:`ludus.evaluators.NetworkEvaluator`; that of the run by
            default, ``torch-f32`` where it left it open.
        name: for reports.

    Raises:
        RunError: see :func:`load_network`.
        ConfigError: a backend that this machine lacks, or a margin weight that the network cannot
            have.
    """
    from ludus.evaluators import REFERENCE, NetworkEvaluator

    net, opened = load_network(game, run, model)
    settings = {**settings_of_run(opened.config, game), **(overrides or {})}
    if backend is None:
        backend = str(opened.config.get("runtime", {}).get("backend", "auto"))
        backend = REFERENCE if backend == "auto" else backend
    evaluator = NetworkEvaluator(
        net,
        backend=backend,
        margin_weight=float(settings.get("margin_weight", 0.0)),
    )
    return SearchPlayer(evaluator, settings, name or f"search:run={run},model={model}")


def policy_player(
    game: _core.Game,
    run: str | Path,
    *,
    model: str = "champion",
    backend: str | None = None,
    name: str | None = None,
) -> SearchPlayer:
    """A run's network without a search: the legal action with the highest policy logit.

    It is a search of no simulations, whose most likely action is that of the prior.
    """
    return search_player(
        game,
        run,
        model=model,
        overrides={"rule": "puct", "simulations": [0]},
        backend=backend,
        name=name or f"policy:run={run},model={model}",
    )


def uniform_player(
    settings: Mapping[str, Any] | None = None, name: str = "uniform"
) -> SearchPlayer:
    """A search that finds every position even and every action alike, in evaluation settings."""
    return SearchPlayer(UniformEvaluator(), evaluation_settings(settings or {}), name)


def require_simulations(text: str, where: str) -> list[int]:
    """Budgets from ``64``, or ``48/16`` for one a kind of decision.

    Raises:
        PlayerError: not integers in 0..60000.
    """
    parts = text.split("/")
    if not all(part.isdigit() and int(part) <= 60000 for part in parts):
        raise PlayerError(
            f"player {where}: sims={text} must be an integer in 0..60000, or one for each kind of "
            "decision with / between"
        )
    return [int(part) for part in parts]
