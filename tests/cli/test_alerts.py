"""``ludus alerts``: rules, figures, what is active, and the test alert."""

import json
import sys

import pytest
from tests.training.tiny import train

from ludus.cli import main as cli
from ludus.training.catalogue import CATALOGUE

RULES = (
    "alerts.rules=[{name: many_games, metric: games, condition: above, limit: 50}, "
    "{name: slow, metric: games_per_second, condition: below, limit: 1}]"
)


@pytest.fixture(autouse=True)
def few_commands(monkeypatch):
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("alerts", "status"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose alert leaves it by a command that keeps what it gets."""
    folder = tmp_path_factory.mktemp("alerts")
    keep = f"import sys; open({str(folder / 'got')!r}, 'w').write(sys.stdin.read())"
    command = f"alerts.command={json.dumps([sys.executable, '-c', keep])}"
    more = (RULES, command, "alerts.off=[stagnation]", "evaluation.every=0")
    train(folder / "run", *more, iterations=1)
    return folder / "run"


def ask(capsys, *words):
    code = cli.main(["alerts", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_rules_in_force(run, capsys):
    code, out, _ = ask(capsys, run)
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "1 alert is active" in out and "many_games: games is 72, above 50, for " in out
    assert lines["many_games"].endswith("ACTIVE")
    assert lines["slow"].endswith("changed") and "games_per_second" in lines["slow"]
    assert lines["stagnation"].endswith("off")
    assert lines["elo_regression"].endswith("built-in") and "< -100" in lines["elo_regression"]
    assert out.splitlines()[-1].startswith("out of the machine: command ")


def test_rules_as_json(run, capsys):
    document = json.loads(ask(capsys, run, "--json")[1])
    rules = {one["name"]: one for one in document["rules"]}
    assert rules["many_games"]["value"] == 72 and rules["many_games"]["origin"] == "own"
    assert rules["stagnation"]["off"] and not rules["loss_spike"]["off"]
    assert [one["name"] for one in document["active"]] == ["many_games"]


def test_figures(run, capsys):
    out = ask(capsys, run, "--figures")[1]
    assert [line.split()[0] for line in out.splitlines()[1:]] == [one.name for one in CATALOGUE]
    figures = {one["name"]: one for one in json.loads(ask(capsys, run, "--figures", "--json")[1])}
    assert figures["games"]["value"] == 72 and figures["games"]["kind"] == "counter"


def test_without_any_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = ask(capsys)
    assert code == 0 and "loss_spike" in out and "that a run would have" in err


def test_a_test_alert(run, capsys):
    code, out, _ = ask(capsys, "test", run)
    assert (code, out) == (0, "command: worked\n")
    got = json.loads((run.parent / "got").read_text())
    assert (got["event"], got["name"], got["run"]) == ("alert", "test", str(run))


def test_a_test_alert_that_does_not_arrive(tmp_path, capsys):
    path = tmp_path / "run"
    train(path, "alerts.command=[/no/such/program]", "evaluation.every=0", iterations=1)
    code, out, _ = ask(capsys, "test", path)
    assert code == 1 and "/no/such/program cannot be started: No such file" in out
    code, out, _ = ask(capsys, "test", "--run", path, "--json")
    assert code == 1 and "No such file" in json.loads(out)["sent"]["command"]


def test_nothing_to_test_with(tmp_path, capsys):
    train(tmp_path / "run", "evaluation.every=0", iterations=1)
    code, _, err = ask(capsys, "test", tmp_path / "run")
    assert code == 2 and "do not leave the machine" in err


def test_mistakes(tmp_path, capsys):
    assert ask(capsys, "a", "b")[0] == 2
    code, _, err = ask(capsys, tmp_path / "nothing")
    assert code == 2 and err.count("\n") == 1
