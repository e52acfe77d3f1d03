"""What follows from the settings: the first network, the learner's settings, the search."""

from __future__ import annotations

from typing import Any

from ludus import _core
from ludus.errors import ConfigError
from ludus.games.registry import MODULES, get_game
from ludus.learners import AlphaZeroLearner, AlphaZeroSettings
from ludus.nets import Network, Weights, build, load_arrays
from ludus.training.settings import Settings


def make_network(rules: _core.Game, settings: Settings) -> Network:
    """The run's first network: its weights follow from the run's seed.

    Raises:
        ConfigError: a kind of network that the game has no observations for, or a belief head
            where no cards are hidden.
    """
    if settings.model.belief and not rules.belief_size:
        raise ConfigError(
            f"model.belief = true needs a game with hidden cards, which {rules.name} is not"
        )
    tokens = None
    if settings.model.kind == "token_transformer" and rules.name in MODULES:
        layout = get_game(rules.name).tokens
        tokens = None if layout is None else layout.only(settings.model.tokens)
    return build(
        rules,
        kind=settings.model.kind,
        hidden=settings.model.hidden_dim,
        channels=settings.model.channels,
        head_channels=settings.model.head_channels,
        blocks=settings.model.num_blocks,
        margin=settings.model.margin_head,
        width=settings.model.token_dim,
        heads=settings.model.num_heads,
        tokens=tokens,
        belief=rules.belief_size if settings.model.belief else 0,
        seed=_core.derive_seed(settings.run.seed, "weights", 0),
    )


def make_learner(
    rules: _core.Game, settings: Settings, weights: Weights | None = None
) -> AlphaZeroLearner:
    """A learner that has not learned yet.

    Args:
        rules: of the game.
        settings: of the run.
        weights: that it begins with; those of the run's first network by default.
    """
    net = make_network(rules, settings)
    if weights is not None:
        load_arrays(net, weights)
    return AlphaZeroLearner(net, learner_settings(settings))


def learner_settings(settings: Settings) -> AlphaZeroSettings:
    """The learner's view of the settings, where a schedule begins."""
    training = settings.training
    return AlphaZeroSettings(
        batch_size=training.batch_size,
        learning_rate=training.learning_rate.at(0),
        schedule=training.schedule,
        warmup_steps=training.warmup_steps,
        final_fraction=training.final_fraction,
        weight_decay=training.weight_decay,
        grad_clip=training.grad_clip,
        value_weight=training.value_weight,
        margin_weight=training.aux_margin_lambda if settings.model.margin_head else 0.0,
        belief_weight=training.belief_weight if settings.model.belief else 0.0,
        value_mix=training.value_mix.at(0),
        ema_decay=training.ema_decay,
        optimizer_across_iterations=training.optimizer,
        threads=max(1, training.threads),
    )


def search_settings(settings: Settings, rules: _core.Game) -> dict[str, Any]:
    """The search as ``ludus._core.Slots`` wants it, without noise and temperature."""
    search = settings.search
    hidden = {
        "worlds": search.worlds,
        "open_worlds": search.open_worlds,
        "information_sets": search.information_sets,
        "evidence": search.evidence,
        "belief": search.belief,
    }
    return {
        **(hidden if rules.has_hidden else {}),
        "rule": search.rule,
        "simulations": [
            search.budget_by_kind.get(kind, search.budget) for kind in rules.decision_kinds
        ],
        "c_puct": search.c_puct,
        "fpu_reduction": search.fpu_reduction,
        "considered": search.considered,
        "c_visit": search.c_visit,
        "c_scale": search.c_scale,
        "q_spread": search.q_spread,
        "virtual_loss": search.virtual_loss,
        "max_inflight": search.max_inflight_per_game,
        "margin_weight": search.margin_weight,
    }
