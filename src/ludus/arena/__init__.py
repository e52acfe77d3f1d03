"""The arena: matches, gates, suites and their statistics."""

from ludus.arena.gate import Gate, GateDecision, GateSettings, Guardrail
from ludus.arena.match import Match, MatchSettings
from ludus.arena.results import GameFigures, MatchResult
from ludus.arena.seeds import SeedSet, seeds_hash
from ludus.arena.suites import Judge, Solitaire, match_figures, match_rates

__all__ = [
    "GameFigures",
    "Gate",
    "GateDecision",
    "GateSettings",
    "Guardrail",
    "Judge",
    "Match",
    "MatchResult",
    "MatchSettings",
    "SeedSet",
    "Solitaire",
    "match_figures",
    "match_rates",
    "seeds_hash",
]
