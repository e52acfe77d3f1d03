"""What the outside sees of a run while it works: status document, heartbeats, ETA."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ludus.runs import Eta, duration_text, replace_file
from ludus.training.clock import ClockWatch, jump_text
from ludus.training.figures import Figures
from ludus.training.guards import AlertGuard, Guard, Moment
from ludus.training.measures import SPEEDS
from ludus.training.messages import Sender
from ludus.training.past import Past
from ludus.training.phases import Phase
from ludus.training.rating import latest
from ludus.training.session import Session
from ludus.training.view import rating_text

_STATUS_SECONDS = 1.0
_BEAT_SECONDS = 0.5
_SHARES = {"selfplay": 0.6, "train": 0.2, "gate": 0.18, "evaluate": 0.02}
"""Parts of an iteration's time before one was measured; for the ETA alone."""


class Reporter:
    """Gathers figures and publishes them at their own pace; readers never slow the training."""

    def __init__(
        self,
        session: Session,
        sender: Sender,
        *,
        total_iterations: Callable[[], int | None],
        seconds_left: Callable[[], float | None],
        guards: Sequence[Guard] = (),
    ) -> None:
        """Prepare.

        Args:
            session: of the run.
            sender: to the supervisor.
            total_iterations: at which the run ends, if any.
            seconds_left: of ``--minutes``, if any.
            guards: of the run, for the status.
        """
        self._session = session
        self._sender = sender
        self._total = total_iterations
        self._left = seconds_left
        self._guards = guards
        self._phase: Phase | None = None
        self._view: Mapping[str, Any] = {}  # of the phase, as it was last; making one costs
        self._past = Past(session)
        self._eta = Eta(None, done=self._amount(), elapsed_seconds=0.0)
        self._last_status = self._last_beat = 0.0
        self._work = 0
        self._losses: dict[str, Any] = {}
        self._started = time.time()
        self._unwritten = 0
        self._figures = Figures(
            session, past=self._past, progress=self._share_done, seconds_left=self._seconds_left
        )
        session.eta_seconds = self._seconds_left
        self._clock = ClockWatch()

    def _amount(self) -> float:
        """Iterations done, the one in progress by the usual share of its phases."""
        shares = self._past.shares(_SHARES)
        amount = float(self._session.iteration)
        phases = self._session.phases
        index = phases.index(self._session.phase)
        whole = sum(shares[name] for name in phases)
        before = sum(shares[name] for name in phases[:index])
        total = self._view.get("total") or 1
        done = min(1.0, float(self._view.get("done") or 0) / total)
        amount += (before + shares[phases[index]] * done) / whole
        return amount

    def worked(self, phase: Phase) -> None:
        """A unit was done: publish what is due."""
        self._work += 1
        self._phase = phase
        now = time.monotonic()
        if now - self._last_beat >= _BEAT_SECONDS:
            self._last_beat = now
            self._eta.total = self._total()
            self._view = phase.view()
            self._eta.update(self._amount())
            self.beat(self._view)
        if now - self._last_status >= _STATUS_SECONDS:
            self.status("training", phase)

    def alive(self) -> None:
        """Something is being done that is no unit (a save that waits to be tried again)."""
        self._work += 1
        self._beat(iteration=self._session.iteration)

    def waiting(self, reason: str) -> None:
        """A guard's pause: nothing moves, on purpose."""
        self._eta.skip()
        self._beat(waiting=True, reason=reason, iteration=self._session.iteration)
        if time.monotonic() - self._last_status >= _STATUS_SECONDS:
            self.status("paused", None, reason=reason)

    def _beat(self, **fields: Any) -> None:
        """A heartbeat, with what the supervisor needs to know for when there are no more."""
        run = self._session.run
        fields["work"] = self._work
        fields["watchdog"] = self._session.settings.guards.watchdog_seconds
        fields["uncommitted_seconds"] = max(0.0, run.elapsed_seconds - run.manifest.elapsed_seconds)
        self._sender.send("beat", **fields)

    def alert(self, event: str, fields: Mapping[str, Any]) -> None:
        """Send an alert to the supervisor, which takes it out of the machine.

        Args:
            event: ``alert`` or ``alert_cleared``.
            fields: of the alert.
        """
        session = self._session
        self._sender.send(
            "alert",
            settings=session.settings.alerts.model_dump(
                mode="json", include={"command", "webhook", "timeout_seconds"}
            ),
            alert={
                "event": event,
                **fields,
                "iteration": session.iteration,
                "ts_ms": time.time_ns() // 1_000_000,
            },
        )

    def beat(self, view: Mapping[str, Any]) -> None:
        """A heartbeat with progress."""
        shown = {key: value for key, value in view.items() if value is not None}
        self._beat(
            **{
                **self._remembered(view),
                **shown,
                "iteration": self._session.iteration,
                "phase": self._session.phase,
                "eta": self._eta_text(),
                "alerts": [alert["name"] for alert in self._alerts()],
            }
        )

    def _remembered(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """Figures of earlier phases, so that a phase without them can show them too."""
        for key in ("loss", "loss_policy", "loss_value", "entropy", "lr"):
            if view.get(key) is not None:
                self._losses[key] = view[key]
        return {
            **self._losses,
            "gate": self._past.gate(),
            "strength": self._past.strength(),
            "warnings": len(self._past.warnings()),
            "elo": rating_text(self._past.rating()),
        }

    def _eta_text(self) -> str | None:
        seconds = self._seconds_left()
        return None if seconds is None else duration_text(seconds)

    def _seconds_left(self) -> float | None:
        by_work, by_clock = self._eta.remaining_seconds, self._left()
        known = [seconds for seconds in (by_work, by_clock) if seconds is not None]
        return min(known) if known else None

    def _share_done(self) -> float | None:
        """Share of the run's iterations that is done; None without an end."""
        total = self._total()
        if total is None:
            return None
        return min(1.0, self._amount() / total) if total > 0 else 0.0

    def figures(self) -> Mapping[str, float | None]:
        """The figures of the catalogue as they are now; a guard's own replace those found here."""
        return self._gather(self._phase)

    def _gather(self, phase: Phase | None) -> dict[str, float | None]:
        figures = self._figures.now(phase)
        for guard in self._guards:
            own = getattr(guard, "figures", None)
            if own is not None:
                figures.update(own())
        return figures

    def _look_at_alerts(self) -> None:
        """After each phase, so that the last one of a run is not left out either."""
        moment = Moment(self._session, None, self, time.monotonic(), self.figures)
        for guard in self._guards:
            if isinstance(guard, AlertGuard):
                guard.tell(moment)

    def _alerts(self) -> list[dict[str, Any]]:
        """Active alerts."""
        found = [guard.active() for guard in self._guards if isinstance(guard, AlertGuard)]
        return [alert for alerts in found for alert in alerts]

    def status(
        self,
        state: str,
        phase: Phase | None,
        *,
        reason: str | None = None,
        error: str | None = None,
    ) -> None:
        """Publish ``status.json``; missing values are null."""
        jumped = self._clock.jump()
        if jumped is not None:
            self._session.run.events.append_if_possible(
                "clock", seconds=round(jumped, 1), message=jump_text(jumped)
            )
        self._last_status = time.monotonic()
        self._phase = phase
        self._view = view = phase.view() if phase is not None else {}
        if state != "paused":
            self._eta.total = self._total()
            self._eta.update(self._amount())
        session, run = self._session, self._session.run
        if state == "training" and phase is None:
            self._look_at_alerts()
        remembered = self._remembered(view)
        figures = self._gather(phase)
        written = run.status.write(
            {
                "state": state,
                "phase": session.phase if state == "training" else None,
                "phases": list(session.phases),
                "reason": reason,
                "error": error,
                "controller_error": error,
                "recipe": run.manifest.recipe,
                "seed": run.manifest.seed,
                "iteration": session.iteration,
                "total_iterations": self._total(),
                "training_on": session.entry.units,
                "search": search_text(figures),
                "progress": {key: view.get(key) for key in ("done", "total", "unit")},
                "counters": run.counters.as_dict(),
                "speed": {key: view.get(key) for key in SPEEDS},
                "warnings": self._past.warnings(),
                "figures": figures,
                "guards": [guard.state().as_json() for guard in self._guards],
                "alerts": self._alerts(),
                "memory": session.memory,
                "pending": session.pending,
                "forecast": session.forecast or None,
                "losses": {key: value for key, value in remembered.items() if key in self._losses},
                "gate": {
                    "last": remembered["gate"],
                    "win_rate": view.get("win_rate"),
                    "llr": view.get("llr"),
                },
                "strength": remembered["strength"],
                "rating": self._past.rating(),
                "health": self._past.health(),
                "restarts": run.counters["restarts"],
                "fallbacks": view.get("fallbacks"),
                "champion": session.champion.ref.path,
                "candidate": None if session.candidate is None else session.candidate.ref.path,
                "eta_seconds": self._seconds_left() if state == "training" else None,
                "elapsed_seconds": run.elapsed_seconds,
                "started_ms": int(self._started * 1000),
                "commit": {
                    "sequence": run.manifest.sequence,
                    "written_ms": run.manifest.written_ms,
                    "every_seconds": session.settings.run.commit_seconds,
                },
                "save_failures": run.save_failures,
                "memory_bytes": figures["memory_bytes"],
                "free_disk_bytes": figures["free_disk_bytes"],
                "lanes": session.lanes,
                "resume_command": resume_command(session),
            }
        )
        if written:
            self._unwritten = 0
            return
        self._unwritten += 1
        if self._unwritten == 1:
            session.note("status.json cannot be written; the training goes on")


def search_text(figures: Mapping[str, float | None]) -> str | None:
    """The search of self-play for people: worlds x simulations (``3×35``), or simulations."""
    worlds, budget = figures["worlds"], figures["budget"]
    if budget is None:
        return None
    return f"{budget:.0f}" if worlds is None or worlds <= 1 else f"{worlds:.0f}×{budget:.0f}"


def write_report(session: Session, reason: str) -> None:
    """``reports/training_report.json``: what the run has come to when a limit was reached."""
    run = session.run
    measured = next(
        (
            entry
            for entry in reversed(run.iterations)
            if (entry.get("evaluate") or {}).get("results")
        ),
        None,
    )
    document = {
        "run_id": run.id,
        "recipe": run.manifest.recipe,
        "seed": run.manifest.seed,
        **run.schema.envelope(),
        "reason": reason,
        "iterations": session.iteration,
        "promotions": sum(bool(entry.get("promoted")) for entry in run.iterations),
        "counters": run.counters.as_dict(),
        "elapsed_seconds": run.elapsed_seconds,
        "commit": run.manifest.sequence,
        "champion": {"path": session.champion.ref.path, "sha256": session.champion.ref.sha256},
        "evaluated_at_iteration": None if measured is None else measured["iteration"],
        "evaluation": None if measured is None else measured["evaluate"]["results"],
        "rating": latest(run.iterations),
        "rating_history": [
            {
                "iteration": entry["iteration"],
                **{key: rating[key] for key in ("player", "elo", "elo_se", "standing", "change")},
                "rating_kind": rating.get("rating_kind", "elo"),
            }
            for entry in run.iterations
            if (rating := (entry.get("evaluate") or {}).get("rating")) is not None
        ],
    }
    data = (json.dumps(document, indent=1) + "\n").encode()
    replace_file(run.path / "reports" / "training_report.json", data, durable=False)


def resume_command(session: Session) -> str:
    """What to type to go on with a run."""
    return f"ludus train {session.run.manifest.recipe} --run {session.run.path}"
