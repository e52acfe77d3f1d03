"""What others wrote: files that are none, and few bytes that unfold to many."""

import os
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from ludus.arena.ladder_file import SCHEMA, LadderDocument
from ludus.arena.seeds import SeedSet
from ludus.errors import CorruptError, GameError, UserError
from ludus.games import get_game
from ludus.reading import parse_json, parse_yaml, read_regular
from ludus.replay import GameRecords
from ludus.runs import read_status
from ludus.runs.models import read_model
from ludus.runs.tensors import decode
from ludus.training.layers import Asked, load_recipe, resolve

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    for name in ("pipe", "endless", "loop", "large", "missing", "."):
        with pytest.raises(OSError):
            read_regular(tmp_path / name, 1 << 20)
        with pytest.raises(UserError):
            SeedSet.read(tmp_path / name)
        with pytest.raises(UserError):
            get_game("othello").formats[".ggf"].read(tmp_path / name, None)
        with pytest.raises(UserError):
            read_model(tmp_path / name)
    (tmp_path / "whole").write_bytes(b"abc")
    assert read_regular(tmp_path / "whole", 3) == b"abc"
    with pytest.raises(OSError, match="more than 2 bytes"):
        read_regular(tmp_path / "whole", 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "unfold to more than"),
        ("a: &a [*a]", "holds itself"),
        ("[" * 20_000, "nested too deeply"),
        ("- " * 400 + "x", "nested too deeply"),
        ("a: " + "9" * 30_000, "digits"),
        ("a: 0x" + "f" * 30_000, "whole number"),
        ("a: 2026-13-45", "month"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("x" * 70_000, "larger than"),
    ],
)
def test_yaml_that_is_refused(text, words):
    with pytest.raises(ValueError, match=words) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)


def test_a_setting_that_unfolds_is_refused_with_one_sentence():
    for text in (f"{LAUGHS}search: *a11\n", f"{LAUGHS}search: {{budget: *a11}}\n"):
        with pytest.raises(UserError, match="unfold"):
            resolve(load_recipe("yatzy"), Asked(file=text.encode()))


def test_deep_json_is_a_value_error():
    assert parse_json(b'{"a": [1]}') == {"a": [1]}
    for data in (b"[" * 100_000, b"\xff", b"{", b"9" * 100_000):
        with pytest.raises(ValueError):
            parse_json(data)


def test_weights_without_metadata_have_none():
    header = b'{"__metadata__": null, "w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}'
    arrays, meta = decode(len(header).to_bytes(8, "little") + header + b"x", "weights")
    assert meta == {} and arrays["w"].tolist() == [120]


@pytest.mark.parametrize("column", ["q_variance", "temperature"])
def test_game_records_hold_no_infinity(column):
    old = Path(__file__).parent / "data" / "replay_v1"
    records = GameRecords(load_file(old / "tail.safetensors"))
    records.validate(get_game("yatzy").rules)
    changed = records.columns[column].copy()
    changed[0] = float("inf")
    with pytest.raises(CorruptError, match="ply 0"):
        GameRecords({**records.columns, column: changed}).validate(get_game("yatzy").rules)


def test_a_number_beyond_all_is_no_status(tmp_path):
    (tmp_path / "status.json").write_text('{"state": "training", "loss": 1e999}')
    assert read_status(tmp_path) is None


def test_a_ladder_with_a_label_that_is_no_text_is_damaged():
    player = {"key": "a", "label": {}, "kind": "given"}
    data = {"schema": SCHEMA, "run_id": "x", "game": "g", "rules_id": "r", "seed": 1}
    with pytest.raises(CorruptError, match="no text"):
        LadderDocument.from_json({**data, "players": [player], "pairings": [], "ratings": 0}, "x")


def test_a_transcript_of_blob_that_ends_before_its_first_deal(tmp_path):
    path = tmp_path / "games.txt"
    path.write_text("game 1\noptions:\n")
    with pytest.raises(GameError, match="round 1 of the game is missing"):
        get_game("blob").formats[".txt"].read(path, None)
