"""What a run will need: bounds before it has played, its own figures afterwards."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.training.tiny import request, train

from ludus.games import get_game
from ludus.runs import Run, free_bytes, part_sizes, read_status, read_summary
from ludus.training import forecast as module
from ludus.training.birth import open_session
from ludus.training.forecast import Forecast, kept_bytes, measure, reckon
from ludus.training.forecaster import games_to_come
from ludus.training.memory import available_bytes, peak_bytes, resident_bytes
from ludus.training.network_session import NetworkSession
from ludus.training.request import current_settings
from ludus.training.settings import Settings

NEEDS = NetworkSession.needs(Settings(), get_game("yatzy").rules)


def events(path: Path) -> list[dict]:
    lines = (path / "logs" / "events.ndjson").read_text("utf-8").splitlines()
    return [one for one in map(json.loads, lines) if one["event"] == "forecast"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two iterations with the limit that it has reached, and what it has said."""
    path, notes = tmp_path_factory.mktemp("forecast") / "run", []
    assert train(path, iterations=2, notes=notes).state == "done"
    return path, notes


def settings(**run) -> Settings:
    return Settings.model_validate({"run": run})


def test_it_is_told_at_the_start_and_after_iterations(trained):
    path, notes = trained
    lines = [text for text in notes if text.startswith("forecast: ")]
    assert len(lines) == 2  # at the start and after the first; at the limit there is no more to say
    assert "at most" in lines[0] and "an iteration" not in lines[0]
    assert "at most" not in lines[1] and "an iteration" in lines[1] and "to the limit" in lines[1]
    first, second = events(path)
    assert (first["measured"], second["measured"]) == (False, True)
    assert first["disk_a_day"] is None and second["disk_a_day"] > 0
    assert read_status(path)["forecast"]["disk_total"] == second["disk_total"]
    assert read_summary(path)["forecast"]["text"] == second["text"]


def test_bounds_hold_and_the_measured_forecast_is_near(trained):
    path, _ = trained
    first, second = events(path)
    sizes = part_sizes(path)
    assert sizes["replay"] <= first["disk"]["replay"]
    assert second["disk"]["replay"] == pytest.approx(sizes["replay"], rel=0.1)
    for part, bound in (("cache", "checkpoints"), ("state", "commits")):
        assert sizes[part] < first["disk"][bound]
    assert sum(sizes.values()) < 2 * second["disk_total"]


def test_a_full_replay_where_there_is_no_limit(trained):
    path, _ = trained
    session = open_session(request(path), lambda text: None)
    try:
        forecast, limited = measure(session), measure(session, to_come=0)
        capacity = session.settings.replay.capacity_shards * 12
        lingering = 2 * session.settings.selfplay.games_per_iteration
        stored = session.replay.nbytes / session.replay.games
        held, there = session.replay.nbytes, sum(part_sizes(path).values())
        kept = kept_bytes(path)
    finally:
        session.run.close()
    assert not forecast.at_limit and limited.at_limit
    assert forecast.disk["replay"] == pytest.approx((capacity + lingering) * stored, rel=0.01)
    assert forecast.memory["replay"] == pytest.approx(capacity * stored, rel=0.01)
    assert limited.disk["replay"] == pytest.approx(held, rel=0.01)
    assert forecast.memory["replay"] == forecast.memory["window"]
    assert forecast.disk_free == pytest.approx(free_bytes(path), rel=0.2)
    assert forecast.disk_there == there
    assert forecast.disk["kept"] == kept
    assert "more each day" in forecast.text() and "at the limit" in limited.text()


def test_what_stays_for_ever(tmp_path):
    for name, size in (
        ("logs/metrics.ndjson", 100),
        ("models/champion-000001.safetensors", 20),
        ("models/candidate-000001.safetensors", 7),
        ("checkpoints/permanent/one.ckpt", 30),
        ("checkpoints/cache/two.ckpt", 1000),
        ("replay/shard_000000.safetensors", 1000),
        ("state/learner-0.safetensors", 1000),
        ("run.json", 5),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
    assert kept_bytes(tmp_path) == 155


def test_games_to_come():
    each = Settings().selfplay.games_per_iteration
    assert games_to_come(Settings(), {}) is None
    assert games_to_come(Settings(), {"iterations": 3}, iteration=1, games=each) == 2 * each
    assert games_to_come(settings(total_iterations=2), {"iterations": 9}) == 2 * each
    assert games_to_come(settings(total_games=5), {"games": 100}, games=3) == 2
    assert games_to_come(Settings(), {"iterations": 1}, iteration=4) == 0


def test_more_than_there_is_warns(trained, tmp_path, monkeypatch):
    path, _ = trained
    known = current_settings(Run.open(path, write=False))
    entry = get_game("yatzy")
    needs = NetworkSession.needs(known, entry.rules)

    def look() -> Forecast:
        return reckon(known, entry, needs, tmp_path / "new")

    assert look().warnings == {} and not (tmp_path / "new").exists()
    monkeypatch.setattr(module, "free_bytes", lambda where: 513 * 10**6)
    monkeypatch.setattr(module, "memory_limit", lambda: 300 * 10**6)
    warnings = look().warnings
    assert "the disk has 513 MB free, and the run may need" in warnings["disk"]
    assert "there are 300 MB: lower replay.capacity_shards" in warnings["memory"]


def test_a_replay_without_a_capacity_has_no_full_size():
    entry = get_game("yatzy")
    base = Settings()
    free = base.model_copy(
        update={"replay": base.replay.model_copy(update={"capacity_shards": None})}
    )
    endless = reckon(free, entry, NEEDS, Path("/nowhere"))
    assert endless.disk["replay"] == 0
    assert "and more with every game" in endless.text()
    limited = reckon(free, entry, NEEDS, Path("/nowhere"), to_come=10)
    assert (
        limited.disk["replay"] == 10 * reckon(free, entry, NEEDS, Path("/"), 1).disk["replay"] > 0
    )


def test_words():
    known = reckon(Settings(), get_game("yatzy"), NEEDS, Path("/nowhere"))
    told = replace(known, measured=True, disk_a_day=3 * 10**9, seconds_left=7200.0)
    assert "and 3.0 GB more each day" in told.text() and "2 h" in told.text()
    assert "2 h" not in told.as_json()["text"], "time goes by, and a status is read later"


def test_memory_of_this_process():
    peak, now = peak_bytes(), resident_bytes()
    assert peak >= now > 10**7
    assert available_bytes() > 0
