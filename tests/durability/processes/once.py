"""R7: where time decides what is played, every game is still played and counted exactly once."""

from __future__ import annotations

from tests.durability.experiment import Budget, Outcome
from tests.durability.processes.kills import Torment
from tests.durability.processes.ledger import wrong_books
from tests.durability.processes.trainings import Recipe, othello

GAMES = 480

SETTINGS = (
    "run.deterministic=false",
    "td.milliseconds=1",
    "td.endgame=6",
    "td.table_mb=0.5",
    "td.average_every=50",
    "selfplay.games_per_iteration=120",
    "td.batch_games=10",
    "evaluation.pairs=4",
    "metrics.game_stats_every=10",
    "metrics.game_details_every=20",
    "td.record_every=10",
)


def once(budget: Budget) -> Outcome:
    """Othello by search against the clock, on two lanes, killed at random moments."""
    outcome = Outcome("kills")
    born = othello(budget.folder)
    recipe = Recipe("othello", (*born.settings, *SETTINGS), ("games", GAMES), torch=False)
    count, number = budget.count(24, 4), 0
    while outcome.trials < count and not outcome.failed and number < count:
        run = budget.folder / f"training{number}"
        torment = Torment(recipe, run, 2, budget.random("once", number))
        torment.run(min(20, count - outcome.trials))
        outcome.trials += torment.kills
        for sentence in (torment.wrong or wrong_books(run, GAMES))[:3]:
            outcome.fail("lost", f"training {number} with {torment.kills} kills: {sentence}")
        number += 1
    outcome.figures["trainings"] = number
    return outcome
