"""Options that do nothing are told: each rule once with its sentence, and nobody else."""

import pytest
from tests.training.tiny import SETTINGS, train

from ludus.games import get_game
from ludus.runs import read_ndjson
from ludus.training.idle_options import RULES, GameFacts, idle_options
from ludus.training.keys import flat_values, groups, known_keys, merge, validate
from ludus.training.layers import parse_assignment

YATZY = GameFacts("yatzy", has_chance=True, has_oracle=True, has_solitaire=True)
PLAIN = GameFacts("blank", has_chance=False, has_oracle=False, has_solitaire=False)
HIDDEN = GameFacts("cards", True, False, False, has_hidden=True)


def told(*assignments, facts=YATZY):
    """Sentences about these assignments, over the defaults."""
    explicit = merge(parse_assignment(text) for text in assignments)
    return idle_options(validate(explicit), facts, explicit)


# One case for each rule, in their order: what is given, what is idle of it, words of the reason,
# and what makes it work.
CASES = [
    (["search.dirichlet_alpha=0.5"], "dirichlet_alpha", "the rule is gumbel", "search.rule=puct"),
    (
        ["search.dirichlet_alpha=0.5", "search.rule=puct", "search.dirichlet_fraction=0"],
        "dirichlet_alpha",
        "there is no noise",
        "search.dirichlet_fraction=0.1",
    ),
    (
        ["search.considered=8", "search.rule=puct"],
        "considered",
        "the rule is puct",
        "search.rule=gumbel",
    ),
    (["search.q_spread=0.3"], "q_spread", "games with chance, which blank has not", YATZY),
    (["search.worlds=3"], "worlds", "hidden information, which blank has not", HIDDEN),
    (
        ["selfplay.games_most=5000"],
        "games_most",
        "the number of games stays",
        "selfplay.games_growth=16",
    ),
    (
        ["search.virtual_loss=0.1"],
        "virtual_loss",
        "only one simulation",
        "search.max_inflight_per_game=2",
    ),
    (
        ["search.budget_scale={start: 2, end: 3}"],
        "budget_scale.end",
        "kind is constant",
        "search.budget_scale.kind=linear",
    ),
    (
        ["search.budget_scale=1"],
        "budget_scale",
        "changes no budget",
        "search.budget_scale=2",
    ),
    (
        ["selfplay.temperature={kind: constant, clock: ply, over: 9}"],
        "temperature.over",
        "kind is constant",
        "selfplay.temperature.kind=step",
    ),
    (
        ["training.epochs=2"],
        "epochs",
        "steps_per_iteration is given and comes first",
        "training.steps_per_iteration=null",
    ),
    (
        ["training.final_fraction=0.2", "training.schedule=constant"],
        "final_fraction",
        "stays at its peak",
        "training.schedule=linear",
    ),
    (
        ["training.aux_margin_lambda=0.2", "model.margin_head=false"],
        "aux_margin_lambda",
        "no margin head",
        "model.margin_head=true",
    ),
    (
        ["model.margin_head=true", "training.aux_margin_lambda=0"],
        "margin_head",
        "neither learned",
        "training.aux_margin_lambda=0.1",
    ),
    (
        ["training.belief_weight=0.2"],
        "belief_weight",
        "no belief head",
        "model.belief=true",
    ),
    (
        ["training.audit_entropy=0.1", "training.audit_games=0"],
        "audit_entropy",
        "nothing is audited",
        "training.audit_games=1",
    ),
    (
        ["gating.max_pairs=10", "gating.enabled=false"],
        "max_pairs",
        "there is no gate",
        "gating.enabled=true",
    ),
    (
        ["gating.rows=128", "gating.enabled=false", "evaluation.every=0"],
        "rows",
        "no match is played",
        "evaluation.every=1",
    ),
    (["gating.threshold=0.6"], "threshold", "the mode is another", "gating.mode=threshold"),
    (
        ["gating.alpha=0.1", "gating.mode=threshold"],
        "alpha",
        "the mode is another",
        "gating.mode=sprt",
    ),
    (["gating.win_share=0.55"], "win_share", "the mode is another", "gating.mode=duplicate"),
    (
        ["gating.max_pairs=10", "gating.mode=duplicate"],
        "max_pairs",
        "plays gating.deals",
        "gating.mode=threshold",
    ),
    (
        ["gating.guardrail_games=40"],
        "guardrail_games",
        "there is no guardrail",
        "gating.guardrail_delta=1",
    ),
    (["gating.oracle=true"], "oracle", "blank has no oracle", YATZY),
    (
        ["evaluation.pairs=8", "evaluation.every=0"],
        "pairs",
        "nothing is evaluated",
        "evaluation.every=3",
    ),
    (
        ["evaluation.pairs=8", "evaluation.opponents=[]"],
        "pairs",
        "there is nobody to meet",
        "evaluation.opponents=[first]",
    ),
    (["evaluation.solitaire_games=8"], "solitaire_games", "blank has no solitaire suite", YATZY),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_each_rule_tells_and_is_silent_where_the_option_works(number):
    given, key, words, remedy = CASES[number]
    wanting = isinstance(remedy, GameFacts)
    facts = PLAIN if wanting else YATZY
    found = [text for text in told(*given, facts=facts) if text.split()[0].endswith(f".{key}")]
    assert len(found) == 1, found
    assert " was given but does nothing: " in found[0]
    assert words in found[0]
    rule = RULES[number]
    explicit = merge(parse_assignment(text) for text in given)
    assert rule.idle(flat_values(validate(explicit)), facts), "the case is of another rule"
    better = given if wanting else [*given, remedy]
    of = remedy if wanting else YATZY
    assert not [text for text in told(*better, facts=of) if words in text]


def test_every_rule_has_its_case():
    assert len(CASES) == len(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_names_settings_that_there_are(rule):
    assert set(rule.keys) <= known_keys().keys() | groups()
    for facts in (YATZY, PLAIN):
        rule.idle(flat_values(validate({})), facts)  # raises for a name that is none
    assert rule.why.format(game="x")


def test_facts_come_from_the_registry():
    assert GameFacts.of(get_game("yatzy")) == YATZY


def test_only_what_was_given_is_told():
    assert idle_options(validate({}), PLAIN, []) == []
    assert told("search.c_puct=2", "search.fpu_reduction=0.1", "training.warmup_steps=3") == []
    assert told("search.rule=puct", "search.dirichlet_alpha=0.5") == []


def test_a_run_says_it_once_and_goes_on(tmp_path):
    notes = []
    path = tmp_path / "run"
    options = ("evaluation.every=0", "gating.threshold=0.6", "gating.enabled=false")
    assert train(path, *options, iterations=1, notes=notes).state == "done"
    records, _ = read_ndjson(path / "logs" / "events.ndjson")
    found = [record["message"] for record in records if record["event"] == "idle_option"]
    assert "gating.threshold was given but does nothing: there is no gate" in "".join(found)
    assert [f"note: {text}" for text in found] == [text for text in notes if "nothing" in text]
    assert len(set(found)) == len(found)
    named = {text.split()[0] for text in found}
    assert "gating.rows" not in named and "training.epochs" not in named
    assert named <= {text.split("=")[0] for text in (*SETTINGS, *options)}
