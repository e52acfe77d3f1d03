"""The phase that decides: candidate against champion over seed pairs, or over deals."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ludus import _core
from ludus.arena import Gate, GateSettings, Guardrail, MatchSettings, SeedSet, find_seed_set
from ludus.errors import ConfigError, UserError
from ludus.evaluators import Evaluator
from ludus.players import Player, SearchPlayer
from ludus.runs import ObjectRef
from ludus.runs.objects import replace_file
from ludus.training.checkpointing import save_checkpoint
from ludus.training.measures import (
    evaluator_figures,
    has_solitaire,
    oracle_figures,
    oracle_rates,
    player_times,
    solitaire,
)
from ludus.training.network_session import NetworkSession
from ludus.training.session import now_ms
from ludus.training.settings import GatingSettings

_SEEDS_AT = 1 << 48
"""Gate seeds are derived from episode numbers that no game of self-play reaches."""


_KEPT = (
    "reason",
    "pairs",
    "games",
    "wins",
    "losses",
    "draws",
    "win_rate",
    "win_rate_low",
    "win_rate_high",
    "mean_score_difference",
    "score_difference_se",
    "distinct_games",
    "warnings",
    "seeds_id",
    "seeds_hash",
    "sprt",
)
"""What of a decision stays in the history of the run."""

_KEPT_OF_DEALS = (
    "deals",
    "score_difference_low",
    "score_difference_high",
    "mean_scores",
    "made",
    "rank",
    "rank_expected",
)
"""What stays of one over deals besides."""


class GatePhase:
    """A sequential test; the decision does not depend on lanes, time or interruptions."""

    name = "gate"

    def __init__(self, session: NetworkSession, saved: dict[str, Any] | None) -> None:
        """Prepare the match, or go on with it."""
        self._session = session
        settings = session.settings.gating
        self._gate: Gate | None = None
        self._players: tuple[Player, ...] = ()
        self._started = time.monotonic()
        self._seconds = float(saved["seconds"]) if saved is not None else 0.0
        if saved is None:
            session.record["gate"] = {"started_ms": now_ms()}
        if not settings.enabled or session.candidate is None:
            return
        seed = _core.derive_seed(
            session.settings.run.seed, "episode", _SEEDS_AT + session.iteration
        )
        candidate = session.opponent(session.candidate, "candidate", settings, opening=True)
        champion = session.opponent(session.champion, "champion", settings, opening=True)
        self._players = (candidate, champion)
        how = MatchSettings(
            lanes=max(1, min(session.lanes, settings.groups)),
            rows=settings.rows,
            groups=settings.groups,
            record=False,
        )
        judged = gate_settings(settings)
        self._gate = Gate(
            session.rules,
            candidate,
            champion,
            gate_seeds(session) or SeedSet.generate(seed, judged.units, purpose="gate"),
            judged,
            how,
            figures=oracle_figures(session.entry) if settings.oracle else None,
            guardrail=self._guardrail(candidate, champion, seed, how),
        )
        if saved is not None:
            arrays, meta = session.run.get_object(session.run.manifest.objects["gate"])
            self._gate.restore(arrays, meta)

    def _guardrail(
        self, candidate: Player, champion: Player, seed: int, how: MatchSettings
    ) -> Guardrail | None:
        """The solitaire suites of both sides, on the same dice, when a delta is set."""
        session = self._session
        settings = session.settings.gating
        if settings.guardrail_delta is None:
            return None
        if not has_solitaire(session.entry):
            raise ConfigError(
                f"gating.guardrail_delta = {settings.guardrail_delta} needs a solitaire suite, "
                f"which {session.entry.name} has not: set it to null"
            )
        games = settings.guardrail_games
        return Guardrail(
            solitaire(session.entry, candidate, "candidate", games, seed, how),
            solitaire(session.entry, champion, "champion", games, seed, how),
        )

    @property
    def evaluators(self) -> tuple[Evaluator, ...]:
        """Who answers."""
        return tuple(p.evaluator for p in self._players if isinstance(p, SearchPlayer))

    def advance(self, seconds: float) -> bool:
        """Play on until the decision."""
        return self._gate is not None and self._gate.advance(seconds) is None

    def save(self) -> tuple[dict[str, ObjectRef], dict[str, Any]]:
        """Finished games, and moves of those in flight."""
        saved = {"seconds": self._spent()}
        if self._gate is None:
            return {}, saved
        arrays, meta = self._gate.state()
        return {"gate": self._session.run.put_object("gate", arrays, meta)}, saved

    def _spent(self) -> float:
        return self._seconds + time.monotonic() - self._started

    def view(self) -> Mapping[str, Any]:
        """Pairs or deals looked at, how it stands."""
        if self._gate is None:
            return {"done": 1, "total": 1, "unit": ""}
        progress = self._gate.progress()
        rate = progress["win_rate"]
        return {
            "done": progress["seen"],
            "total": progress["cap"],
            "unit": progress["unit"],
            "gate": self._gate.match.standing() or None,
            "win_rate": rate,
            "llr": progress["llr"],
            **self._speeds(),
        }

    def _speeds(self) -> dict[str, Any]:
        """Figures of both evaluators in this process."""
        return evaluator_figures(player_times(self._players), time.monotonic() - self._started)

    def finish(self) -> None:
        """Promote or keep, report, and write a checkpoint of a promotion."""
        session = self._session
        record = session.record["gate"]
        promoted = session.candidate is not None
        if self._gate is not None:
            decision = self._gate.advance(0.0)
            assert decision is not None
            promoted = decision.promoted
            summary = decision.summary()
            oracle = oracle_rates(session.entry, decision.result.figures)
            report = decision.report(
                oracle=oracle, per_seed=session.settings.gating.per_seed_results
            )
            self._write_report(report)
            games = session.run.counters.add("gate_games", decision.result.games)
            session.run.metrics.append(
                "gate_summary",
                step=games,
                stream="gate_game_idx",
                iteration=session.iteration,
                seconds=self._spent(),
                budgets=session.budgets(session.settings.gating.simulations),
                knobs=session.knobs(),
                **self._speeds(),
                **(oracle or {}),
                **summary,
            )
            record.update(
                {
                    key: summary.get(key)
                    for key in (*_KEPT, *(_KEPT_OF_DEALS if "deals" in summary else ()))
                },
                oracle=oracle,
            )
        record.update(promoted=promoted, seconds=self._spent(), finished_ms=now_ms())
        session.record["promoted"] = promoted
        if promoted:
            self._promote()
        else:
            session.rejections += 1
        session.record["best_model_path"] = session.champion.ref.path

    def _promote(self) -> None:
        session = self._session
        assert session.candidate is not None
        session.rejections = 0
        before = session.champion
        session.champion = session.put_model(
            "champion", session.iteration + 1, session.candidate.weights
        )
        session.run.metrics.append(
            "promotion",
            iteration=session.iteration,
            model=session.champion.ref.path,
            sha256=session.champion.ref.sha256,
            before=before.ref.path,
        )
        save_checkpoint(session, permanent=None)

    def _write_report(self, report: dict[str, Any]) -> None:
        """``reports/gate_report.json`` is the newest; each iteration's stays beside it."""
        document = {
            "run_id": self._session.run.id,
            "iteration": self._session.iteration,
            **self._session.run.schema.envelope(),
            **report,
        }
        data = (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
        folder = self._session.run.path / "reports"
        replace_file(folder / f"gate_{self._session.iteration:06d}.json", data, durable=False)
        replace_file(folder / "gate_report.json", data, durable=False)

    def close(self) -> None:
        """End the lanes."""
        if self._gate is not None:
            self._gate.close()


def gate_settings(settings: GatingSettings) -> GateSettings:
    """How a run's gate judges."""
    return GateSettings(
        mode=settings.mode,
        pairs=settings.max_pairs,
        null=settings.h0,
        alternative=settings.h1,
        alpha=settings.alpha,
        beta=settings.beta,
        undecided=settings.undecided_win_rate,
        threshold=settings.threshold,
        score_confidence=settings.score_confidence,
        guardrail_delta=settings.guardrail_delta,
        deals=settings.deals,
        win_share=settings.win_share,
        looks=settings.looks,
    )


def gate_seeds(session: NetworkSession) -> SeedSet | None:
    """The stored seed set of every gate; None where each iteration has its own seeds.

    The run keeps a copy in ``reports/seed_set.json`` from the first time on, and uses that: what
    happens to the file elsewhere changes no gate.

    Raises:
        UserError: there is no such set, or it has fewer seeds than the gate may need.
    """
    settings = session.settings.gating
    if settings.seed_set is None or not settings.enabled:
        return None
    copy = session.run.path / "reports" / "seed_set.json"
    if copy.is_file():
        return SeedSet.read(copy)
    try:
        found = find_seed_set(settings.seed_set)
        found.first(gate_settings(settings).units)
    except UserError as error:
        raise type(error)(f"gating.seed_set = {settings.seed_set}: {error}") from error
    found.write(copy)
    return found
