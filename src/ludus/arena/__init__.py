"""The arena: matches, gates, suites, ratings and their statistics."""

from ludus.arena.gate import Gate, GateDecision, GateSettings, Guardrail
from ludus.arena.match import Match, MatchSettings
from ludus.arena.pairings import ResultTable
from ludus.arena.ratings import Ratings, rate
from ludus.arena.results import GameFigures, MatchResult
from ludus.arena.seeds import SeedSet, find_seed_set, seeds_hash
from ludus.arena.sequential import Hypotheses
from ludus.arena.suites import Judge, Solitaire, match_figures, match_rates

__all__ = [
    "GameFigures",
    "Gate",
    "GateDecision",
    "GateSettings",
    "Guardrail",
    "Hypotheses",
    "Judge",
    "Match",
    "MatchResult",
    "MatchSettings",
    "Ratings",
    "ResultTable",
    "SeedSet",
    "Solitaire",
    "find_seed_set",
    "match_figures",
    "match_rates",
    "rate",
    "seeds_hash",
]
