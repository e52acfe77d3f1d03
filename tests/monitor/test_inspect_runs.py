"""Roots, weights, anomalies and tables of a run."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from tests.monitor.inspected import _tiny_run, spoiled_run, tiny_run  # noqa: F401 - fixtures

from ludus.errors import CorruptError, RunError, UserError
from ludus.monitor.inspect.anomalies import find_anomalies, game_anomalies
from ludus.monitor.inspect.diff import compare, tensor_change
from ludus.monitor.inspect.outliers import metric_outliers, robust_scores
from ludus.monitor.inspect.roots import RootFilter, add_notation, read_roots
from ludus.monitor.inspect.stored import StoredReplay
from ludus.monitor.inspect.tables import (
    ROW_COLUMNS,
    metric_records,
    rows_as_text,
    training_rows,
    write_metrics,
)
from ludus.nets.weights import decode, encode
from ludus.replay import GameRecords
from ludus.runs import list_checkpoints
from ludus.training.plays import game_of_run


def rewritten(path: Path, change) -> None:
    """A model file with other weights, and the file beside it as if it belonged to them."""
    arrays, meta = decode(path.read_bytes())
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(arrays)
    path.write_bytes(encode(arrays, meta))
    beside = path.with_suffix(".json")
    if beside.exists():
        said = json.loads(beside.read_text())
        said.pop("sha256")
        beside.write_text(json.dumps(said))


def kinds(found) -> list[str]:
    return [one["kind"] for one in found["findings"]]


def test_roots_are_filtered_and_ordered(tiny_run: Path) -> None:  # noqa: F811
    everything, total = read_roots(tiny_run, limit=1000)
    assert total == len(everything) > 5
    some, count = read_roots(tiny_run, RootFilter(iteration=2), order="surprise", limit=1000)
    assert count == sum(root["iteration"] == 2 for root in everything) > 0
    surprises = [root["surprise"] for root in some]
    assert surprises == sorted(surprises, reverse=True)
    middle = surprises[len(surprises) // 2]
    above, _ = read_roots(tiny_run, RootFilter(iteration=2, surprise=middle), limit=1000)
    assert len(above) == sum(one >= middle for one in surprises)
    low, _ = read_roots(tiny_run, RootFilter(entropy=(None, 2.0)), limit=1000)
    assert all(root["entropy"] <= 2.0 for root in low)
    with pytest.raises(UserError, match="cannot be ordered by 'size'"):
        read_roots(tiny_run, order="size")


def test_roots_carry_the_notation_of_their_games(tiny_run: Path) -> None:  # noqa: F811
    found, _ = read_roots(tiny_run, RootFilter(iteration=2), limit=3)
    add_notation(tiny_run, found)
    for root in found:
        assert root["text"].startswith(("keep ", "mark "))
        assert (
            StoredReplay(tiny_run).find(root["game"]).columns["action"][root["ply"]]
            == (root["action"])
        )


def test_without_roots_the_sentence_says_how_to_get_them(spoiled_run: Path) -> None:  # noqa: F811
    (spoiled_run / "logs" / "roots.ndjson").unlink()
    with pytest.raises(RunError, match="root_sample_every"):
        read_roots(spoiled_run)


def test_a_change_by_hand_is_found(spoiled_run: Path) -> None:  # noqa: F811
    model = spoiled_run / "models" / "candidate-000002.safetensors"
    other = spoiled_run / "models" / "changed.safetensors"
    other.write_bytes(model.read_bytes())

    def change(arrays) -> None:
        arrays["output.weight"][3, 4] += 5.0
        arrays["extra"] = np.ones(3, np.float32)
        arrays["input.bias"] = arrays["input.bias"][:4]
        del arrays["output.bias"]

    rewritten(other, change)
    found = compare(str(model), str(other), top=1)
    assert [row["name"] for row in found["tensors"]] == ["output.weight"]
    assert found["tensors"][0]["largest"][0]["index"] == [3, 4]
    assert found["tensors"][0]["change"] == pytest.approx(5.0, rel=1e-5)
    assert found["only_first"] == ["output.bias"]
    assert found["only_second"] == ["extra"]
    assert found["other_shape"] == [{"name": "input.bias", "first": [32], "second": [4]}]
    assert compare(str(model), str(model))["tensors"] == []


def test_norms_and_cosines_by_hand() -> None:
    row = tensor_change("w", np.array([3.0, 4.0]), np.array([4.0, -3.0]), 2)
    assert row["norm_first"] == 5
    assert row["change"] == pytest.approx(50**0.5)
    assert row["relative"] == pytest.approx(2**0.5)
    assert row["cosine"] == pytest.approx(0)
    assert [one["index"] for one in row["largest"]] == [[1], [0]]
    assert not tensor_change("w", np.zeros(2), np.array([np.nan, 0]))["finite"]


def test_checkpoints_are_compared_with_settings_and_models(tiny_run: Path, tmp_path: Path) -> None:  # noqa: F811
    first, second = (str(tiny_run / entry.path) for entry in list_checkpoints(tiny_run)[-2:])
    found = compare(first, second)
    assert any(row["name"].startswith("adam/") for row in found["tensors"])
    assert {"key": "iterations", "first": 1, "second": 2} in found["counters"]
    assert found["settings"] == []
    # The champion of a checkpoint is the one that the run's models hold.
    assert compare(second, str(tiny_run))["tensors"] == []
    assert compare(f"{tiny_run}:first", f"{tiny_run}:0")["tensors"] == []
    with pytest.raises(UserError, match="it has adam, average"):
        compare(first, second, part="hat")
    damaged = tmp_path / "damaged.ckpt"
    data = bytearray(Path(first).read_bytes())
    data[-7] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(CorruptError, match="damaged in its payload"):
        compare(first, str(damaged))
    with pytest.raises(RunError, match="no checkpoint, model or run"):
        compare("nowhere", first)


def test_scores_find_spikes_and_let_noise_and_trends_pass() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(3.0, 0.1, 500)
    assert np.abs(robust_scores(noise)).max() < 8
    trend = np.exp(-np.arange(300) / 80) + rng.normal(0, 0.002, 300)
    assert np.abs(robust_scores(trend)).max() < 8
    assert not robust_scores(np.full(50, 7.0)).any()
    assert not robust_scores([1.0, 50.0, 1.0]).any()  # too few to say anything
    noise[321] = 6.0
    assert int(np.argmax(np.abs(robust_scores(noise)))) == 321
    assert robust_scores(noise)[321] > 8


def test_outliers_in_metrics_name_their_place(spoiled_run: Path) -> None:  # noqa: F811
    log = spoiled_run / "logs" / "metrics.ndjson"
    rng = np.random.default_rng(1)
    values = rng.normal(2.0, 0.05, 60)
    values[40] = 9.0
    lines = [
        {"event": "train_step", "step": 1000 + i, "iteration": i // 10, "loss_policy": value}
        for i, value in enumerate(values.tolist())
    ]
    lines[50]["loss_policy"] = None
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = metric_outliers(spoiled_run)
    places = {(one.kind, one.place["step"]) for one in found}
    assert places == {("outlier", 1040), ("not_a_number", 1050)}
    assert all("iteration" in one.text for one in found)


def test_a_good_run_has_nothing_wrong(tiny_run: Path) -> None:  # noqa: F811
    found = find_anomalies(tiny_run, games=60, derived=4)
    assert found["games"] == 60
    assert all(one["severity"] == "notice" for one in found["findings"])
    assert metric_outliers(tiny_run) == []


def test_spoiled_models_are_told(spoiled_run: Path) -> None:  # noqa: F811
    models = spoiled_run / "models"

    def explode(arrays) -> None:
        arrays["output.weight"] *= 100

    def spoil(arrays) -> None:
        arrays["input.weight"][0, 0] = np.nan

    rewritten(models / "candidate-000002.safetensors", explode)
    rewritten(models / "candidate-000003.safetensors", spoil)
    champions = sorted(models.glob("champion-*.safetensors"))
    (models / "champion-000099.safetensors").write_bytes(champions[-1].read_bytes())
    found = find_anomalies(spoiled_run, games=10, derived=1)
    for kind, place in (
        ("weights_exploded", "candidate-000002"),
        ("weights_not_finite", "candidate-000003"),
        ("weights_unchanged", "champion-000099"),
    ):
        assert any(one["kind"] == kind and place in one["text"] for one in found["findings"]), kind
    (models / "champion-000099.safetensors").write_bytes(b"nothing")
    assert "model_damaged" in kinds(find_anomalies(spoiled_run, games=10, derived=1))


def test_odd_games_are_told(tiny_run: Path) -> None:  # noqa: F811
    replay = StoredReplay(tiny_run)
    records = replay.newest(40)
    twin = {name: column.copy() for name, column in records.slice(0, 1).columns.items()}
    twin["game_id"][:] = 9999
    several = GameRecords.concatenate([records, GameRecords(twin)])
    texts = [one.text for one in game_anomalies(replay, several, 1)]
    number = int(records.game_ids[0])
    assert any(f"such as games {number}, 9999" in text for text in texts)
    # A target that contradicts its own record is found by the derivation.
    wrong = {name: column.copy() for name, column in records.slice(0, 1).columns.items()}
    wrong["returns"] = -wrong["returns"]
    broken = GameRecords.concatenate([records.slice(1, 40), GameRecords(wrong)])
    found = game_anomalies(replay, broken, 40)
    assert any(one.severity == "error" and one.place.get("game") == number for one in found)


def test_never_played_actions_are_told(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from ludus.monitor.inspect import anomalies

    monkeypatch.setattr(anomalies, "_OFTEN", 3)
    replay = StoredReplay(tiny_run)
    records = replay.newest(3)
    entry = game_of_run(replay.run)
    found = [one for one in game_anomalies(replay, records, 3) if one.kind == "never_played"]
    assert len(found) == 1
    never = found[0].place["actions"]
    assert never
    assert not set(never) & set(records.columns["action"].tolist())
    assert any(word in found[0].text for word in ("keep", "mark"))
    assert all(0 <= action < entry.rules.num_actions for action in never)


def test_metrics_come_back_from_csv(tiny_run: Path, tmp_path: Path) -> None:  # noqa: F811
    written = write_metrics(tiny_run, tmp_path / "tables")
    records = metric_records(tiny_run)
    assert {path.stem for path, _ in written} == set(records)
    with (tmp_path / "tables" / "train_step.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss_total"]) for row in rows] == [
        one["loss_total"] for one in records["train_step"]
    ]
    with pytest.raises(RunError, match="exists"):
        write_metrics(tiny_run, tmp_path / "tables")
    with pytest.raises(UserError, match="no record is a 'nothing'"):
        write_metrics(tiny_run, tmp_path / "one.csv", "nothing")


def test_training_rows_are_the_same_in_all_formats(tiny_run: Path) -> None:  # noqa: F811
    replay = StoredReplay(tiny_run)
    actions = game_of_run(replay.run).rules.num_actions
    _, rows = training_rows(replay, games=2, limit=20)
    lines = rows_as_text(rows, actions, "ndjson").splitlines()
    documents = [json.loads(line) for line in lines]
    assert documents == json.loads(rows_as_text(rows, actions, "json"))
    assert len(documents) == 20
    assert list(documents[0]) != []
    assert set(documents[0]) == set(ROW_COLUMNS)
    table = list(csv.DictReader(io.StringIO(rows_as_text(rows, actions, "csv"))))
    for one, row in zip(documents, table, strict=True):
        assert float(row["value"]) == one["value"]
        assert int(row["action"]) == one["action"]
        assert len(one["observation"]) == len([name for name in row if name.startswith("o")]) - 1
        assert sum(share for _, share in one["policy"]) == pytest.approx(1, abs=1e-4)
        assert [pair.split(":")[0] for pair in row["policy"].split()] == [
            str(action) for action, _ in one["policy"]
        ]


def test_columns_of_exported_rows_are_documented(repository: Path) -> None:
    text = (repository / "docs" / "data-path.md").read_text()
    assert all(f"| `{name}` |" in text for name in ROW_COLUMNS)
