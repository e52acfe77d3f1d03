"""Rules as data: the built-in ones, those of the settings, and sentences about mistakes."""

import pytest
import yaml
from tests.training.tiny import request, train

from ludus.errors import ConfigError
from ludus.runs import read_ndjson, send_command
from ludus.training.alerts.rules import built_in, in_force, listed
from ludus.training.catalogue import CATALOGUE, KINDS
from ludus.training.keys import validate
from ludus.training.layers import parse_assignment
from ludus.training.settings import Settings

GOOD = "{name: mine, metric: loss, condition: above, limit: 3}"


def given(*texts):
    flat = {}
    for text in texts:
        flat.update(parse_assignment(text))
    return validate(flat)


def test_the_built_in_rules():
    """C-127 to C-130, and the rest of the house's own."""
    rules = {rule.name: rule for rule in in_force(Settings())}
    wanted = {
        "elo_regression": ("elo_change_worst", "below", -100.0),
        "loss_spike": ("loss_ratio", "above", 3.0),
        "memory_growth": ("memory_growth_mb", "above", 500.0),
        "game_timeout_rate": ("timeout_rate", "above", 0.1),
    }
    for name, (metric, condition, limit) in wanted.items():
        rule = rules[name]
        assert (rule.metric, rule.condition, rule.limit) == (metric, condition, limit)
    others = ("entropy_collapse", "fallback_rate", "error_rate", "stagnation", "save_failures")
    assert set(rules) == {*wanted, *others, "disk_low", "commit_overdue", "slow"}
    assert all(rule.metric in KINDS for rule in rules.values())
    assert all(one.about for one in built_in())
    assert all(rule.action == "tell" for rule in rules.values())


def test_limits_follow_the_settings():
    rules = {rule.name: rule for rule in in_force(given("guards.memory_growth_mb=50"))}
    assert rules["memory_growth"].limit == 50
    rules = {rule.name: rule for rule in in_force(given("run.warn_free_mb=3"))}
    assert rules["disk_low"].limit == 3e6


def test_rules_are_added_replaced_and_switched_off():
    settings = given(
        f"alerts.rules=[{GOOD}, {{name: slow, metric: games_per_second, condition: below, "
        "limit: 1, action: pause, severity: error}]",
        "alerts.off=[stagnation, mine]",
    )
    found = {one.rule.name: one for one in listed(settings)}
    assert (found["mine"].origin, found["mine"].off) == ("own", True)
    assert (found["slow"].origin, found["slow"].rule.metric) == ("changed", "games_per_second")
    assert found["stagnation"].off and not found["loss_spike"].off
    assert not {"mine", "stagnation"} & {rule.name for rule in in_force(settings)}


def test_a_file_of_rules(tmp_path):
    file = tmp_path / "rules.yaml"
    rule = yaml.safe_load(GOOD)
    for content in ([rule], {"rules": [rule]}):
        file.write_text(yaml.safe_dump(content))
        (found,) = given(f"alerts.rules={file}").alerts.rules
        assert (found.name, found.limit) == ("mine", 3.0)
    config = tmp_path / "config.yaml"
    config.write_text("alerts:\n  rules:\n    - " + GOOD + "\n  off: [slow]\n")
    asked = request(tmp_path / "run", config=config)
    assert asked.settings["alerts"]["rules"][0]["name"] == "mine"
    assert asked.settings["alerts"]["off"] == ["slow"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"rules=[{GOOD.replace('loss', 'los')}]",
            "rule mine: .*no figure los; did you mean loss?",
        ),
        (f"rules=[{GOOD}, {GOOD}]", "two rules have the name mine"),
        (
            "rules=[{name: a, metric: loss, condition: over, limit: 3}]",
            "rule a: condition = 'over'",
        ),
        ("rules=[{name: a, metric: loss, condition: above}]", "rule a: limit is missing"),
        ("rules=[{name: a, metric: loss, condition: above, limit: .nan}]", "limit = nan must be"),
        ("rules=[{name: A b, metric: loss, condition: above, limit: 1}]", "small letters"),
        (
            "rules=[{name: a, metric: loss, condition: above, limit: 1, for: 3}]",
            "unknown entry for",
        ),
        (
            "rules=[{name: a, metric: loss, condition: above, limit: 1, action: die}]",
            "action = 'die'",
        ),
        ("rules=[7]", "rule 1 must have name"),
        ("rules=7", "must be a list"),
        ("rules=/no/such/file.yaml", "'/no/such/file.yaml' cannot be read: No such file"),
        ("off=[loss_spik]", "no rule loss_spik; did you mean loss_spike?"),
        ("webhook=ftp://x/", "must begin with http"),
        ("every_seconds=0", "every_seconds = 0 .* at least 0.1"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        request(tmp_path / "run", f"alerts.{text}")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_set_changes_rules_and_refuses_nonsense_without_stopping(tmp_path):
    path = tmp_path / "run"

    def act(loop, unit):
        for at, value in ((2, "[]"), (4, "[{name: a, metric: gmaes, condition: above, limit: 1}]")):
            if unit == at:
                key = "off" if at == 2 else "rules"
                send_command(path, "set", key=f"alerts.{key}", value=value)
        if unit == 6:
            rule = "[{name: any_game, metric: games, condition: above, limit: 0}]"
            send_command(path, "set", key="alerts.rules", value=rule)

    assert train(path, "alerts.every_seconds=0.1", iterations=1, act=act).state == "done"
    events, _ = read_ndjson(path / "logs" / "events.ndjson")
    (refused,) = [one for one in events if one["event"] == "command_refused"]
    assert "no figure gmaes; did you mean games?" in refused["message"]
    assert [one["name"] for one in events if one["event"] == "alert"] == ["any_game"]


def test_the_catalogue_names_every_figure_once():
    assert len(KINDS) == len(CATALOGUE)
    assert all(one.about.endswith(".") for one in CATALOGUE)
