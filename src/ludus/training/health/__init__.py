"""Learning health: what the history of a run says about how well it learns."""

from ludus.training.health.analysis import Health, health_of
from ludus.training.health.coverage import distinct_share, visited_share
from ludus.training.health.improvement import improvement
from ludus.training.health.trends import Trend, mann_kendall, since_decrease, trend
from ludus.training.health.watch import newest_health, watch_health

__all__ = [
    "Health",
    "Trend",
    "distinct_share",
    "health_of",
    "improvement",
    "mann_kendall",
    "newest_health",
    "since_decrease",
    "trend",
    "visited_share",
    "watch_health",
]
