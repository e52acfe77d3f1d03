"""``ludus play``: a person at the terminal against a player."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.output import note, say
from ludus.cli.playing import GAME_HELP, game_of, prepare_threads
from ludus.errors import GameError, UserError

if TYPE_CHECKING:
    from ludus import _core
    from ludus.games import GameEntry
    from ludus.players import Player
    from ludus.players.single import SingleGame

LEAVING = ("quit", "exit", "q")
_PERSON = "person"
_HINTS = 5
_HINT_SECONDS = 1.0
"""That an opponent who judges may take for a hint."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("play")(play)


def play(
    game: Annotated[str, typer.Argument(help=f"{GAME_HELP} Or a run, to meet its champion.")],
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            help="A player, a run directory, or person for two people. Where a game has more than "
            "two seats, one plays all the others; or give it once for each of them, in turn.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The same dice or cards again; drawn by default.")
    ] = None,
    seat: Annotated[int, typer.Option("--seat", help="Your seat: 0 begins.")] = 0,
) -> int:
    """Play in the terminal, against the game's oracle or another player.

    A game without an oracle for all of it is played against the champion of runs/GAME, if there
    is one.

    Type an action, such as `keep 6 6 6` or `mark house` in Yatzy; also help, hint, show, quit. In
    games with hidden cards also explain: what the others could know when they acted.
    """
    from ludus.games import get_game
    from ludus.players import parse_player
    from ludus.players.single import SingleGame
    from ludus.runs import is_run

    prepare_threads()
    of_run = is_run(Path(game))
    if of_run:
        entry, against = game_of(Path(game)), against or [game]
    else:
        entry = get_game(game)
    if entry.for_people and (of_run or entry.source == entry.name):
        entry = get_game(entry.for_people)
    if seed is not None and not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed} must lie in 0..2^63 - 1")
    chosen = secrets.randbits(31) if seed is None else seed
    count = _seats_of(entry, chosen)
    if seat not in range(count):
        raise UserError(f"--seat {seat} must lie in 0..{count - 1}")
    specs = _by_seat(entry, against or [_opponent_of(entry)], seat, count)
    made = {spec: parse_player(spec, entry) for spec in specs if spec != _PERSON}
    seats: list[Player | None] = [made.get(spec) for spec in specs]
    table = SingleGame(entry.rules, seats, chosen)
    if entry.telling is not None:
        from ludus.cli.play_table import TableSession

        session: Session = TableSession(entry, table, seats, specs)
    else:
        session = Session(entry, table, seats, specs)
    session.greet(chosen)
    return session.run()


def _seats_of(entry: GameEntry, seed: int) -> int:
    """Seats in play of the game with this seed."""
    if len(entry.players_of_a_game) == 1:
        return entry.players_of_a_game[0]
    state = entry.rules.initial()
    state.apply_outcome(state.draw(seed))
    return state.players


def _by_seat(entry: GameEntry, against: Sequence[str], seat: int, count: int) -> list[str]:
    """Who has each seat, as specifications; the person's own is a person.

    Raises:
        UserError: there are more or fewer players than seats, or several people at one screen
            where cards are hidden.
    """
    others = list(against) * (count - 1) if len(against) == 1 else list(against)
    if len(others) != count - 1:
        raise UserError(
            f"--against is given {len(others)} times, but {count - 1} others play: give it once "
            f"for all of them, or {count - 1} times"
        )
    if entry.telling is not None and _PERSON in others:
        raise UserError(
            f"--against {_PERSON}: {entry.name} has hidden cards, which one screen cannot keep "
            "from two people"
        )
    return [*others[:seat], _PERSON, *others[seat:]]


def _opponent_of(entry: GameEntry) -> str:
    """Whom a person meets who names nobody."""
    from ludus.runs import Run, is_run

    opponent_in = entry.suites.get("opponent")
    if opponent_in is not None:
        return str(opponent_in())
    run = Path("runs") / entry.name
    if is_run(run) and "champion" in Run.open(run, write=False).manifest.objects:
        return str(run)
    return entry.sparring


class Session:
    """One game with its person, from the first word to the last.

    Args:
        entry: the game.
        game: it is played by.
        seats: the players, None for people.
        specs: what they are called, by seat.
    """

    _more = ""
    """What else can be typed."""

    def __init__(
        self, entry: GameEntry, game: SingleGame, seats: list[Player | None], specs: list[str]
    ) -> None:
        self._entry = entry
        self._game = game
        self._seats = seats
        self._specs = specs
        self._spec = next((spec for spec in specs if spec != _PERSON), _PERSON)
        self._told = 0  # plies that the person has seen

    def greet(self, seed: int) -> None:
        """Who sits where, and how to go on."""
        title = self._entry.title.rstrip(".")
        mine = [i for i, player in enumerate(self._seats) if player is None]
        if len(mine) == len(self._seats):
            say(f"{title}. Two people play; seed {seed}.")
        else:
            say(f"{title}. You have seat {mine[0]}, {self._others()}; seed {seed}.")
        say("Type help for what you can type.")

    def _others(self) -> str:
        """Who plays against the person."""
        taken = [(i, spec) for i, spec in enumerate(self._specs) if self._seats[i] is not None]
        if len({spec for _, spec in taken}) == 1:
            return f"{self._spec} plays" + " all the others" * (len(taken) > 1)
        return ", ".join(f"{spec} seat {i}" for i, spec in taken)

    def run(self) -> int:
        """Until the end of the game, or until the person leaves."""
        while self._game.advance():
            stays = self._tell()
            state = self._game.state
            assert state is not None
            if stays:
                self._show(state)
            if not stays or not self._move(state):
                points = f" at {self._points(state)} {self._entry.points_are}"
                say(f"You leave the game{points if self._entry.has_scores else ''}.")
                return 0
        self._tell()
        self._result()
        return 0

    # -- what happened -----------------------------------------------------------------------

    def _replay(self) -> tuple[list[str], _core.State]:
        """A line on each ply so far, and the state after them."""
        columns = self._game.columns()
        state = self._entry.rules.initial()
        lines = []
        if state.kind == "chance":
            opening = int(columns["opening"][0])
            event = self._entry.event_text(state, opening)
            state.apply_outcome(opening)
            if self._seats[state.seat] is not None:
                lines.append(f"{self._name(state.seat)} rolled {event}")
        for action, outcome in zip(
            columns["action"].tolist(), columns["outcome"].tolist(), strict=True
        ):
            seat, before = state.seat, state.scores()[state.seat]
            line = f"{self._name(seat)}: {self._entry.action_text(state, action)}"
            state.apply(action)
            gained = state.scores()[seat] - before
            if gained and self._entry.has_scores:
                line += f", {gained:+.0f} {self._entry.points_are}"
            lines.append(line)
            if outcome >= 0:
                event = self._entry.event_text(state, outcome)
                state.apply_outcome(outcome)
                lines[-1] += f"; rolled {event}" if state.seat == seat else ""
                # A person sees the first roll of the turn on the table.
                if state.seat != seat and self._seats[state.seat] is not None:
                    lines[-1] += f"\n  {self._name(state.seat)} rolled {event}"
        return lines, state

    def _name(self, seat: int) -> str:
        if self._seats.count(None) == len(self._seats):
            return f"seat {seat}"
        if self._seats[seat] is None:
            return "You"
        return self._specs[seat] if len(self._seats) < 3 else f"seat {seat} ({self._specs[seat]})"

    def _tell(self) -> bool:
        """Tell what is new; False when the person leaves meanwhile."""
        lines, _ = self._replay()
        for line in lines[self._told :]:
            say(f"  {line}")
        self._told = len(lines)
        return True

    def _show(self, state: _core.State) -> None:
        say()
        say(self._entry.render(state))
        say()

    def _result(self) -> None:
        _, state = self._replay()
        self._show(state)
        returns = [float(value) for value in state.returns()]
        people = [i for i, player in enumerate(self._seats) if player is None]
        best = [seat for seat, value in enumerate(returns) if value == max(returns)]
        points = ""
        if len(people) > 1:
            word = f"Seat {best[0]} wins" if len(best) == 1 else "A draw"
            if self._entry.has_scores:
                points = f", {self._points(state)}"
        else:
            mine = people[0]
            word = "You win" if best == [mine] else "A draw" if mine in best else "You lose"
            if self._entry.has_scores:
                points = f": {self._points(state, first=mine)}"
        say(f"{word}{points}.")

    def _points(self, state: _core.State, first: int = 0) -> str:
        """Everybody's points, those of one seat first."""
        scores = state.scores().tolist()[: len(self._seats)]
        return " to ".join(f"{score:.0f}" for score in [scores.pop(first), *scores])

    # -- what the person says ----------------------------------------------------------------

    def _move(self, state: _core.State) -> bool:
        """Ask until there is a legal action; False when the person leaves."""
        while True:
            text = self._read(state)
            if text is None or text in LEAVING:
                return False
            match text:
                case "":
                    action = self._alone(state)
                    if action is None:
                        continue
                    self._game.play(action)
                    return True
                case "help" | "?":
                    self._help(state)
                case "hint":
                    self._hint(state)
                case "show":
                    self._show(state)
                case _ if self._answer(text):
                    continue
                case _:
                    try:
                        action = self._entry.parse_action(state, text)
                    except GameError as error:
                        say(f"{error}.")
                        continue
                    self._game.play(action)
                    return True

    def _alone(self, state: _core.State) -> int | None:
        """What Enter by itself plays; None for nothing."""
        return None

    def _answer(self, text: str) -> bool:
        """Whether what was typed is a question that this kind of game answers."""
        return False

    def _read(self, state: _core.State) -> str | None:
        return self._line(f"{self._name(state.seat)}> ")

    def _line(self, prompt: str) -> str | None:
        """What the person types; None at the end of the input."""
        sys.stdout.write(prompt)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not sys.stdin.isatty():
            say(line.rstrip("\n"))  # so that the transcript of a pipe can be read
        elif not line:
            say()
        return line.strip().lower() if line else None

    def _help(self, state: _core.State) -> None:
        legal = state.search_actions()
        shown = [self._entry.action_text(state, int(a)) for a in legal]
        say("Actions here:")
        width = max(len(text) for text in shown) + 2
        columns = max(1, 96 // width)
        for start in range(0, len(shown), columns):
            row = shown[start : start + columns]
            say("  " + "".join(text.ljust(width) for text in row).rstrip())
        say(
            f"Also: hint (what a stronger head would do), show (the table again), {self._more}quit."
        )

    def _hint(self, state: _core.State) -> None:
        if self._oracles_hint(state) or self._judged_hint(state):
            return
        try:
            action = self._opponents_choice()
        except UserError as error:
            note(str(error))
            return
        say(f"{self._spec} would play: {self._entry.action_text(state, action)}")

    def _oracles_hint(self, state: _core.State) -> bool:
        """What the game's oracle says; False where it says nothing of this position."""
        import numpy as np  # not at the top: `ludus --help` imports this module

        values_of = self._entry.suites.get("action_values")
        if values_of is None:
            return False
        packed = np.frombuffer(state.packed(), dtype=np.uint8)[None, :]
        values = np.asarray(values_of(packed), dtype=np.float64)[0]
        known = [
            action for action in state.search_actions().tolist() if np.isfinite(values[action])
        ]
        if not known:
            return False
        say(f"{self._entry.values_are}, by the oracle:")
        for action in sorted(known, key=lambda a: (-values[a], a))[:_HINTS]:
            say(f"  {values[action]:8.2f}  {self._entry.action_text(state, action)}")
        return True

    def _judged_hint(self, state: _core.State) -> bool:
        """What an opponent says who judges positions; False where nobody does."""
        import numpy as np

        from ludus.games.analysis import Analyst, Limits, line_text
        from ludus.players import ExternalPlayer

        judge = next((one for one in self._seats if isinstance(one, ExternalPlayer)), None)
        if judge is None or not isinstance(judge.choose, Analyst):
            return False
        packed = np.frombuffer(state.packed(), dtype=np.uint8)
        say(f"{self._spec} expects, in {self._entry.points_are} for you:")
        for line in judge.choose.analyse(packed, Limits(seconds=_HINT_SECONDS), _HINTS):
            value = "" if line.value is None else f"{line.value:+.2f}"
            say(f"  {value:>8}  {line_text(self._entry.action_text, state, line)}")
        return True

    def _opponents_choice(self) -> int:
        """What the opponent would do in the person's place."""
        from ludus.players.single import choice_after

        player = next((player for player in self._seats if player is not None), None)
        if player is None:
            raise UserError("there is nobody who could give a hint")
        columns: dict[str, Any] = self._game.columns()
        return choice_after(self._entry.rules, player, columns)
