"""A run of Blob whose network believes something, and whose search asks it."""

import json

import pytest
from tests.training.test_blob_run import SETTINGS
from tests.training.tiny import train

from ludus.errors import UserError
from ludus.games import get_game
from ludus.nets import digest_of
from ludus.players import parse_player
from ludus.runs import Run
from ludus.training.layers import Asked, load_recipe, resolve

BELIEF = (*SETTINGS, "model.belief=true", "search.belief=1")


def believing(path, **options):
    return train(path, recipe="blob", settings=BELIEF, **options)


def test_a_run_learns_beliefs_searches_by_them_and_goes_on_after_a_crash(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert "done" in believing(straight, iterations=2).reason
    believing(killed, iterations=2, crash_at=9, commit_always=True)
    assert "done" in believing(killed, iterations=2).reason
    runs = [Run.open(path, write=False) for path in (straight, killed)]
    models = [run.get_object(run.manifest.objects["champion"])[0] for run in runs]
    assert digest_of(models[0]) == digest_of(models[1])
    assert "belief.weight" in models[0]
    iteration = runs[0].iterations[-1]["train"]
    assert iteration["loss_belief"] > 0 and "belief_gain" in iteration
    lines = (straight / "logs" / "metrics.ndjson").read_text().splitlines()
    steps = [event for event in map(json.loads, lines) if event["event"] == "train_step"]
    assert all("loss_belief" in event and "belief_gain" in event for event in steps)
    # Its champion can be asked for less, or for more.
    game = get_game("blob")
    for weight in (0, 2):
        player = parse_player(f"search:run={straight},belief={weight}", game)
        assert player.settings["belief"] == weight


def test_settings_that_cannot_be_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"search\.belief above 0 needs model\.belief = true"):
        resolve(load_recipe("blob"), Asked(assignments=["search.belief=1"], environment={}))
    with pytest.raises(UserError, match=r"model\.belief = true needs a game with hidden cards"):
        train(tmp_path / "yatzy", "model.belief=true")
