"""Variables without LUDUS__ that a recipe may read."""

from dataclasses import replace

import pytest

from ludus.errors import ConfigError
from ludus.training.layers import Asked, load_recipe, recipe_names, resolve
from ludus.training.settings import Settings
from ludus.training.variables import VARIABLES


def metrics(environment, *, names=tuple(VARIABLES), file=None, assignments=(), sinks=()):
    recipe = load_recipe("yatzy")
    settings = {**recipe.settings, "metrics": {"sinks": list(sinks)}}
    recipe = replace(recipe, environment=tuple(names), settings=settings)
    asked = Asked(environment=environment, file=file, assignments=assignments)
    return resolve(recipe, asked).settings.metrics


def test_each_means_a_setting():
    found = metrics(
        {
            "ENABLE_WANDB": "true",
            "ENABLE_BRAINTRUST": "yes",
            "PROMETHEUS_PORT": "9100",
            "METRICS_EXPORT_INTERVAL": "12.5",
        }
    )
    assert set(found.sinks) == {"wandb", "braintrust"}
    assert (found.prometheus_port, found.export_interval) == (9100, 12.5)
    assert metrics({"METRICS_INTERVAL": "5"}).export_interval == 5.0
    both = metrics({"METRICS_INTERVAL": "5", "METRICS_EXPORT_INTERVAL": "7"})
    assert both.export_interval == 7.0


def test_without_them_nothing_changes():
    assert metrics({}) == metrics({"ENABLE_WANDB": " "}) == Settings().metrics


def test_prometheus_on_and_off():
    assert metrics({"ENABLE_PROMETHEUS": "true"}).prometheus_port == 8000
    assert metrics({"ENABLE_PROMETHEUS": "1", "PROMETHEUS_PORT": "1"}).prometheus_port == 1
    off = metrics({"ENABLE_PROMETHEUS": "false", "PROMETHEUS_PORT": "9100"})
    assert off.prometheus_port is None


def test_a_switch_leaves_the_other_sinks():
    assert metrics({"ENABLE_WANDB": "false"}, sinks=("wandb", "tensorboard")).sinks == (
        "tensorboard",
    )
    file = b"metrics: {sinks: [tensorboard]}"
    assert metrics({"ENABLE_WANDB": "1"}, file=file).sinks == ("tensorboard", "wandb")


def test_ludus_variables_and_options_win():
    given = {"PROMETHEUS_PORT": "9100", "LUDUS__METRICS__PROMETHEUS_PORT": "9200"}
    assert metrics(given).prometheus_port == 9200
    found = metrics(given, assignments=["metrics.prometheus_port=9300"])
    assert found.prometheus_port == 9300


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ENABLE_WANDB", "perhaps", "ENABLE_WANDB: 'perhaps' must be true or false"),
        ("PROMETHEUS_PORT", "http", "PROMETHEUS_PORT: 'http' is no number"),
        ("PROMETHEUS_PORT", "70000", "variable PROMETHEUS_PORT"),
        ("METRICS_EXPORT_INTERVAL", "-1", "variable METRICS_EXPORT_INTERVAL"),
    ],
)
def test_a_wrong_value_is_refused_by_the_variables_name(name, value, words):
    with pytest.raises(ConfigError, match=words):
        metrics({name: value})


def test_a_variable_that_a_recipe_does_not_name_is_not_looked_at():
    everything = dict.fromkeys(VARIABLES, "nonsense")
    assert metrics(everything, names=()) == Settings().metrics
    for name in recipe_names():
        assert load_recipe(name).environment == ()
