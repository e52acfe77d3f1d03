"""Transcripts of Blob: they read back, and the rules check every line."""

import dataclasses
import re

import pytest
from tests.games.blob_walks import walk

from ludus.errors import GameError
from ludus.games import get_game
from ludus.games.blob_cards import Table
from ludus.games.blob_records import (
    last_state,
    of_actions,
    parse_transcripts,
    transcript_text,
    write_transcripts,
)
from ludus.games.blob_variant import Variant
from ludus.players import parse_player
from ludus.players.single import SingleGame

SPEC = "players=4,play=games,highest=2"
VARIANT = Variant.of(SPEC)


def recorded(options, seed, names=()):
    steps = walk(f"blob:{options}" if options else "blob", seed)[:-1]
    actions = [step for state, step in steps if state.kind == "decision"]
    deals = [step for state, step in steps if state.kind == "chance"]
    return of_actions(Variant.of(options), actions, names, deals)


@pytest.mark.parametrize(
    "options", ["", SPEC, "players=8,cards=6,dealer=free", "players=3,play=games,highest=4"]
)
def test_games_read_back(options):
    records = [recorded(options, seed) for seed in range(3)]
    text = write_transcripts(records)[".txt"].decode()
    assert parse_transcripts(Variant.of(options), text) == records
    # The options stand in the text: any game reads it.
    assert parse_transcripts(VARIANT if options else Variant.of(""), text) == records


def test_games_of_the_slots_become_records():
    """The columns that replays keep: the first deal, then an outcome behind each action."""
    entry = get_game(f"blob:{SPEC}")
    table = SingleGame(entry.rules, [parse_player("rules", entry)] * 4, 9)
    assert not table.advance()
    columns = table.columns()
    events = [*columns["opening"].tolist(), *columns["outcome"].tolist()]
    names = ("ludus",) * entry.rules.num_seats
    deals = [event for event in events if event >= 0]
    record = entry.record_of(columns["action"].tolist(), names, deals)
    assert len(deals) == len(record.rounds) == 6
    assert record.names == ("ludus",) * 4
    assert last_state(record).scores().tolist() == columns["scores"].reshape(-1).tolist()


def test_what_a_transcript_holds():
    record = recorded(SPEC, 5, names=("anna b", "search", "search", "random", "nobody"))
    end = walk(f"blob:{SPEC}", 5)[-1][0]
    assert record.names == ("anna b", "search", "search", "random")
    assert last_state(record).packed() == end.packed()
    lines = transcript_text(record, number=3).splitlines()
    assert lines[:3] == ["game 3", f"options: {SPEC}", "seats: 0=anna_b 1=search 2=search 3=random"]
    assert sum(line.startswith("round") for line in lines) == 6
    assert lines[-1] == f"totals: {' '.join(str(int(x)) for x in end.scores()[:4])}"
    # By hand: totals are the sums of the points.
    points = [list(map(int, line.split()[1:])) for line in lines if line.startswith("points")]
    assert [sum(column) for column in zip(*points, strict=True)] == list(Table.of(end).totals)


def test_cards_that_people_dealt_need_no_number():
    record = recorded(SPEC, 7)
    text = re.sub(r"deal \d+, ", "", transcript_text(record))
    (found,) = parse_transcripts(VARIANT, text)
    assert [one.deal for one in found.rounds] == [None] * 6
    assert [one.actions for one in found.rounds] == [one.actions for one in record.rounds]
    assert [one.start for one in found.rounds] == [one.start for one in record.rounds]
    assert parse_transcripts(VARIANT, transcript_text(found)) == [found]


TEXT = """\
# two friends against two programs
game 1
options: players=4,cards=2,trumps=s
seats: 0=anna 1=search 2=bert 3=search

round 1: 4 players, 2 cards, trump spades, dealer 3
hands: 0=AsKh 1=Qs2d 2=9c3c 3=JhTd
bids: 0=1 1=1 2=0 3=1
trick 1: 0=As 1=Qs 2=3c 3=Td, seat 0 takes it
trick 2: 0=Kh 1=2d 2=9c 3=Jh, seat 0 takes it
points: 0 0 10 0
"""


def test_a_game_written_by_hand():
    (record,) = parse_transcripts(Variant.of(""), TEXT)
    assert record.names == ("anna", "search", "bert", "search")
    assert last_state(record).scores()[:4].tolist() == [0, 0, 10, 0]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("game 1", "a game", "line 2: 'a game' stands before the first line 'game 1'"),
        ("cards=2", "crds=2", "line 3: blob has no option 'crds'"),
        ("3=search\n", "4=search\n", "line 4: seats must be named in order from 0"),
        ("round 1", "round 2", "line 6: this is round 1 of the game, not 2"),
        ("4 players, 2", "4 players, 14", "line 6: 14 cards cannot be dealt to 4 players"),
        ("4 players, 2", "9 players, 2", "line 6: 9 players are not those of the game"),
        ("trump spades", "trump swords", "line 6: .* must look like 'round 1: deal"),
        ("trump spades", "trump hearts", "line 6: a trump that the game's option trumps"),
        ("dealer 3", "dealer 4", "line 6: dealer 4 is no seat of 4 players"),
        ("round 1: ", "round 1: deal 17, ", "line 6: deal 17 "),
        ("0=AsKh", "0=AsQs", "line 7: seats 0 and 1 both have Qs"),
        ("0=AsKh", "0=As", "line 7: seat 0 has 1 cards; it must have 2"),
        ("0=AsKh", "0=AsXx", "line 7: the hand of seat 0 'AsXx': 'Xx' is no card"),
        ("0=AsKh 1=Qs2d", "1=Qs2d 0=AsKh", "line 7: hands come by seat: seat 0 is next, not 1"),
        ("hands: ", "hand ", "line 7: 'hand 0=AsKh .* stands where a line like 'hands:"),
        ("3=1\n", "3=0\n", "line 8: the dealer may not bid 0 here: the bids would sum to 2"),
        ("bids: 0=1 1=1", "bids: 1=1 0=1", "line 8: seat 0 is to bid, not seat 1"),
        ("bids: 0=1", "bids: 0=3", "line 8: a bid of 3 is too high: there are 2 tricks"),
        ("bids: 0=1", "bids: 0=x", "line 8: 'x' of seat 0 is no bid"),
        ("bids: 0=1 ", "bids: ", "line 8: 4 seats must be there, not 3"),
        ("1=Qs 2=3c", "1=2d 2=3c", "line 9: 2d is illegal: spades were led and must be followed"),
        ("1=Qs 2=3c", "1=Ks 2=3c", "line 9: seat 1 does not hold Ks"),
        ("1=Qs 2=3c", "1=Qs 2=?", "line 9: '.*' of seat 2 is no card"),
        ("3=Td, seat 0", "3=Td, seat 1", "line 9: seat 0 takes this trick, not seat 1"),
        ("trick 2", "trick 3", "line 10: this is trick 2 of the round, not 3"),
        ("points: 0 0 10 0", "points: 11 0 10 0", "line 11: the points are 0 0 10 0"),
        (
            "points: 0 0 10 0\n",
            "",
            "line 10: the game ends here, but a line like 'points: 0 0 10 0'",
        ),
        ("points: 0 0 10 0\n", "points: 0 0 10 0\ntotals: 1 0 10 0\n", "line 12: the totals are"),
        ("points: 0 0 10 0\n", "points: 0 0 10 0\nround 2\n", "line 12: the game is over, but"),
    ],
)
def test_transcripts_with_errors(old, new, sentence):
    assert old in TEXT
    with pytest.raises(GameError, match=sentence):
        parse_transcripts(Variant.of(""), TEXT.replace(old, new, 1))


def test_deals_must_be_what_they_say():
    record = recorded(SPEC, 1)
    text = transcript_text(record)
    number = record.rounds[0].deal
    hands = next(line for line in text.splitlines() if line.startswith("hands"))
    words = hands.removeprefix("hands: ").split()
    swapped = "hands: " + " ".join(
        f"{seat}={word[2:]}" for seat, word in enumerate([words[1], words[0], *words[2:]])
    )
    with pytest.raises(GameError, match=rf"line 4: deal {number} gives seat 0"):
        parse_transcripts(VARIANT, text.replace(hands, swapped, 1))
    with pytest.raises(GameError, match=r"round 2 of the game is missing, which has 6"):
        parse_transcripts(VARIANT, text[: text.index("round 2")])
    with pytest.raises(GameError, match=r"deal 2000000000 is one of|deal 2000000000 cannot"):
        parse_transcripts(VARIANT, text.replace(f"deal {number}", "deal 2000000000", 1))


def test_bad_games_are_left_out_where_asked():
    bad = TEXT.replace("0=As 1", "0=Ad 1")
    problems = []
    records = parse_transcripts(Variant.of(""), bad + TEXT + bad, problems)
    assert len(records) == 1
    assert problems == [
        "line 9: seat 0 does not hold Ad",
        "line 31: seat 0 does not hold Ad",
    ]


def test_an_unfinished_game_is_no_record():
    steps = walk(f"blob:{SPEC}", 2)[:-1]
    actions = [step for state, step in steps if state.kind == "decision"]
    deals = [step for state, step in steps if state.kind == "chance"]
    with pytest.raises(GameError, match="round 6 is not over behind the last action"):
        of_actions(VARIANT, actions[:-1], (), deals)
    with pytest.raises(GameError, match="the game is not over after 5 rounds"):
        of_actions(VARIANT, actions, (), deals[:-1])
    with pytest.raises(GameError, match="the game is over after 6 rounds, but the record goes on"):
        of_actions(VARIANT, [*actions, 0], (), deals)


def test_files_by_the_command(tmp_path, capsys):
    from ludus.cli import main as cli

    source, target = tmp_path / "games.txt", tmp_path / "again.txt"
    source.write_text(TEXT)
    assert cli.main(("games", "convert", "blob", str(source), str(target))) == 0
    assert "1 games in again.txt" in capsys.readouterr().out
    form = get_game("blob").formats[".txt"]
    assert form.read(target, None) == form.read(source, None)
    (record,) = form.read(source, None)
    assert dataclasses.replace(record, names=()) != record
    source.write_text(TEXT.replace("3=Td, seat 0", "3=Td, seat 2"))
    assert cli.main(("games", "convert", "blob", str(source), str(tmp_path / "bad.txt"))) != 0
    assert "line 9: seat 0 takes this trick, not seat 2" in capsys.readouterr().err
