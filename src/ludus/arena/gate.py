"""The gate: does the candidate become champion?

By default a sequential test for non-regression over seed pairs: H0 "49.5 %" against H1 "51.5 %",
5 % error each way, at most 1,000 pairs, and an undecided candidate is promoted at 50 % or more. A
fixed threshold of 55 % would stop all learning near the optimum of a game of luck. More than two
seats play duplicate deals.

The test walks over pairs or deals by number, and number ``i`` is looked at only when all before it
are finished. So the decision, and the pairs in its report, are the same for any number of lanes and
any interruptions; games that were still being played when it fell are thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy.typing as npt

from ludus import _core
from ludus.arena.decision import GateDecision, GateSettings
from ludus.arena.duplicate import AnyMatch, DuplicateMatch, make_match
from ludus.arena.finished import GameFigures
from ludus.arena.guardrail import Guardrail
from ludus.arena.playing import MatchSettings
from ludus.arena.seeds import SeedSet
from ludus.arena.verdicts import DealView, PairView
from ludus.errors import ConfigError
from ludus.players import Player


class Gate:
    """Candidate against champion until the decision falls, in slices.

    Args:
        game: the rules.
        candidate, champion: the players, with evaluation settings (see
            :func:`ludus.players.evaluation_settings`).
        seeds: at least ``settings.units`` seeds; the first so many are used.
        settings: how to judge.
        match: how to play.
        figures: further figures of each game, about the candidate.
        guardrail: the suites for ``settings.guardrail_delta``.

    Raises:
        UserError: too few seeds.
        ConfigError: a guardrail delta without suites, or the reverse; a mode that is for another
            number of seats.
    """

    def __init__(
        self,
        game: _core.Game,
        candidate: Player,
        champion: Player,
        seeds: SeedSet,
        settings: GateSettings | None = None,
        match: MatchSettings | None = None,
        *,
        figures: GameFigures | None = None,
        guardrail: Guardrail | None = None,
    ) -> None:
        self.settings = settings or GateSettings()
        self.settings.check_game(game)
        if (guardrail is None) != (self.settings.guardrail_delta is None):
            raise ConfigError("a gate's guardrail_delta and its solitaire suites come together")
        how = match or MatchSettings()
        self.match = make_match(
            game,
            candidate,
            champion,
            seeds.first(self.settings.units * (1 if how.paired else 2)),
            how,
            figures=figures,
        )
        self.guardrail = guardrail
        self.decision: GateDecision | None = None
        self._view = self._new_view()
        self._verdict: str | None = None
        self._guarded = False

    def advance(self, seconds: float) -> GateDecision | None:
        """Play on for about ``seconds``; the decision once it has fallen, and ever after."""
        if self.decision is not None:
            return self.decision
        if self._verdict is None:
            self.match.advance(seconds)
            self._judge()
        elif self.guardrail is not None and self._would_promote():
            self._guarded = not self.guardrail.advance(seconds)
        return self._settle()

    def run(self) -> GateDecision:
        """Play to the decision and close."""
        try:
            while (decision := self.advance(1.0)) is None:
                pass
            return decision
        finally:
            self.close()

    def close(self) -> None:
        """End all lanes."""
        self.match.close()
        if self.guardrail is not None:
            for suite in self.guardrail.suites().values():
                suite.close()

    def progress(self) -> dict[str, Any]:
        """For the status: units looked at, the cap, the win rate and what the test goes by."""
        return {
            "seen": self._view.seen,
            "cap": self.settings.units,
            "unit": self.match.unit,
            "games": self.match.games_finished,
            **self._view.figures(),
        }

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """All that :meth:`restore` needs."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        meta: dict[str, Any] = {"settings": asdict(self.settings)}
        parts: dict[str, AnyMatch] = {"match": self.match}
        if self.guardrail is not None:
            parts |= {name: suite.match for name, suite in self.guardrail.suites().items()}
        for name, part in parts.items():
            columns, meta[name] = part.state()
            arrays |= {f"{name}.{key}": value for key, value in columns.items()}
        return arrays, meta

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]], meta: Mapping[str, Any]) -> None:
        """Go on from a state; the decision is the one that would have fallen without the break.

        Raises: as :meth:`ludus.arena.match.Match.restore`.
        """
        parts: dict[str, AnyMatch] = {"match": self.match}
        if self.guardrail is not None:
            parts |= {name: suite.match for name, suite in self.guardrail.suites().items()}
        for name, part in parts.items():
            prefix = f"{name}."
            columns = {
                key.removeprefix(prefix): value
                for key, value in arrays.items()
                if key.startswith(prefix)
            }
            part.restore(columns, meta.get(name, {}))
        self._view, self._verdict, self.decision = self._new_view(), None, None
        self._guarded = False
        self._judge()

    # -- inside ------------------------------------------------------------------------------

    def _settle(self) -> GateDecision | None:
        """Decide as soon as all is known that the decision needs."""
        if self._verdict is not None:
            guarded = self.guardrail is None or self._guarded or not self._would_promote()
            if guarded:
                self.decision = self._decide()
        return self.decision

    def _new_view(self) -> PairView | DealView:
        if isinstance(self.match, DuplicateMatch):
            return DealView(self.settings, self.match)
        return PairView(self.settings, self.match)

    def _judge(self) -> None:
        """Look at the units that joined the finished prefix, in their order."""
        self._verdict = self._view.look()

    def _would_promote(self) -> bool:
        assert self._verdict is not None
        return self._view.promotes(self._verdict)

    def _decide(self) -> GateDecision:
        assert self._verdict is not None
        promoted, reason = self._would_promote(), self._verdict
        guardrail = None
        delta = self.settings.guardrail_delta
        if promoted and self.guardrail is not None and delta is not None:
            guardrail = self.guardrail.summary(delta)
            if not guardrail["passed"]:
                promoted, reason = False, "guardrail"
        return GateDecision(
            promoted=promoted,
            reason=reason,
            result=self.match.result(self._view.seen),
            ratio=self._view.ratio(),
            guardrail=guardrail,
            settings=self.settings,
        )
