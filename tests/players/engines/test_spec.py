"""Specifications of engines: commands of any characters, options, programs that are there."""

import shlex
import stat
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludus.cli.playing import chosen_game
from ludus.errors import PlayerError
from ludus.games import get_game
from ludus.players import ExternalPlayer, known_players, parse_player
from ludus.players.engines.spec import COMMAND, engine_options, split_engine
from ludus.players.identity import identify
from ludus.players.spec import split_spec

OTHELLO, YATZY = get_game("othello"), get_game("yatzy")


def words(spec):
    return shlex.split(split_spec(spec)[1][COMMAND])


@pytest.mark.parametrize(
    ("spec", "command", "options"),
    [
        ("gtp:/opt/edax/lEdax -gtp -l 6", ["/opt/edax/lEdax", "-gtp", "-l", "6"], {}),
        ("nboard:./m -x,depth=8, folder=/a b", None, "must have the form"),
        ("nboard:./m -x,depth=8, folder='/a b',", ["./m", "-x"], {"depth": "8", "folder": "/a b"}),
        ('gtp:"/my engines, old/z" a=b c:d', ["/my engines, old/z", "a=b", "c:d"], {}),
        (r"gtp:/my\ engines\,\ old/z --n=1\,2", ["/my engines, old/z", "--n=1,2"], {}),
        ("gtp:p '' \"it's\"", ["p", "", "it's"], {}),
        ('gtp:p \'a\\b\' "a\\"b"', ["p", "a\\b", 'a"b'], {}),
        ("gtp:p $HOME;rm * | x", ["p", "$HOME;rm", "*", "|", "x"], {}),
        ("gtp:", None, "needs a command, such as gtp:/path"),
        ("gtp", None, "needs a command"),
        ("gtp: ,seconds=2", None, "needs a command"),
        ("gtp:'p", None, "ends within a quote '"),
        ("gtp:p\\", None, "ends within a backslash"),
        ("gtp:p a,b", None, "'b' must have the form option=value; a comma that belongs"),
        ("gtp:p,seconds=1,seconds=2", None, "option seconds is given twice"),
    ],
)
def test_commands_and_options(spec, command, options):
    if command is None:
        with pytest.raises(PlayerError, match=options):
            split_spec(spec)
        return
    assert words(spec) == command
    assert {k: v for k, v in split_spec(spec)[1].items() if k != COMMAND} == options


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1))
def test_any_words_can_be_quoted(command):
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)
    found = split_engine("gtp:", f"{quoted},seconds=3")
    assert shlex.split(found[COMMAND]) == command
    assert found["seconds"] == "3"


@given(st.text())
def test_any_text_is_split_or_refused_with_a_sentence(text):
    sentences, found = [], {}
    try:
        found = split_engine(f"gtp:{text}", text)
    except PlayerError as error:
        sentences.append(str(error))
    if found:
        assert shlex.split(found[COMMAND])
    else:
        assert sentences[0].startswith(("player 'gtp:", 'player "gtp:'))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("gtp:/nowhere/edax", "there is no program /nowhere/edax$"),
        ("gtp:/nowhere/my edax", r"there is no program /nowhere/my \(a path with spaces stands"),
        ("gtp:no-such-program-here", "there is no program no-such-program-here in PATH"),
        ("gtp:/etc/passwd", "/etc/passwd is no program that may be started"),
        ("gtp:/", "there is no program /"),
        ("gtp:sh,depth=3", "player gtp has no option 'depth': its options are seconds, patience"),
        ("nboard:sh,seconds=3", "player nboard has no option 'seconds': its options are depth"),
        ("nboard:sh,depth=0", "depth=0 must be an integer in 1..100"),
        ("nboard:sh,clock=1.5", "clock=1.5 must be an integer"),
        ("gtp:sh,seconds=-1", "seconds=-1 must be an integer in 1..86400"),
        ("gtp:sh,patience=0", "patience=0 must be a number in 0.01..86400"),
        ("gtp:sh,patience=nan", "patience=nan must be a number"),
        ("gtp:sh,folder=/nowhere", "there is no folder /nowhere"),
        ("gtp:sh,run=x", "no option 'run'"),
    ],
)
def test_bad_engines_are_refused_before_they_start(spec, sentence):
    with pytest.raises(PlayerError, match=sentence):
        parse_player(spec, OTHELLO)


def test_a_game_without_the_protocol():
    with pytest.raises(PlayerError, match="yatzy is not played over gtp, so 'gtp:sh' cannot"):
        parse_player("gtp:sh", YATZY)
    assert {"gtp", "nboard"} <= set(known_players(OTHELLO))
    assert not {"gtp", "nboard"} & set(known_players(YATZY))


def test_programs_are_found_in_a_folder_and_in_path(tmp_path):
    program = tmp_path / "my engine, new"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    spec = f"gtp:'./my engine, new' -x,folder={tmp_path},seconds=2,patience=1.5"
    options = engine_options(spec, *[split_spec(spec)[i] for i in (0, 1)])
    assert options.command == (str(program), "-x")
    assert (options.folder, options.seconds, options.patience) == (str(tmp_path), 2, 1.5)
    found = engine_options("gtp:sh", "gtp", {COMMAND: "sh"})
    assert found.command[0].endswith("/sh")
    assert (found.patience, found.seconds, found.depth, found.clock) == (60.0, None, None, None)


def test_nothing_is_started_before_it_is_asked():
    player = parse_player(f"gtp:{shlex.quote(sys.executable)} -c x", OTHELLO)
    assert isinstance(player, ExternalPlayer)
    assert player.name.startswith("gtp:")


def test_engines_have_identities():
    """Results of a ladder are kept apart by command and options."""
    keys = {
        identify(spec, OTHELLO)[1].key
        for spec in ("gtp:sh", "gtp:sh -l 3", "gtp:sh,seconds=2", "nboard:sh", "nboard:sh,depth=3")
    }
    assert len(keys) == 5
    assert identify("gtp:sh  -l  3", OTHELLO)[1] == identify("gtp:sh -l '3'", OTHELLO)[1]
    assert chosen_game(None, ["gtp:sh -x,y"]).name == "yatzy"  # unreadable: not its business
