"""Engines that hang, die, talk at random or cheat: one sentence in time, and nobody is left."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from tests.players.engines.conftest import alive, wait_for

from ludus.arena import Match, MatchSettings, SeedSet
from ludus.errors import GameError, PlayerError
from ludus.games import get_game
from ludus.players import RandomPlayer, parse_player
from ludus.players.engines.process import EngineProcess

OTHELLO = get_game("othello")
START = OTHELLO.position_text(OTHELLO.rules.initial())


def ask(spec, state=None):
    """The engine's action at the start, or elsewhere."""
    state = OTHELLO.rules.initial() if state is None else state
    packed = np.frombuffer(state.packed(), np.uint8)[None]
    player = parse_player(spec, OTHELLO)
    try:
        return int(player.choose(packed, np.zeros(1, np.uint64))[0])
    finally:
        player.choose.close()


def sentence_of(spec, state=None):
    with pytest.raises(PlayerError) as caught:
        ask(spec, state)
    text = str(caught.value)
    assert text.startswith(f"engine {spec}: ")
    assert "\n" not in text
    return text.removeprefix(f"engine {spec}: ")


@pytest.mark.parametrize("protocol", ["gtp", "nboard"])
@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("hang", "it gave no answer to {asked} within 0.4 s"),
        ("half", "it gave no answer to {asked} within 0.4 s, only wrote {half}"),
        ("die", "it ended with exit code 3 when asked {asked}; its last words on stderr: "),
        ("crash", "it was ended by SIGSEGV when asked {asked}"),
        ("mute", "it closed its output when asked {asked}"),
        ("garbage", "it wrote {most} lines when asked {asked}, and no answer among them"),
        ("endless", "it answered {asked} with a line that never ends"),
        ("noisy", "it answered {a1}, no legal move in {start} (a1 is illegal"),
        ("d3x", "it answered {answer}, no legal move in {start} ('d3x' is no action"),
        ("pass", "it answered {answer}, no legal move in {start} (passing is legal only"),
        ("19", "it answered {answer}, no legal move in {start} (that is "),
        ("", "it answered {answer}, no legal move in {start} ("),
    ],
)
def test_one_sentence_in_time(bad, protocol, what, sentence):
    patience = 0.4 if what in ("hang", "half") else 20
    begun = time.monotonic()
    said = sentence_of(bad(protocol, what, patience=patience))
    assert time.monotonic() - begun < 15
    asked = {"gtp": "genmove black", "nboard": "go"}[protocol]
    given = {"gtp": "{!r}", "nboard": "'=== {}'"}[protocol]
    wanted = sentence.format(
        asked=repr(asked),
        half={"gtp": "'= d'", "nboard": "'=== d'"}[protocol],
        most={"gtp": 10_000, "nboard": 100_000}[protocol],
        a1=f"{given.format('a1')} to {asked!r}",
        answer=f"{given.format(what)} to {asked!r}" if what else "'===' to 'go'",
        start=START,
    )
    if what == "" and protocol == "gtp":
        wanted = wanted.replace("'===' to 'go'", "'' to 'genmove black'")
    assert said.startswith(wanted)
    if what == "die":
        assert said.endswith("'segment 7 is on fire'")


@pytest.mark.parametrize(
    ("protocol", "at", "asked"),
    [
        ("gtp", "protocol_version", "'protocol_version'"),
        ("gtp", "boardsize", "'boardsize 8'"),
        ("gtp", "clear_board", "'clear_board'"),
        ("gtp", "time_settings", "'time_settings 0 2 1'"),
        ("nboard", "ping", "'ping 1'"),
        ("nboard", "ping 2", "'ping 2'"),
    ],
)
def test_every_question_has_its_limit(bad, protocol, at, asked):
    more = {"seconds": 2} if protocol == "gtp" else {}
    said = sentence_of(bad(protocol, "hang", at, patience=0.3, **more))
    assert said == f"it gave no answer to {asked} within 0.3 s"


def test_what_gtp_refuses(bad):
    assert sentence_of(bad("gtp", "refuse", "boardsize")) == (
        "it refused 'boardsize 8': 'I would rather not'"
    )
    assert sentence_of(bad("gtp", "resign")) == (
        "it resigned when asked 'genmove black'; games are played to their end"
    )
    said = sentence_of(bad("gtp", "3", "protocol_version"))
    assert said == "it answered '3' to 'protocol_version'; this is no engine for GTP 2"


def test_an_engine_that_reads_nothing_does_not_block():
    """More than a pipe holds is written to an engine that is asleep."""
    process = EngineProcess(["/bin/sleep", "1000"], "deaf")
    try:
        begun = time.monotonic()
        with pytest.raises(PlayerError, match="engine deaf: it did not read 'xxx"):
            process.send("x" * 1_000_000, 0.3)
        assert time.monotonic() - begun < 5
    finally:
        process.close()


def test_a_program_that_cannot_be_executed(tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF no, not really")
    broken.chmod(0o755)
    said = sentence_of(f"gtp:{broken}")
    assert said.startswith("it ended with exit code 127 when asked 'protocol_version'; its last ")
    assert "Exec format error" in said


def test_a_position_that_gtp_cannot_be_told_of(bad):
    text = "-OX-----" + "--------" + "---OX---" * 3 + "---X----" + "-" * 16 + " X"
    with pytest.raises(GameError, match=r"no moves were found that lead to -OX.*over NBoard it"):
        ask(bad("gtp", "d3"), OTHELLO.parse_position(text))


def test_a_match_ends_with_the_sentence(bad):
    match = Match(
        OTHELLO.rules,
        parse_player(bad("nboard", "die"), OTHELLO),
        RandomPlayer(),
        SeedSet.generate(1, 70),
        MatchSettings(lanes=2),
    )
    with pytest.raises(PlayerError, match="it ended with exit code 3 when asked 'go'"):
        match.run()


# -- nobody is left ----------------------------------------------------------------------------


def test_the_engine_ends_with_its_player(bad):
    """Closed, or no longer held by anybody: also one that ignores all signals, and its children."""
    for how in ("closed", "forgotten"):
        player = parse_player(bad("nboard", "d3", "go"), OTHELLO)
        packed = np.frombuffer(OTHELLO.rules.initial().packed(), np.uint8)[None]
        assert player.choose(packed, np.zeros(1, np.uint64)).tolist() == [19]
        assert alive("bad_engine.py")
        if how == "closed":
            player.choose.close()
            player.choose.close()
        else:
            del player
        assert wait_for(lambda: not alive("bad_engine.py")), how


@pytest.mark.parametrize(
    ("what", "end"),
    [
        ("stubborn", "kill"),
        ("family", "kill"),
        ("family", "exit"),
        ("hang", "raise"),
        ("hang", "term"),
    ],
)
def test_nobody_is_left_however_ludus_ends(bad, what, end, tmp_path):
    """SIGKILL, the end of the program, an exception and SIGTERM, in the midst of a question."""
    mark = f"86400.{os.getpid()}{abs(hash((what, end))) % 10**6}"
    code = f"""
import os, sys, threading, time
from ludus.games import get_game
from ludus.players import parse_player
from ludus.errors import PlayerError
import numpy as np
entry = get_game("othello")
player = parse_player({bad("nboard", what)!r} + ",patience=1000", entry)
packed = np.frombuffer(entry.rules.initial().packed(), np.uint8)[None]
def ask():
    player.choose(packed, np.zeros(1, np.uint64))
threading.Thread(target=ask, daemon=True).start()
print("asked", flush=True)
sys.stdin.readline()
if {end!r} == "exit":
    sys.exit(0)
if {end!r} == "raise":
    raise ValueError("over")
time.sleep(1000)
"""
    ludus = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LUDUS_TEST_SLEEP": mark},
    )
    try:
        assert ludus.stdout.readline() == b"asked\n"
        # The engine, its guard, and this test's own Ludus, whose code has the name too.
        assert wait_for(lambda: len(alive("bad_engine.py")) >= 3)
        assert what != "family" or wait_for(lambda: len(alive(mark)) == 1)
        if end in ("kill", "term"):
            ludus.send_signal(signal.SIGKILL if end == "kill" else signal.SIGTERM)
        ludus.stdin.close()
        ludus.wait(20)
        assert wait_for(lambda: not alive("bad_engine.py") and not alive(mark))
    finally:
        ludus.kill()
        ludus.wait()
        ludus.stdout.close()


def test_ctrl_c_waits_for_no_engine(bad):
    """One is enough, while an engine hangs that has a minute for its answer."""
    command = [sys.executable, "-m", "ludus.cli", "match", bad("gtp", "hang"), "random"]
    with subprocess.Popen(
        [*command, "--game", "othello", "--pairs", "4", "--lanes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as ludus:
        assert wait_for(lambda: len(alive("bad_engine.py")) >= 3)
        ludus.send_signal(signal.SIGINT)
        assert ludus.wait(20) == 130
        assert b"Traceback" not in ludus.stderr.read()
    assert wait_for(lambda: not alive("bad_engine.py"))


def test_ctrl_c_is_not_for_the_engine(bad):
    """The terminal's SIGINT goes to Ludus alone: its engines are in sessions of their own."""
    player = parse_player(bad("nboard", "d3"), OTHELLO)
    packed = np.frombuffer(OTHELLO.rules.initial().packed(), np.uint8)[None]
    player.choose(packed, np.zeros(1, np.uint64))
    mine = os.getsid(0)
    pids = [pid for pid in alive("bad_engine.py") if os.path.exists(f"/proc/{pid}")]
    assert pids
    assert all(os.getsid(pid) != mine for pid in pids)
    player.choose.close()


def test_engines_of_a_player_are_as_many_as_ask_at_once(bad):
    player = parse_player(bad("nboard", "d3"), OTHELLO)
    packed = np.frombuffer(OTHELLO.rules.initial().packed(), np.uint8)[None]
    threads = [
        threading.Thread(target=player.choose, args=(packed, np.zeros(1, np.uint64)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running = len(alive("bad_engine.py"))
    assert 2 <= running <= 9  # an engine, its guard, and this process' child are the same two
    for _ in range(3):
        player.choose(packed, np.zeros(1, np.uint64))
    assert len(alive("bad_engine.py")) == running
    player.choose.close()
