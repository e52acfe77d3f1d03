"""Options that were given and do nothing: told once, never refused.

A setting can be right and still be without effect beside the others: ``gating.threshold`` in mode
``sprt``, ``search.considered`` under PUCT. Only what somebody gave explicitly is told; a recipe's
values are not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ludus.games import GameEntry
from ludus.training.keys import flat_values
from ludus.training.settings import Settings

Values = Mapping[str, Any]
"""Every setting by dotted key."""


@dataclass(frozen=True)
class GameFacts:
    """What a game has that options may need.

    Attributes:
        name: of the game.
        has_chance: whether there are chance events.
        has_oracle: whether an exact solver judges decisions.
        has_solitaire: whether there is a suite against a fixed opponent.
        has_hidden: whether seats hold hidden information.
    """

    name: str
    has_chance: bool
    has_oracle: bool
    has_solitaire: bool
    has_hidden: bool = False

    @classmethod
    def of(cls, entry: GameEntry) -> GameFacts:
        """The facts of a game in the registry."""
        return cls(
            entry.name,
            entry.rules.has_chance,
            "judge" in entry.suites,
            "opponent" in entry.suites,
            entry.rules.has_hidden,
        )


@dataclass(frozen=True)
class IdleRule:
    """When settings do nothing.

    Attributes:
        keys: dotted names of the settings; a name of a schedule stands for all of it.
        idle: whether they do nothing, from all settings and the game.
        why: the reason, to follow ``does nothing: ``; may name ``{game}``.
    """

    keys: tuple[str, ...]
    idle: Callable[[Values, GameFacts], bool]
    why: str


def _constant(schedule: str) -> Callable[[Values, GameFacts], bool]:
    return lambda v, _: v[f"{schedule}.kind"] == "constant"


_MATCH = ("gating.rows", "gating.groups")

RULES: tuple[IdleRule, ...] = (
    IdleRule(
        ("search.dirichlet_alpha", "search.dirichlet_fraction"),
        lambda v, _: v["search.rule"] == "gumbel",
        "root noise belongs to search.rule = puct, and the rule is gumbel",
    ),
    IdleRule(
        ("search.dirichlet_alpha",),
        lambda v, _: v["search.rule"] == "puct" and v["search.dirichlet_fraction"] == 0,
        "search.dirichlet_fraction is 0, so there is no noise",
    ),
    IdleRule(
        ("search.considered", "search.c_visit", "search.c_scale", "search.q_spread"),
        lambda v, _: v["search.rule"] == "puct",
        "it belongs to search.rule = gumbel, and the rule is puct",
    ),
    IdleRule(
        ("search.q_spread",),
        lambda v, game: v["search.rule"] == "gumbel" and not game.has_chance,
        "it is for games with chance, which {game} has not",
    ),
    IdleRule(
        (
            "search.worlds",
            "search.worlds_scale",
            "search.open_worlds",
            "search.information_sets",
            "search.evidence",
            "gating.worlds",
            "evaluation.worlds",
            "search.belief",
        ),
        lambda _, game: not game.has_hidden,
        "it is for games with hidden information, which {game} has not",
    ),
    IdleRule(
        ("selfplay.games_most",),
        lambda v, _: v["selfplay.games_growth"] == 0,
        "selfplay.games_growth is 0, so the number of games stays",
    ),
    IdleRule(
        ("search.virtual_loss",),
        lambda v, _: v["search.max_inflight_per_game"] == 1,
        "only one simulation of a game waits at a time (search.max_inflight_per_game = 1)",
    ),
    IdleRule(
        ("search.budget_scale.end", "search.budget_scale.over", "search.budget_scale.clock"),
        _constant("search.budget_scale"),
        "search.budget_scale.kind is constant",
    ),
    IdleRule(
        ("search.budget_scale", "search.budget_scale.start"),
        lambda v, _: (
            v["search.budget_scale.kind"] == "constant"
            and v["search.budget_scale.start"] == 1
            and not v["search.budget_scale.warmup"]
        ),
        "a constant factor of 1 changes no budget",
    ),
    IdleRule(
        ("selfplay.temperature.end", "selfplay.temperature.over"),
        _constant("selfplay.temperature"),
        "selfplay.temperature.kind is constant",
    ),
    IdleRule(
        ("training.epochs",),
        lambda v, _: v["training.steps_per_iteration"] is not None,
        "training.steps_per_iteration is given and comes first; set it to null",
    ),
    IdleRule(
        ("training.final_fraction",),
        lambda v, _: v["training.schedule"] == "constant",
        "training.schedule is constant, so the learning rate stays at its peak",
    ),
    IdleRule(
        ("training.aux_margin_lambda",),
        lambda v, _: not v["model.margin_head"],
        "the network has no margin head (model.margin_head = false)",
    ),
    IdleRule(
        ("model.margin_head",),
        lambda v, _: (
            v["model.margin_head"]
            and v["training.aux_margin_lambda"] == 0
            and v["search.margin_weight"] == 0
        ),
        "the margin is neither learned (training.aux_margin_lambda = 0) nor used "
        "(search.margin_weight = 0)",
    ),
    IdleRule(
        ("training.belief_weight",),
        lambda v, _: not v["model.belief"],
        "the network has no belief head (model.belief = false)",
    ),
    IdleRule(
        ("training.audit_entropy", "training.audit_symmetry"),
        lambda v, _: v["training.audit_games"] == 0,
        "nothing is audited (training.audit_games = 0)",
    ),
    IdleRule(
        (
            "gating.mode",
            "gating.max_pairs",
            "gating.h0",
            "gating.h1",
            "gating.alpha",
            "gating.beta",
            "gating.undecided_win_rate",
            "gating.threshold",
            "gating.deals",
            "gating.win_share",
            "gating.looks",
            "gating.score_confidence",
            "gating.guardrail_delta",
            "gating.guardrail_games",
            "gating.simulations",
            "gating.worlds",
            "gating.oracle",
            "gating.after_rejection",
        ),
        lambda v, _: not v["gating.enabled"],
        "there is no gate (gating.enabled = false)",
    ),
    IdleRule(
        _MATCH,
        lambda v, _: not v["gating.enabled"] and v["evaluation.every"] == 0,
        "no match is played (gating.enabled = false, evaluation.every = 0)",
    ),
    IdleRule(
        ("gating.threshold", "gating.score_confidence"),
        lambda v, _: v["gating.enabled"] and v["gating.mode"] != "threshold",
        "it belongs to gating.mode = threshold, and the mode is another",
    ),
    IdleRule(
        ("gating.h0", "gating.h1", "gating.alpha", "gating.beta", "gating.undecided_win_rate"),
        lambda v, _: v["gating.enabled"] and v["gating.mode"] != "sprt",
        "it belongs to gating.mode = sprt, and the mode is another",
    ),
    IdleRule(
        ("gating.deals", "gating.win_share", "gating.looks"),
        lambda v, _: v["gating.enabled"] and v["gating.mode"] != "duplicate",
        "it belongs to gating.mode = duplicate, and the mode is another",
    ),
    IdleRule(
        ("gating.max_pairs",),
        lambda v, _: v["gating.enabled"] and v["gating.mode"] == "duplicate",
        "gating.mode = duplicate plays gating.deals",
    ),
    IdleRule(
        ("gating.guardrail_games",),
        lambda v, _: v["gating.enabled"] and v["gating.guardrail_delta"] is None,
        "there is no guardrail (gating.guardrail_delta is null)",
    ),
    IdleRule(
        ("gating.oracle",),
        lambda v, game: v["gating.enabled"] and v["gating.oracle"] and not game.has_oracle,
        "{game} has no oracle",
    ),
    IdleRule(
        (
            "evaluation.pairs",
            "evaluation.deals",
            "evaluation.opponents",
            "evaluation.simulations",
            "evaluation.worlds",
            "evaluation.solitaire_games",
        ),
        lambda v, _: v["evaluation.every"] == 0,
        "nothing is evaluated (evaluation.every = 0)",
    ),
    IdleRule(
        ("evaluation.pairs", "evaluation.deals"),
        lambda v, _: v["evaluation.every"] > 0 and not v["evaluation.opponents"],
        "there is nobody to meet (evaluation.opponents is empty)",
    ),
    IdleRule(
        ("evaluation.solitaire_games",),
        lambda v, game: (
            v["evaluation.every"] > 0
            and v["evaluation.solitaire_games"] > 0
            and not game.has_solitaire
        ),
        "{game} has no solitaire suite",
    ),
)


def idle_options(settings: Settings, facts: GameFacts, explicit: Collection[str]) -> list[str]:
    """Sentences about options that were given and do nothing.

    Args:
        settings: all of them, resolved.
        facts: of the game.
        explicit: dotted keys that somebody gave; a schedule given as a number has its own name.

    Returns: one sentence for each option and reason, in the order of the rules.
    """
    values = flat_values(settings)
    found: list[str] = []
    for rule in RULES:
        given = [key for key in rule.keys if key in explicit]
        if given and rule.idle(values, facts):
            why = rule.why.format(game=facts.name)
            found.extend(f"{key} was given but does nothing: {why}" for key in given)
    return found
