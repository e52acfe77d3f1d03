"""Specification strings, and the players of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from ludus import _core, nets
from ludus.arena import Match, MatchSettings, SeedSet
from ludus.errors import CorruptError, PlayerError, RunError
from ludus.evaluators import NetworkEvaluator, UniformEvaluator
from ludus.players import (
    ExternalPlayer,
    RandomPlayer,
    SearchPlayer,
    evaluation_settings,
    known_players,
    parse_player,
)
from ludus.players.spec import split_spec

GAME = _core.game("yatzy")


def first_legal(options):
    if options:
        raise PlayerError(f"player first has no option {next(iter(options))!r}")

    def choose(states, keys):
        return np.array([GAME.state(s.tobytes()).legal()[0] for s in states], dtype=np.int32)

    return choose


@dataclass
class Entry:
    """What players need of a game's entry."""

    name: str = "yatzy"
    rules: _core.Game = GAME
    players: Mapping = field(default_factory=lambda: {"first": first_legal})
    protocols: Mapping = field(default_factory=dict)
    tables: None = None


ENTRY = Entry()


def test_names():
    assert known_players(ENTRY) == ["random", "uniform", "search", "policy", "person", "first"]
    assert isinstance(parse_player("random", ENTRY), RandomPlayer)
    player = parse_player("first", ENTRY)
    assert isinstance(player, ExternalPlayer)
    assert player.name == "first"


def test_uniform():
    player = parse_player("uniform:sims=48/16, rule=gumbel,considered=4,c_puct=2,fpu=0", ENTRY)
    assert isinstance(player, SearchPlayer)
    assert isinstance(player.evaluator, UniformEvaluator)
    assert player.settings == {
        "simulations": [48, 16],
        "rule": "gumbel",
        "considered": 4,
        "c_puct": 2.0,
        "fpu_reduction": 0.0,
        "noise_fraction": 0.0,
        "temperature": [0.0],
        "reuse_tree": False,
    }


def test_evaluation_has_no_noise_and_no_temperature():
    """Y-52, Y-53."""
    own = {"noise_fraction": 0.25, "temperature": [1.0, 0.5], "reuse_tree": True, "c_puct": 2.0}
    own |= {"full_fraction": 0.25, "fast_simulations": [4]}
    assert evaluation_settings(own) == {
        "noise_fraction": 0.0,
        "temperature": [0.0],
        "reuse_tree": False,
        "c_puct": 2.0,
    }
    assert own["noise_fraction"] == 0.25


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nobody", ["'nobody' is unknown", "random, uniform, search, policy, person, first"]),
        ("", ["no name"]),
        (":sims=3", ["no name"]),
        ("random:sims=3", ["no option 'sims'", "it has none"]),
        ("uniform:simulations=3", ["no option 'simulations'", "sims, rule, considered"]),
        ("uniform:sims", ["option=value"]),
        ("uniform:sims=", ["option=value"]),
        ("uniform:sims=3,sims=4", ["sims is given twice"]),
        ("uniform:sims=many", ["sims=many", "0..60000"]),
        ("uniform:sims=60001", ["0..60000"]),
        ("uniform:rule=best", ["rule=best must be puct or gumbel"]),
        ("uniform:c_puct=nan", ["c_puct=nan must be a number in 0..1000"]),
        ("uniform:inflight=1.5", ["inflight=1.5 must be an integer in 1..4096"]),
        ("first:speed=3", ["no option 'speed'"]),
        ("search:sims=3", ["needs a run: search:run=DIR"]),
        ("policy:run=x,sims=3", ["no option 'sims'", "run, model, backend"]),
        ("search:run=x,backend=f64", ["backend=f64 must be one of torch-f32, "]),
        ("runs/nowhere", ["no run directory"]),
        ("person", ["only in `ludus play`"]),
    ],
)
def test_bad_specifications_say_what_would_be_right(spec, words):
    with pytest.raises(PlayerError) as caught:
        parse_player(spec, ENTRY)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_split():
    assert split_spec("search:run=a/b, sims=3,") == ("search", {"run": "a/b", "sims": "3"})


def weights_id(unit):
    return nets.digest_of(nets.arrays_of(nets.build(GAME, hidden=32, blocks=1, seed=unit)))


@pytest.mark.parametrize(
    ("model", "unit"),
    [
        ("champion", 3),
        ("candidate", 4),
        ("first", 0),
        ("0", 0),
        ("3", 3),
        ("champion-000003.safetensors", 3),
    ],
)
def test_models_of_a_run(run_with_champions, model, unit):
    player = parse_player(f"search:run={run_with_champions},model={model}", ENTRY)
    assert isinstance(player.evaluator, NetworkEvaluator)
    assert player.evaluator.weights_id == weights_id(unit)


def test_search_of_a_run_is_the_runs_search(run_with_champions):
    player = parse_player(str(run_with_champions), ENTRY)
    assert player.settings["simulations"] == [12, 7]
    assert player.settings["rule"] == "gumbel"
    assert player.settings["max_inflight"] == 2
    assert player.settings["noise_fraction"] == 0.0
    assert player.settings["temperature"] == [0.0]
    assert player.evaluator.margin_weight == 0.25
    assert player.evaluator.backend == "torch-f32"
    other = parse_player(
        f"search:run={run_with_champions},sims=5,rule=puct,margin=0,backend=torch-bf16", ENTRY
    )
    assert other.settings["simulations"] == [5]
    assert other.settings["rule"] == "puct"
    assert other.evaluator.margin_weight == 0.0
    assert other.evaluator.backend == "torch-bf16"


def test_players_of_a_run_play(run_with_champions):
    search = parse_player(f"search:run={run_with_champions},sims=4", ENTRY)
    policy = parse_player(f"policy:run={run_with_champions},model=first", ENTRY)
    assert policy.settings["simulations"] == [0]
    seeds = SeedSet.generate(1, 8)
    one = Match(GAME, search, policy, seeds, MatchSettings(lanes=2)).run()
    assert one.games == 16
    # Asked again, they do the same (Y-54).
    two = Match(GAME, search, policy, seeds).run()
    assert one.as_json() == two.as_json()


def test_missing_and_damaged_models(run_with_champions, tmp_path):
    with pytest.raises(RunError, match="no run directory"):
        parse_player(f"search:run={tmp_path}/none", ENTRY)
    with pytest.raises(RunError, match=r"no model '7'.*champion-000003"):
        parse_player(f"search:run={run_with_champions},model=7", ENTRY)
    good = (run_with_champions / "models" / "champion-000003.safetensors").read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(good[:-100] + bytes(100))
    with pytest.raises(CorruptError):
        parse_player(f"search:run={run_with_champions},model={damaged}", ENTRY)
    damaged.write_bytes(good[:-100])
    with pytest.raises(CorruptError):
        parse_player(f"search:run={run_with_champions},model={damaged}", ENTRY)
