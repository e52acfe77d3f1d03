"""The phase that measures: short matches of the champion, and the run's rating made of them.

Nothing in here changes what is learned. The seeds are those of the run, the same at every
evaluation, so that the points of a curve differ by the player alone. Opponents are fixed players,
``first`` (the run's first network) and ``previous`` (the champion evaluated before this one).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ludus import _core
from ludus.arena import AnyMatch, MatchSettings, SeedSet, Solitaire, make_match
from ludus.arena.duplicate import DuplicateMatch
from ludus.arena.pairings import quarters_text
from ludus.arena.skill import outcomes_text
from ludus.errors import RunError
from ludus.players import Player, known_players
from ludus.players.identity import identify
from ludus.runs import ObjectRef
from ludus.training.measures import has_solitaire, oracle_rates, solitaire
from ludus.training.rating import MOST_PAIRS_KEPT, rate_run
from ludus.training.session import Model, Session, now_ms

_SEEDS_AT = (1 << 48) - 1
"""Evaluation seeds are derived from an episode number that no game of self-play reaches."""

SOLITAIRE = "solitaire"
"""Name of the suite among the tasks."""

PREVIOUS = "previous"
"""Name of the opponent that is the champion evaluated before."""

_KEPT = (
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
    "score_difference_low",
    "score_difference_high",
    "mean_scores",
    "made",
    "rank",
    "rank_expected",
    "deals",
    "oracle_match_rate_overall",
    "oracle_match_rate_mark",
    "oracle_match_rate_reroll",
    "oracle_keepall_ignored",
    "pentanomial",
    "distinct_games",
    "seeds_hash",
    "warnings",
)
"""What of a result stays in the history of the run."""


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
        self._outcomes: dict[str, str] = {}  # of each unit, a character
        self._players: dict[str, dict[str, Any]] = {}
        self._tasks: list[str] = []
        self._task: AnyMatch | Solitaire | None = None
        if saved is not None:
            self._tasks = list(saved["tasks"])
        elif due(session):
            self._tasks = [name for name in self._met(settings.opponents) if self._meets(name)]
            if settings.solitaire_games and has_solitaire(session.entry):
                self._tasks.append(SOLITAIRE)
        self._name: str | None = None
        if self._tasks:
            session.record.setdefault("evaluate", {"started_ms": now_ms()})
        arrays, meta = self._stored() if saved is not None else ({}, {})
        self._outcomes.update(meta.get("quarters", {}))
        self._players.update(meta.get("players", {}))
        self._next()
        going_on = saved is not None and self._task is not None and saved["task"] == self._name
        if going_on and meta.get("task") == self._name:
            self._match.restore(arrays, meta["state"])

    def _stored(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the commit holds of the phase beside its JSON."""
        ref = self._session.run.manifest.objects.get("evaluation")
        return ({}, {}) if ref is None else self._session.run.get_object(ref)

    def _meets(self, name: str) -> bool:
        """Whether there is such an opponent at this time."""
        return name != PREVIOUS or _previous(self._session) is not None

    @property
    def _match(self) -> AnyMatch:
        assert self._task is not None
        return self._task.match if isinstance(self._task, Solitaire) else self._task

    def _next(self) -> None:
        """Prepare the next task that has no result yet."""
        self._name = next((task for task in self._tasks if task not in self._results), None)
        self._task = None if self._name is None else self._prepare(self._name)

    def _prepare(self, name: str) -> AnyMatch | Solitaire:
        session = self._session
        settings = session.settings.evaluation
        how = MatchSettings(
            lanes=session.lanes,
            rows=session.settings.gating.rows,
            groups=session.settings.gating.groups,
            openings=session.entry.match_openings(),
        )
        seed = _core.derive_seed(session.settings.run.seed, "episode", _SEEDS_AT)
        champion = session.opponent(session.champion, "champion", settings, opening=name == "first")
        if name == SOLITAIRE:
            games = settings.solitaire_games + settings.solitaire_games % 2
            return solitaire(session.entry, champion, "champion", games, seed, how)
        units = settings.pairs if session.rules.num_seats <= 2 else settings.deals
        return make_match(
            session.rules,
            champion,
            self._opponent(name),
            SeedSet.generate(seed, units, purpose="evaluation"),
            how,
        )

    def _met(self, opponents: Iterable[str]) -> list[str]:
        """Those that the game knows; the others are named in the events and not met."""
        game = self._session.entry
        names = {"first", PREVIOUS, *known_players(game)}
        unknown = [
            spec for spec in opponents if spec.partition(":")[0] not in names and "/" not in spec
        ]
        if unknown:
            self._session.run.events.append("opponents_unknown", game=game.name, players=unknown)
        return [spec for spec in opponents if spec not in unknown]

    def _opponent(self, name: str) -> Player:
        session = self._session
        if name in ("first", PREVIOUS):
            model = session.first if name == "first" else _previous(session)
            assert model is not None
            self._players[name] = {"unit": model.unit, "sha256": model.ref.sha256}
            return session.opponent(model, name, session.settings.evaluation, opening=True)
        player, identity = identify(name, session.entry)
        self._players[name] = {"key": identity.key}
        return player

    def advance(self, seconds: float) -> bool:
        """Play on; True while a task is left."""
        if self._task is None or self._name is None:
            return False
        if self._task.advance(seconds):
            return True
        self._results[self._name] = self._result()
        if self._name != SOLITAIRE:
            self._outcomes[self._name] = _outcomes(self._match)
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
        if not self._tasks:
            return {}, saved
        arrays, meta = self._match.state() if self._task is not None else ({}, {})
        about = {
            "task": self._name,
            "state": meta,
            "quarters": self._outcomes,
            "players": self._players,
        }
        return {"evaluation": self._session.run.put_object("evaluation", arrays, about)}, saved

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
                budgets=session.budgets(session.settings.evaluation.simulations),
                knobs=session.knobs(),
                **{"opponent": name, **result},
            )
        record = session.record["evaluate"]
        champion = session.champion
        record.update(
            model={
                "unit": champion.unit,
                "path": champion.ref.path,
                "bytes": champion.ref.size,
                "sha256": champion.ref.sha256,
            },
            simulations=session.settings.evaluation.simulations,
            worlds=session.settings.evaluation.worlds,
            results={name: self._kept(name, result) for name, result in self._results.items()},
            finished_ms=now_ms(),
            seconds=self._seconds + time.monotonic() - self._started,
        )
        rate_run(session)

    def _kept(self, name: str, result: Mapping[str, Any]) -> dict[str, Any]:
        """What the history of the run keeps of a result."""
        kept = {key: result[key] for key in _KEPT if key in result}
        if name in self._players:
            kept["player"] = self._players[name]
            kept.update(self._kept_outcomes(name))
        return kept

    def _kept_outcomes(self, name: str) -> dict[str, Any]:
        """One character a unit, from which ratings are made; of long matches of pairs none."""
        text = self._outcomes[name]
        if self._session.rules.num_seats > 2:
            return {"outcomes": text[:MOST_PAIRS_KEPT]}
        return {"quarters": text if len(text) <= MOST_PAIRS_KEPT else None}

    def close(self) -> None:
        """End the lanes."""
        if self._task is not None:
            self._task.close()


def _outcomes(match: AnyMatch) -> str:
    """The result of each unit as a character."""
    if isinstance(match, DuplicateMatch):
        return outcomes_text(match.table.differences(match.units_finished))
    return quarters_text(match.pair_scores())


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


def _previous(session: Session) -> Model | None:
    """The champion of an earlier evaluation, if it is another one and its file can be read."""
    for entry in reversed(session.run.iterations[:-1]):
        model = (entry.get("evaluate") or {}).get("model")
        if model is None or model["sha256"] == session.champion.ref.sha256:
            continue
        ref = ObjectRef("champion", model["path"], int(model["bytes"]), model["sha256"])
        try:
            arrays, _ = session.run.get_object(ref)
        except RunError as error:
            session.run.events.append("notice", message=f"no match with the previous: {error}")
            return None
        return Model(arrays, ref, int(model["unit"]))
    return None
