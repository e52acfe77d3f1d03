"""`ludus engine` as an interface runs it: quick, quiet, and ended by everything that should."""

import os
import re
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "ludus.cli", "engine"]


def engine(*arguments, **options):
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def talk(lines, *arguments):
    done = subprocess.run(
        [*COMMAND, *arguments], input=lines, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_gtp_until_the_end_of_input():
    code, out, err = talk(
        "1 name\n2 genmove b\n3 play w c3\nfly\n# nothing\n\n4 showboard",
        "weights", "--protocol", "gtp", "--seed", "3",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert out.startswith("=1 Ludus\n\n=2 C4\n\n=3\n\n? unknown command\n\n=4\nBlack (X) to move")
    assert out.endswith("\n\n")


def test_quit_ends_it_while_input_goes_on():
    with engine("random", "--protocol", "gtp") as running:
        running.stdin.write("quit\n")
        running.stdin.flush()
        assert running.wait(30) == 0
        assert running.stdout.read() == "=\n\n"
        assert running.stderr.read() == ""


def test_ctrl_c_ends_it_quietly():
    with engine("weights", "--protocol", "nboard") as running:
        running.stdin.write("nboard 2\nping 7\n")
        running.stdin.flush()
        assert running.stdout.readline() == "set myname Ludus-weights\n"
        assert running.stdout.readline() == "pong 7\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert (running.stdout.read(), running.stderr.read()) == ("", "")


def test_a_reader_who_goes_away_ends_it_quietly():
    with engine("weights", "--protocol", "nboard") as running:
        running.stdout.close()
        running.stdin.write("ping 1\n" * 10)
        running.stdin.flush()
        assert running.wait(30) == 0
        assert running.stderr.read() == ""


def test_a_game_over_nboard_with_the_same_seed_is_the_same():
    lines = "nboard 2\nset depth 4\nset game (;GM[Othello]TI[1:00];)\ngo\nmove D3\ngo\nhint 2\n"
    talks = {talk(lines, "random", "--protocol", "nboard", "--seed", "5")[:2] for _ in range(2)}
    ((code, out),) = {(code, re.sub(r"/\d+\.\d\d\n", "\n", out)) for code, out in talks}
    assert code == 0
    assert len(re.findall(r"^=== [A-H][1-8]/$", out, re.M)) == 2


@pytest.mark.parametrize("light", ["weights", "uniform:sims=2"])
def test_players_without_a_network_answer_without_torch(light):
    """What is imported by the first answer decides how long an interface waits for it."""
    code = (
        "import sys; from ludus.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, sorted({'torch', 'ludus.runs', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "engine", light, "--protocol", "gtp"],
        input="genmove b\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == "0 []\n"
    assert re.fullmatch(r"= [C-F][3-6]\n\n", done.stdout)


def test_only_answers_go_to_standard_output(tmp_path):
    """Whatever a player or a library prints is no answer."""
    code = """
import os, sys, dataclasses
from ludus.cli.main import main
import ludus.games.registry as registry
entry = registry.get_game("othello")
def loud(options):
    def choose(states, keys):
        sys.stdout.write("I am a library\\n"); sys.stdout.flush(); os.write(1, b"so am I\\n")
        return [19] * len(states)
    return choose
entry.players["loud"] = loud
sys.exit(main(["engine", "loud", "--protocol", "gtp"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="genmove b\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "= D3\n\n")
    assert sorted(done.stderr.splitlines()) == ["I am a library", "so am I"]


def test_a_bug_of_a_player_is_answered_and_the_engine_goes_on():
    code = """
import sys
from ludus.cli.main import main
import ludus.games.registry as registry
def broken(options):
    return lambda states, keys: 1 / 0
registry.get_game("othello").players["broken"] = broken
sys.exit(main(["engine", "broken", "--protocol", sys.argv[1]]))
"""
    for protocol, lines, answers in (
        ("gtp", "7 genmove b\n8 name\n", "?7 internal error: division by zero\n\n=8 Ludus\n\n"),
        (
            "nboard",
            "go\nping 2\n",
            "status Thinking\nstatus internal error: division by zero\npong 2\n",
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, protocol],
            input=lines,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, answers)
        assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("weights", "--protocol", "uci"), "--protocol uci must be nboard or gtp"),
        (("weights",), "Missing option '--protocol'"),
        (("nobody", "--protocol", "gtp"), "player 'nobody' is unknown; othello knows random,"),
        (("greedy", "--protocol", "gtp", "--game", "yatzy"), "yatzy is not played over gtp"),
        (("weights", "--protocol", "gtp", "--seed", "-1"), "--seed -1 must lie in"),
        (("person", "--protocol", "gtp"), "a person plays only in `ludus play`"),
    ],
)
def test_what_cannot_be_an_engine(arguments, sentence, monkeypatch, capsys):
    from ludus.cli import main as cli

    monkeypatch.setattr(cli, "COMMAND_MODULES", ("engine", "players"))
    assert cli.main(("engine", *arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_an_engine_of_engines():
    """An external engine behind Ludus' own protocol: one engine translated into another."""
    inner = f"{sys.executable} -m ludus.cli engine weights --protocol nboard --seed 1"
    code, out, err = talk("genmove b\n", f"nboard:{inner}", "--protocol", "gtp")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"= [C-F][3-6]\n\n", out)


def test_thinking_does_not_keep_a_finished_engine(tmp_path):
    """Ctrl-C while a player thinks that cannot be interrupted."""
    code = """
import sys, time
from ludus.cli.main import main
import ludus.games.registry as registry
registry.get_game("othello").players["slow"] = lambda options: lambda *_: time.sleep(1000)
sys.exit(main(["engine", "slow", "--protocol", "nboard"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as running:
        running.stdin.write("go\n")
        running.stdin.flush()
        assert running.stdout.readline() == "status Thinking\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert running.stderr.read() == ""
