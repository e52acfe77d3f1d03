"""``ludus engine``: any player behind a protocol of game engines, for graphical interfaces."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ludus.cli.playing import GAME_HELP, prepare_threads
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus.games import GameEntry
    from ludus.players.engines.serving import Server
    from ludus.players.engines.session import Session


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("engine")(engine)


def engine(
    player: Annotated[str, typer.Argument(help="A player or a run directory.")],
    protocol: Annotated[str, typer.Option("--protocol", help="nboard or gtp.")],
    game: Annotated[
        str | None,
        typer.Option(
            "--game",
            help=f"{GAME_HELP} By default that of the run, else one that has the protocol.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of random choices; drawn by default.")
    ] = None,
) -> int:
    """Let a player be the engine of a graphical interface, on standard input and output.

    An interface is given this command line as its engine, such as: ludus engine weights --protocol
    nboard. Only answers of the protocol go to standard output. It ends with the input.
    """
    from ludus.players import parse_player
    from ludus.players.engines.serving import serve
    from ludus.players.engines.session import Session

    if seed is not None and not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed} must lie in 0..2^63 - 1")
    if protocol not in ("gtp", "nboard"):
        raise UserError(f"--protocol {protocol} must be nboard or gtp")
    prepare_threads()
    entry = _entry(game, player, protocol)
    chosen = secrets.randbits(63) if seed is None else seed
    session = Session(entry, parse_player(player, entry), chosen)
    server = _server(session, protocol)
    sys.stdout.flush()
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        ended = serve(server, 0, answers)
    except KeyboardInterrupt:
        ended = False
    if not ended:
        os._exit(0)  # a thread is still thinking, perhaps outside the interpreter
    os.close(answers)
    return 0


def _entry(asked: str | None, player: str, protocol: str) -> GameEntry:
    """The game: as asked, that of the run that plays, or the first one with the protocol."""
    from ludus.cli.playing import game_of, run_of
    from ludus.games import game_names, get_game

    if asked is not None:
        found = get_game(asked)
    elif (run := run_of(player)) is not None:
        found = game_of(run)
    else:
        return next(
            entry for name in game_names() if protocol in (entry := get_game(name)).protocols
        )
    if protocol not in found.protocols:
        raise UserError(f"{found.name} is not played over {protocol}")
    return found


def _server(session: Session, protocol: str) -> Server:
    from ludus.games.protocols import GtpGame, NBoardGame

    adapter = session.entry.protocols[protocol]
    if isinstance(adapter, GtpGame):
        from ludus.players.engines.gtp_server import GtpServer

        return GtpServer(session, adapter)
    from ludus.players.engines.nboard_server import NBoardServer

    assert isinstance(adapter, NBoardGame)
    return NBoardServer(session, adapter)
