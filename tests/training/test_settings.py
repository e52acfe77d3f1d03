import pytest
import yaml

from ludus.errors import ConfigError, UserError
from ludus.training.keys import changes, fields, flat_values, known_keys
from ludus.training.layers import Asked, asked_document, load_recipe, recipe_names, resolve
from ludus.training.schedules import Schedule
from ludus.training.settings import Settings


def value(asked: Asked, key: str):
    return flat_values(resolve(load_recipe("yatzy"), asked).settings)[key]


def test_every_setting_says_what_it_means():
    for key, field, _ in fields():
        assert field.description, key
        assert field.description.endswith((".", "never.")), key


def test_later_layers_win():
    key = "search.budget"
    quick = value(Asked(preset="quick"), key)
    assert value(Asked(), key) != quick
    file = b"search: {budget: 41}\n"
    environment = {"LUDUS__SEARCH__BUDGET": "42", "LUDUS_OTHER": "x"}
    assert value(Asked(preset="quick", file=file), key) == 41
    assert value(Asked(preset="quick", file=file, environment=environment), key) == 42
    everything = Asked(
        preset="quick",
        file=file,
        environment=environment,
        assignments=["search.budget=43", "search.budget=44"],
    )
    assert value(everything, key) == 44


@pytest.mark.parametrize("name", recipe_names())
def test_all_presets_of_all_recipes_are_valid(name):
    recipe = load_recipe(name)
    for preset in recipe.presets:
        resolve(recipe, Asked(preset=preset))


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("search.budgte=3", ["search.budgte", "did you mean search.budget"]),
        ("seerch.rule=puct", ["unknown setting seerch", "search"]),
        ("search.c_puct=abc", ["search.c_puct = 'abc'", "a number", "at least 0"]),
        ("search.rule=foo", ["search.rule = 'foo'", "one of puct, gumbel"]),
        ("run.seed=-1", ["run.seed = -1", "at least 0"]),
        ("run.seed=1.5", ["run.seed = 1.5", "a whole number"]),
        ("search=3", ["search = 3", "must hold settings"]),
        ("selfplay.slots=100", ["selfplay.slots = 100", "multiple of", "256"]),
        ("replay.capacity_samples=9", ["capacity_shards", "exclude"]),
        ("gating.h0=0.9", ["h0 must be below h1"]),
        ("no_equals", ["section.key=value"]),
        ("run.deterministic=perhaps", ["run.deterministic", "true or false"]),
    ],
)
def test_a_refusal_names_key_value_and_what_is_allowed(assignment, words):
    with pytest.raises(ConfigError) as caught:
        value(Asked(assignments=[assignment]), "run.seed")
    sentence = str(caught.value)
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_a_file_is_named_in_a_refusal():
    asked = Asked(file=b"search: {c_puct: -1}", file_name="mine.yaml")
    with pytest.raises(ConfigError, match=r"search.c_puct = -1 \(mine.yaml\) must be .*at least 0"):
        value(asked, "run.seed")
    with pytest.raises(ConfigError, match=r"mine.yaml is no YAML"):
        value(Asked(file=b"a: [", file_name="mine.yaml"), "run.seed")
    with pytest.raises(ConfigError, match=r"mine.yaml must hold settings"):
        value(Asked(file=b"- 1", file_name="mine.yaml"), "run.seed")


def test_a_variable_is_named_in_a_refusal():
    with pytest.raises(ConfigError, match=r"LUDUS__SEARCH__C_PUC.*did you mean search.c_puct"):
        value(Asked(environment={"LUDUS__SEARCH__C_PUC": "1"}), "run.seed")


def test_unknown_recipe_and_preset():
    with pytest.raises(UserError, match="no recipe 'yatsy'; did you mean yatzy"):
        load_recipe("yatsy")
    with pytest.raises(ConfigError, match="no preset 'quik'; did you mean quick"):
        value(Asked(preset="quik"), "run.seed")


def test_a_number_stands_for_a_schedule_and_can_be_refined():
    asked = Asked(assignments=["selfplay.temperature=0.5"])
    assert value(asked, "selfplay.temperature.kind") == "constant"
    assert value(asked, "selfplay.temperature.start") == 0.5
    asked = Asked(assignments=["selfplay.temperature=0.5", "selfplay.temperature.kind=linear"])
    assert value(asked, "selfplay.temperature.start") == 0.5
    assert value(asked, "selfplay.temperature.kind") == "linear"


def test_settings_survive_their_file():
    settings = resolve(load_recipe("yatzy"), Asked(preset="quick")).settings
    text = yaml.safe_dump(settings.model_dump(mode="json"))
    assert Settings.model_validate(yaml.safe_load(text)) == settings


def test_the_users_file_is_kept_byte_by_byte():
    recipe = load_recipe("yatzy")
    asked = Asked(file=b"# mine\nrun:   {seed: 3}\r\n", assignments=["search.c_puct=2"])
    assert asked_document(recipe, asked, resolve(recipe, asked)) == asked.file
    asked = Asked(assignments=["search.c_puct=2"])
    document = asked_document(recipe, asked, resolve(recipe, asked))
    assert yaml.safe_load(document) == {"search": {"c_puct": 2}}


def test_only_what_never_changes_results_may_change():
    changeable = {key for key, when in changes().items() if when in ("now", "at_start")}
    # An audit looks at data and may stop the run; it never changes what is learned.
    sections = {key.split(".")[0] for key in changeable if not key.startswith("training.audit_")}
    operation = {"guards", "alerts", "logging", "metrics"}
    assert sections <= {"run", "selfplay", "evaluation", "runtime", *operation}
    assert {key for key in changeable if key.startswith("selfplay.")} == {
        "selfplay.root_sample_every"
    }
    assert {"run.commit_seconds", "run.total_iterations", "runtime.lanes"} <= changeable
    for fixed in ("run.seed", "runtime.backend", "selfplay.slots", "training.threads"):
        assert changes()[fixed] == "never"
        assert not known_keys()[fixed]
    waiting = {key for key, when in changes().items() if when == "next_iteration"}
    assert {key.split(".")[0] for key in waiting} == {"search", "selfplay", "td"}
    assert {"search.budget", "selfplay.temperature.start"} <= waiting


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        ({"kind": "constant", "start": 0.5}, {0: 0.5, 99: 0.5}),
        ({"kind": "step", "start": 1.0, "end": 0.1, "over": 10}, {0: 1.0, 9: 1.0, 10: 0.1}),
        ({"kind": "linear", "start": 1.0, "end": 0.1, "over": 50}, {0: 1.0, 25: 0.55, 50: 0.1}),
        ({"kind": "exponential", "start": 1.0, "end": 0.01, "over": 2}, {1: 0.1, 2: 0.01}),
        ({"kind": "cosine", "start": 1.0, "end": 0.0, "over": 10}, {0: 1.0, 5: 0.5, 10: 0.0}),
        ({"kind": "constant", "start": 1.0, "warmup": 3}, {0: 0.25, 2: 0.75, 3: 1.0}),
    ],
)
def test_schedules(schedule, values):
    found = Schedule.model_validate(schedule)
    for tick, wanted in values.items():
        assert found.at(tick) == pytest.approx(wanted)
    assert found.table(100)[50] == found.at(50)
