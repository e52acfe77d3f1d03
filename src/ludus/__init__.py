"""Ludus: players of board, dice and card games, trained by self-play.

The rooms of the package, lowest first (a room uses those below it and none above;
`docs/architecture.md` draws the picture):

    errors, _core    exceptions; the compiled core (rules, tree, slots, exact solvers)
    logs, schedules  log lines with levels; values that change along a run
    runs, games      the run directory; what Python adds to a game
    nets             networks
    evaluators       observations in, policy logits and values out
    players          everything that chooses an action
    replay           game records on disk, training rows
    learners         records turned into new weights
    arena            matches, gates, statistics
    training         recipes, the loop, guards, alerts, the supervisor
    monitor          the monitor in the terminal, report, inspection, sinks of metrics
    testing, measure the conformance kit for games, players and evaluators; profiles
    cli              the command `ludus`

Importing `ludus` imports none of them, so that `ludus --help` stays quick. From Python,
`ludus.train("yatzy", minutes=1)` trains in this process (`docs/callbacks.md`).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludus.training.api import Trained, Watch, train
    from ludus.training.manager import TrainingManager, TrainingResult

__version__ = "0.1.0"
__all__ = ["Trained", "TrainingManager", "TrainingResult", "Watch", "__version__", "train"]


def __getattr__(name: str) -> Any:
    """`ludus.train` and what belongs to it, imported when first asked for."""
    if name in ("train", "Watch", "Trained"):
        from ludus.training import api

        return getattr(api, name)
    if name in ("TrainingManager", "TrainingResult"):
        from ludus.training import manager

        return getattr(manager, name)
    raise AttributeError(f"module 'ludus' has no attribute {name!r}")
