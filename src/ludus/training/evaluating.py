"""The phase that measures: short matches of the champion against fixed opponents.

Nothing in here changes what is learned. The seeds are those of the run, the same at every
evaluation, so that the points of a curve differ by the player alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ludus import _core
from ludus.arena import Match, MatchSettings, SeedSet, Solitaire
from ludus.players import Player, known_players, parse_player
from ludus.runs import ObjectRef
from ludus.training.measures import has_solitaire, oracle_rates, solitaire
from ludus.training.session import Session, now_ms

_SEEDS_AT = (1 << 48) - 1
"""Evaluation seeds are derived from an episode number that no game of self-play reaches."""

SOLITAIRE = "solitaire"
"""Name of the suite among the tasks."""


class EvaluatePhase:
    """One task after the other; finished ones are kept in the commit's JSON."""

    name = "evaluate"

    def __init__(self, session: Session, saved: dict[str, Any] | None) -> None:
        """Begin, or go on with the task in progress."""
        self._session = session
        settings = session.settings.evaluation
        self._started = time.monotonic()
        self._seconds = float(saved["seconds"]) if saved is not None else 0.0
        self._results: dict[str, dict[str, Any]] = dict(saved["results"]) if saved else {}
        self._tasks: list[str] = []
        self._task: Match | Solitaire | None = None
        if saved is not None:
            self._tasks = list(saved["tasks"])
        elif due(session):
            self._tasks = self._met(settings.opponents)
            if settings.solitaire_games and has_solitaire(session.entry):
                self._tasks.append(SOLITAIRE)
        self._name: str | None = None
        if self._tasks:
            session.record.setdefault("evaluate", {"started_ms": now_ms()})
        self._next()
        if saved is not None and self._task is not None and saved["task"] == self._name:
            arrays, meta = session.run.get_object(session.run.manifest.objects["evaluation"])
            if meta["task"] == self._name:
                self._match.restore(arrays, meta["state"])

    @property
    def _match(self) -> Match:
        assert self._task is not None
        return self._task.match if isinstance(self._task, Solitaire) else self._task

    def _next(self) -> None:
        """Prepare the next task that has no result yet."""
        self._name = next((task for task in self._tasks if task not in self._results), None)
        self._task = None if self._name is None else self._prepare(self._name)

    def _prepare(self, name: str) -> Match | Solitaire:
        session = self._session
        settings = session.settings.evaluation
        how = MatchSettings(
            lanes=session.lanes,
            rows=session.settings.gating.rows,
            groups=session.settings.gating.groups,
        )
        seed = _core.derive_seed(session.settings.run.seed, "episode", _SEEDS_AT)
        champion = session.opponent(
            session.champion, "champion", settings.simulations, opening=name == "first"
        )
        if name == SOLITAIRE:
            games = settings.solitaire_games + settings.solitaire_games % 2
            return solitaire(session.entry, champion, "champion", games, seed, how)
        return Match(
            session.rules,
            champion,
            self._opponent(name),
            SeedSet.generate(seed, settings.pairs, purpose="evaluation"),
            how,
        )

    def _met(self, opponents: Iterable[str]) -> list[str]:
        """Those that the game knows; the others are named in the events and not met."""
        game = self._session.entry
        names = {"first", *known_players(game)}
        unknown = [
            spec for spec in opponents if spec.partition(":")[0] not in names and "/" not in spec
        ]
        if unknown:
            self._session.run.events.append("opponents_unknown", game=game.name, players=unknown)
        return [spec for spec in opponents if spec not in unknown]

    def _opponent(self, name: str) -> Player:
        session = self._session
        if name == "first":
            return session.opponent(
                session.first, "first", session.settings.evaluation.simulations, opening=True
            )
        return parse_player(name, session.entry)

    def advance(self, seconds: float) -> bool:
        """Play on; True while a task is left."""
        if self._task is None or self._name is None:
            return False
        if self._task.advance(seconds):
            return True
        self._results[self._name] = self._result()
        self._task.close()
        self._next()
        return self._task is not None

    def _result(self) -> dict[str, Any]:
        if isinstance(self._task, Solitaire):
            summary = self._task.summary()
            result = self._task.match.result()
            return {**summary, **(oracle_rates(self._session.entry, result.figures) or {})}
        return self._match.result().as_json()

    def save(self) -> tuple[dict[str, ObjectRef], dict[str, Any]]:
        """Results so far, and the games of the task in progress."""
        saved = {
            "tasks": self._tasks,
            "results": self._results,
            "task": self._name,
            "seconds": self._seconds + time.monotonic() - self._started,
        }
        if self._task is None:
            return {}, saved
        arrays, meta = self._match.state()
        ref = self._session.run.put_object(
            "evaluation", arrays, {"task": self._name, "state": meta}
        )
        return {"evaluation": ref}, saved

    def view(self) -> Mapping[str, Any]:
        """Games of the task in progress."""
        if self._task is None:
            return {"done": 1, "total": 1, "unit": ""}
        return {
            "done": self._match.games_finished,
            "total": self._match.games_total,
            "unit": f"games against {'oracle, alone' if self._name == SOLITAIRE else self._name}",
            "strength": strength(self._results),
        }

    def finish(self) -> None:
        """Log the results."""
        if not self._tasks:
            return
        session = self._session
        for name, result in self._results.items():
            index = session.run.counters.add("evaluations")
            event = "oracle_eval" if name == SOLITAIRE else "evaluation"
            session.run.metrics.append(
                event,
                step=index,
                stream="oracle_eval_idx",
                iteration=session.iteration,
                model=session.champion.unit,
                **{"opponent": name, **result},
            )
        record = session.record["evaluate"]
        record.update(
            results={
                name: {
                    key: result.get(key)
                    for key in (
                        "win_rate",
                        "win_rate_low",
                        "win_rate_high",
                        "games",
                        "mean",
                        "std",
                        "median",
                        "bonus_rate",
                        "mean_score_difference",
                        "score_difference_se",
                        "oracle_match_rate_overall",
                        "oracle_match_rate_mark",
                        "oracle_match_rate_reroll",
                        "oracle_keepall_ignored",
                    )
                    if key in result
                }
                for name, result in self._results.items()
            },
            finished_ms=now_ms(),
            seconds=self._seconds + time.monotonic() - self._started,
        )

    def close(self) -> None:
        """End the lanes."""
        if self._task is not None:
            self._task.close()


def due(session: Session) -> bool:
    """Whether the iteration in progress is one after which is measured."""
    every = session.settings.evaluation.every
    return bool(every) and (session.iteration + 1) % every == 0


def strength(results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Win rate by opponent, for people."""
    return {
        name: float(result["win_rate"])
        for name, result in results.items()
        if name != SOLITAIRE and isinstance(result.get("win_rate"), int | float)
    }
