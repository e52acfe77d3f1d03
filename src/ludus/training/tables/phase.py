"""The phase of pattern tables that plays and learns: batch after batch, on one table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ludus.learners.td import Played
from ludus.learners.td_coverage import findings, met_before
from ludus.learners.td_sums import TdSums
from ludus.runs import ObjectRef
from ludus.training.blocks import Table
from ludus.training.session import now_ms
from ludus.training.stream import SEARCH, GameStream
from ludus.training.tables.repairs import tell_repairs
from ludus.training.tables.session import TableSession, options_of
from ludus.training.tables.windows import Windows


class TablePhase:
    """Games ``[iteration * n, (iteration + 1) * n)`` of the run, each keyed by its number."""

    name = "selfplay"

    def __init__(self, session: TableSession, saved: dict[str, Any] | None) -> None:
        """Begin, or go on after the last committed batch."""
        self._session = session
        session.learner.configure(options_of(session.settings))
        self.total = session.settings.selfplay.games_in(session.iteration)
        self._end = (session.iteration + 1) * self.total
        self._started = time.monotonic()
        self._here = 0
        self._seconds = 0.0 if saved is None else float(saved["seconds"])
        self._sums = TdSums() if saved is None else TdSums(**saved["sums"])
        self._recent = TdSums()
        self._busy = 0.0 if saved is None else float(saved["busy"])
        if saved is None:
            session.record["selfplay"] = {"started_ms": now_ms(), "games": 0}
        self._stream = GameStream(session, dict.fromkeys(SEARCH, 0))
        self._windows = Windows(session, None if saved is None else saved.get("window"))

    def _goal(self) -> int:
        """The game at which this iteration ends, or the run, if that comes first."""
        session = self._session
        limits = (session.limits.get("games"), session.settings.run.total_games)
        return min([self._end, *(int(limit) for limit in limits if limit is not None)])

    def advance(self, seconds: float) -> bool:
        """Play and learn on, whole batches at a time; True while games are left."""
        session, learner = self._session, self._session.learner
        if learner.games >= self._goal():
            return False
        first = learner.games
        goal = min(self._goal(), self._windows.end)
        played = learner.train(goal, seconds=seconds, threads=session.lanes)
        self._busy += played.seconds
        tell_repairs(session, played.repairs)
        if played.batches:  # a unit may be too short for a batch of searched games
            self._count(first, played)
        return learner.games < self._goal()

    def _count(self, first: int, played: Played) -> None:
        """Count and log the games of whole batches, of which ``first`` is the first."""
        session = self._session
        self._recent = played.sums
        self._sums.add(played.sums)
        self._here += len(played.differences)
        session.count_learning(played.batches, played.sums.updates)
        rate = self._here / max(1e-3, time.monotonic() - self._started)
        table = Table.of_results(
            first, played.differences, played.plies, points=session.entry.fixed_total or 0.0
        )
        self._stream.add(table, dict.fromkeys(SEARCH, 0), rate)
        self._windows.add(played.sums)
        self._keep(played.transcripts)
        session.callbacks.results(
            first, played.differences, played.plies, session.run.counters["selfplay_games"]
        )

    def _keep(self, transcripts: Mapping[int, str]) -> None:
        """Log the moves of sampled games."""
        log = self._session.run.log("games")
        for game, moves in sorted(transcripts.items()):
            log.append("transcript", step=game, stream="game", moves=moves)

    def memory(self) -> Mapping[str, int]:
        """Nothing besides the session's."""
        return {}

    def shrink(self) -> str | None:
        """Halve the transposition tables, if there are any; the text says what was freed."""
        size = self._session.learner.shrink()
        return f"half of the transposition tables, now {size / 1e6:.1f} MB each" if size else None

    def save(self) -> tuple[dict[str, ObjectRef], dict[str, Any]]:
        """Sums so far; a batch that was cut is played again from its keys."""
        self._stream.save()
        return {}, {
            "seconds": self._worked(),
            "sums": asdict(self._sums),
            "busy": self._busy,
            "window": self._windows.save(),
        }

    def _worked(self) -> float:
        return self._seconds + time.monotonic() - self._started

    def view(self) -> Mapping[str, Any]:
        """Games done, speed, errors of the newest batches."""
        learner = self._session.learner
        seconds = max(1e-3, time.monotonic() - self._started)
        done = learner.games - (self._end - self.total)
        return {
            "done": done,
            "total": self.total,
            "unit": "games",
            "games_per_second": self._here / seconds,
            "loss": self._recent.error,
            "lr": learner.rate,
            "epsilon": learner.epsilon,
            "failed": 0,
        }

    def finish(self) -> None:
        """The tables become champion; log the iteration."""
        session, learner, sums = self._session, self._session.learner, self._sums
        seconds = max(1e-3, self._worked())
        visits = learner.visits()
        figures: dict[str, Any] = {
            "games": sums.games,
            "plies": sums.plies,
            "mean_plies": sums.plies / max(1, sums.games),
            "mean_score": None,
            "score_difference": sums.differences / max(1, sums.games),
            "score_variance": sums.score_variance,
            "value_error_variance": sums.error_variance,
            "timeout_rate": None,
            "seat0_win_rate": sums.first_rate,
            "draw_rate": sums.draws / max(1, sums.games),
            "games_per_second": sums.games / seconds,
            "busy_share": self._busy / seconds,
            "value_variance": sums.value_variance,
            "coverage": visits.share,
            "mean_updates": visits.mean,
            "met_before": met_before(learner, sums),
            "findings": findings(learner, sums),
            "search_depth": sums.depth / sums.searches if sums.searches else None,
            "search_nodes_per_second": sums.nodes / seconds if sums.searches else None,
            "table_hit_rate": sums.hits / sums.probes if sums.probes else None,
            "epsilon": learner.epsilon,
            "failed": 0,
            "lanes": session.lanes,
            "seconds": seconds,
        }
        learned = {
            "loss_total": sums.error,
            "loss_mean": sums.error,
            "learning_rate": learner.rate,
            "updates": sums.updates,
            "seconds": 0.0,
        }
        session.record["selfplay"].update(figures, finished_ms=now_ms())
        session.record["train"] = {**learned, "finished_ms": now_ms()}
        session.run.metrics.append(
            "selfplay_iter",
            step=session.run.counters["plies"],
            stream="global_ply",
            iteration=session.iteration,
            champion=learner.games,
            knobs=session.knobs(),
            loss=sums.error,
            learning_rate=learner.rate,
            updates=sums.updates,
            **figures,
        )
        self._stream.finish(self._end, dict.fromkeys(SEARCH, 0), figures["games_per_second"])
        self._stream.save()
        session.before_commit()
        session.record["best_model_path"] = session.champion.ref.path

    def close(self) -> None:
        """Nothing runs between units."""
