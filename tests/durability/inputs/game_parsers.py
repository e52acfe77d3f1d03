"""Parsers of games for the fuzzer: records of every format, positions, actions, protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.durability.inputs import parsers
from tests.durability.inputs.mutating import either, of_bytes
from tests.games.blob_walks import walk

from ludus.games import get_game
from ludus.games.blob_records import of_actions, parse_transcripts
from ludus.games.blob_records import transcript_text as blob_text
from ludus.games.blob_variant import Variant
from ludus.games.othello_ggf import ggf_text, parse_ggf
from ludus.games.othello_position import position_text
from ludus.games.othello_records import parse_transcript, transcript_text
from ludus.games.othello_wthor import parse_names, parse_wthor, wthor_files

_MOVES = b"c4e3f4c3e2e1c2b4"
_GGF = (
    b"(;GM[Othello]PC[GGS/os]PB[ann]PW[bob]RE[?]TI[15:00]TY[8]BO[8 "
    b"---------------------------O*------*O--------------------------- *]"
    b"B[d3//0.5]W[c3/1.2/3.1];)"
)
_WORDS = (b"pass", b"--", b"a1", b"h8", b"[", b"]", b";)", b"(;", b"B[", b"W[", b"/", b"*", b"O")


def _records() -> list[Any]:
    """Text formats and WTHOR; what is read is written again, and read as the same."""

    def transcript(data: bytes) -> None:
        record = parse_transcript(data.decode("utf-8", "replace"))
        again = parse_transcript(transcript_text(record))
        if again.actions != record.actions:
            raise parsers.NotAsWrittenError("a game was written as another one")

    def ggf(data: bytes) -> None:
        records = parse_ggf(data.decode("latin-1"), [])
        ggf_text(records)

    def wthor(data: bytes) -> None:
        wthor_files(parse_wthor(data, None, []))

    def names(data: bytes) -> None:
        parse_names(data, 20, "fuzzed")

    def blob(data: bytes) -> None:
        parse_transcripts(variant, data.decode("utf-8", "replace"))

    variant, steps = Variant.of(""), walk("blob", 3)[:-1]
    chosen = [step for state, step in steps if state.kind == "decision"]
    dealt = [step for state, step in steps if state.kind == "chance"]
    round_ = blob_text(of_actions(variant, chosen, (), dealt)).encode()
    game = parse_transcript(_MOVES.decode())
    played = parse_ggf(_GGF.replace(b"W[c3", b"W[c5").decode(), [])
    sound = [_GGF, *([ggf_text(played).encode()] if played else [])]
    whole = bytes(4) + (1).to_bytes(4, "little") + bytes(2) + (2004).to_bytes(2, "little") + b"\x08"
    body = (
        bytes(6)
        + bytes((30, 30))
        + bytes(10 * (move // 8 + 1) + move % 8 + 1 for move in game.actions).ljust(60, b"\0")
    )
    wtb = whole + bytes(3) + body
    jou = bytes(8) + (2).to_bytes(2, "little") + bytes(6) + b"ann".ljust(20, b"\0") * 2
    return [
        parsers.Parser("transcript", of_bytes([_MOVES, b"F5D6C3"], _WORDS), transcript, 6.0),
        parsers.Parser("ggf", of_bytes(sound, _WORDS), ggf, 3.0),
        parsers.Parser("wthor", of_bytes([wtb, wtb + body]), wthor, 4.0),
        parsers.Parser("wthor-names", of_bytes([jou]), names, 8.0),
        parsers.Parser("blob-records", of_bytes([round_], (b"seat", b"0=", b"As")), blob, 1.0),
    ]


def _notations(name: str, lines: list[bytes], actions: list[bytes]) -> list[Any]:
    entry = get_game(name)
    initial = entry.rules.initial()

    def position(data: bytes) -> None:
        state = entry.parse_position(data.decode("utf-8", "replace"))
        if entry.parse_position(entry.position_text(state)).packed() != state.packed():
            raise parsers.NotAsWrittenError("a position was written as another one")
        entry.render(state)

    def action(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for state in states:
            chosen = entry.parse_action(state, text)
            state.copy().apply(chosen)

    states = [initial] if initial.kind == "decision" else []
    for line in lines:
        state = entry.parse_position(line.decode())
        if state.kind == "decision":
            states.append(state)
    return [
        parsers.Parser(f"position-{name}", of_bytes(lines, _WORDS), position, 2.0),
        parsers.Parser(f"action-{name}", of_bytes(actions, _WORDS), action, 8.0),
    ]


def _engines() -> list[Any]:
    from ludus.players import parse_player
    from ludus.players.engines.gtp_server import GtpServer
    from ludus.players.engines.nboard_server import NBoardServer
    from ludus.players.engines.session import Session

    entry = get_game("othello")

    def speaking(make: Callable[[], Any]) -> Callable[[bytes], None]:
        """A conversation of some lines; begun again, so that an input repeats what it found."""

        def parse(data: bytes) -> None:
            server = make()
            for line in data.decode("utf-8", "replace").split("\n"):
                if not server.answer(line, said.append):
                    break
            if any("internal error" in text for text in said):
                raise parsers.NotAsWrittenError(f"an answer was {said[-1][:80]!r}")
            said.clear()

        return parse

    said: list[str] = []
    player = parse_player("random", entry)
    gtp = [
        b"1 play b d3\ngenmove w\nundo\nshowboard",
        b"boardsize 8\nclear_board\ntime_settings 10 5 1\ntime_left b 3 1\nreg_genmove b",
        b"known_command play\nlist_commands\nfinal_score\nkomi 0.5\nset_game Othello",
    ]
    nboard = [
        b"nboard 2\nset depth 3\nset game " + _GGF + b"\ngo",
        b"move d3//0.5\nhint 2\nping 3",
        b"set game " + _GGF.replace(b"W[c3", b"W[c5") + b"\nmove f6\nanalyze",
    ]
    return [
        parsers.Parser(
            "gtp",
            of_bytes(gtp, (b"play ", b"genmove ", b"undo\n", *_WORDS)),
            speaking(lambda: GtpServer(Session(entry, player, 1), entry.protocols["gtp"])),  # type: ignore[arg-type]
            1.0,
        ),
        parsers.Parser(
            "nboard",
            of_bytes(nboard, (b"set game ", b"move ", b"go\n", *_WORDS)),
            speaking(lambda: NBoardServer(Session(entry, player, 1), entry.protocols["nboard"])),  # type: ignore[arg-type]
            1.0,
        ),
    ]


def game_parsers() -> list[Any]:
    """All of them."""
    othello = position_text(get_game("othello").rules.initial()).encode()
    blob = get_game("blob")
    dealt = blob.position_text(walk("blob", 3)[2][0])
    return [
        *_records(),
        *_notations("othello", [othello], [b"d3", b"c4", b"pass", b"19"]),
        *_notations(
            "yatzy",
            [b"32767/0/0 32767/0/0 0 13456 2", b"32767/0/0 32767/0/0 0 ????? 2"],
            [b"1 3 4", b"keep 66", b"ones", b"chance", b"0"],
        ),
        *_notations("blob", [dealt.encode()], [b"2", b"As", b"bid 1"]),
        *_engines(),
    ]


__all__ = ["either", "game_parsers"]
