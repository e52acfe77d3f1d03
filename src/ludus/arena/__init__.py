"""The arena: matches, gates, suites, ratings and their statistics."""

from ludus.arena.deals import DuplicateResult
from ludus.arena.decision import GateDecision, GateSettings
from ludus.arena.duplicate import AnyMatch, DuplicateMatch, make_match
from ludus.arena.finished import GameFigures
from ludus.arena.gate import Gate
from ludus.arena.guardrail import Guardrail
from ludus.arena.match import Match
from ludus.arena.pairings import ResultTable
from ludus.arena.playing import MatchSettings
from ludus.arena.ratings import Ratings, rate
from ludus.arena.results import MatchResult, Result
from ludus.arena.seeds import SeedSet, find_seed_set, seeds_hash
from ludus.arena.sequential import Hypotheses
from ludus.arena.suites import Judge, Solitaire, match_figures, match_rates

__all__ = [
    "AnyMatch",
    "DuplicateMatch",
    "DuplicateResult",
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
    "Result",
    "ResultTable",
    "SeedSet",
    "Solitaire",
    "find_seed_set",
    "make_match",
    "match_figures",
    "match_rates",
    "rate",
    "seeds_hash",
]
