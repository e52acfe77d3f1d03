"""``ludus play`` where cards are hidden: tricks and results, and what the others could know.

While a round is played, everything that is printed follows from what the person's seat may know.
What the others held is told when the round is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ludus.cli.output import say
from ludus.cli.play import LEAVING, Session
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus import _core
    from ludus.games.telling import Telling

_WORDS = ("explain", "why")
_EDGES = 3
"""Actions of a search that a line on it names."""


@dataclass(frozen=True)
class Step:
    """One event or decision of the game.

    Attributes:
        before: the state.
        action: None at an event.
        after: the state behind the action or event.
        ply: number of the decision.
        stage: number of the stage that it belongs to, from 1.
    """

    before: _core.State
    action: int | None
    after: _core.State
    ply: int
    stage: int


def steps_of(start: _core.State, columns: dict[str, Any]) -> list[Step]:
    """The steps of a game.

    Args:
        start: the state before the first event.
        columns: the game so far, as of :meth:`~ludus.players.single.SingleGame.columns`.
    """
    steps: list[Step] = []
    state = start
    stage = 0

    def event(outcome: int, ply: int) -> None:
        nonlocal state, stage
        after = state.copy()
        after.apply_outcome(outcome)
        stage += 1
        steps.append(Step(state, None, after, ply, stage))
        state = after

    if state.kind == "chance":
        event(int(columns["opening"][0]), 0)
    pairs = zip(columns["action"].tolist(), columns["outcome"].tolist(), strict=True)
    for ply, (action, outcome) in enumerate(pairs):
        after = state.copy()
        after.apply(action)
        steps.append(Step(state, action, after, ply, stage))
        state = after
        if outcome >= 0:
            event(outcome, ply + 1)
    return steps


class TableSession(Session):
    """A game with hidden information and one person at the table."""

    _more = "explain (what the others could know; explain 2: seat 2 in this round), "

    @property
    def _reader(self) -> int:
        return self._seats.index(None)

    @property
    def _telling(self) -> Telling:
        assert self._entry.telling is not None
        return self._entry.telling

    def _steps(self) -> list[Step]:
        return steps_of(self._entry.rules.initial(), self._game.columns())

    # -- what happened -----------------------------------------------------------------------

    def _tell(self) -> bool:
        steps = self._steps()
        for number in range(self._told, len(steps)):
            # First, so that what is asked in between finds the step told.
            self._told = number + 1
            for line in lines_of(self._telling, steps[number], self._reader):
                say(f"  {line}" if line else "")
            ended = steps[number].action is not None and steps[number].after.kind != "decision"
            if ended and not self._pause(steps[: number + 1]):
                return False
        return True

    def _show(self, state: _core.State) -> None:
        say()
        say(self._entry.drawing(state, self._reader))
        say()

    def _result(self) -> None:
        state = self._steps()[-1].after
        say()
        say(self._entry.drawing(state, self._reader))
        returns = [float(value) for value in state.returns()][: len(self._seats)]
        place = 1 + sum(value > returns[self._reader] for value in returns)
        shared = returns.count(returns[self._reader]) > 1
        scores = ", ".join(f"{score:.0f}" for score in state.scores()[: len(self._seats)])
        how = "You win" if place == 1 and not shared else f"You come in at place {place}"
        what = f"{self._entry.points_are} by seat {scores}"
        say(f"{how}{', shared' if shared else ''}, of {len(self._seats)}: {what}.")

    def _alone(self, state: _core.State) -> int | None:
        legal = state.search_actions().tolist()
        return int(legal[0]) if len(legal) == 1 else None

    def _read(self, state: _core.State) -> str | None:
        action = self._alone(state)
        only = "" if action is None else f" (Enter: {self._entry.action_text(state, action)})"
        return self._line(f"{self._name(state.seat)}{only}> ")

    # -- questions ---------------------------------------------------------------------------

    def _pause(self, steps: list[Step]) -> bool:
        """Between two rounds: time to look, and to ask; False when the person leaves."""
        ask = f"Enter goes on, explain opens the {self._telling.stage}> "
        while (text := self._line(ask)) is not None and text:
            words = text.split()
            if text in LEAVING:
                return False
            if words[0] not in _WORDS:
                say(f"The {self._telling.stage} is over: press Enter, or type explain, explain 2.")
                continue
            try:
                self._open(steps, words)
            except UserError as error:
                say(f"{error}.")
        return True

    def _answer(self, text: str) -> bool:
        words = text.split()
        if words[0] not in _WORDS:
            return False
        try:
            wanted = self._asked_seat(words)
        except UserError as error:
            say(f"{error}.")
            return True
        steps = self._decisions(self._steps(), wanted)
        if wanted is None:  # the latest of each seat
            steps = list({step.before.seat: step for step in steps}.values())
        if not steps:
            say(f"Nobody else has decided anything in this {self._telling.stage} yet.")
        for step in steps:
            for line in known_lines(self._telling, step, self._reader):
                say(f"  {line}")
        return True

    def _asked_seat(self, words: list[str]) -> int | None:
        others = [seat for seat in range(len(self._seats)) if seat != self._reader]
        if len(words) == 1:
            return None
        if len(words) > 2 or words[1] not in map(str, others):
            raise UserError(f"explain a seat of {', '.join(map(str, others))}, such as explain 2")
        return int(words[1])

    def _decisions(self, steps: list[Step], wanted: int | None) -> list[Step]:
        """What the others decided in the last of these steps' stages."""
        return [
            step
            for step in steps
            if step.stage == steps[-1].stage
            and step.action is not None
            and step.before.seat != self._reader
            and wanted in (None, step.before.seat)
        ]

    def _open(self, steps: list[Step], words: list[str]) -> None:
        """Everything about a round that is over: hands, choices, what searches thought."""
        wanted = self._asked_seat(words)
        for step in self._decisions(steps, wanted):
            assert step.action is not None
            if wanted is None:
                text = self._entry.action_text(step.before, step.action)
                say(f"  {self._name(step.before.seat)}: {text}")
            else:
                for line in known_lines(self._telling, step, self._reader):
                    say(f"  {line}")
            say(f"    {self._telling.opened(step.before, step.action)}")
            if thought := self._thought(step):
                say(f"    {thought}")

    def _thought(self, step: Step) -> str:
        """What the search of a player finds at its decision; empty where nothing is searched."""
        import numpy as np

        from ludus.monitor.inspect.searching import decide
        from ludus.monitor.inspect.stored import cut_columns
        from ludus.players import SearchPlayer

        player = self._seats[step.before.seat]
        if not isinstance(player, SearchPlayer):
            return ""
        columns = cut_columns(self._game.columns(), step.ply)
        columns["seat_players"] = np.zeros_like(columns["seat_players"])
        found = decide(
            self._entry.rules, player, columns, seed=self._game.seed, slots=64, group_size=64
        )
        if found.value is None:
            return ""
        total = max(1, sum(found.visits))
        ranked = sorted(zip(found.visits, found.q, found.actions, strict=True), reverse=True)
        named = ", ".join(
            f"{self._entry.action_text(step.before, action)} {visits / total:.0%} "
            f"({self._telling.value(q)})"
            for visits, q, action in ranked[:_EDGES]
            if visits
        )
        return f"it expected {self._telling.value(found.value)}; its search: {named}"


def lines_of(telling: Telling, step: Step, reader: int) -> list[str]:
    """What a seat is told of a step; the result too where a stage is over."""
    if step.action is None:
        return ["", telling.dealt(step.after, reader)]
    lines = telling.happened(step.before, step.action, step.after, reader)
    if step.after.kind != "decision":
        lines += ["", f"The {telling.stage} is over.", *telling.ended(step.after, reader)]
    return lines


def known_lines(telling: Telling, step: Step, reader: int) -> list[str]:
    """What another seat could know when it acted, as far as the reader may."""
    assert step.action is not None
    return telling.knew(step.before, step.action, reader)
