"""The phase that learns: a fixed number of optimizer steps from the champion's weights."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ludus.errors import RunError
from ludus.learners import plan_steps
from ludus.replay import ReplaySampler, RowFeed, WindowLaw
from ludus.runs import ObjectRef
from ludus.training.audits import audit_iteration
from ludus.training.measures import StepFigures
from ludus.training.network_session import NetworkSession
from ludus.training.session import now_ms

_REJECTIONS = 3
"""With ``after_rejection: candidate``, every so many in a row lead back to the champion."""


_KEPT = (
    "loss_total",
    "loss_policy",
    "loss_value",
    "loss_margin",
    "loss_belief",
    "belief_gain",
    "entropy",
)
"""Losses that a record of the iteration keeps; those of a belief only where one is learned."""


class TrainPhase:
    """Updates over the window that self-play left, frozen for the phase."""

    name = "train"

    def __init__(self, session: NetworkSession, saved: dict[str, Any] | None) -> None:
        """Begin the iteration's candidate, or go on with it and its optimizer."""
        self._session = session
        settings = session.settings
        learner = session.learner
        snapshot = session.replay.snapshot()
        window = session.replay.window(self._window_games())
        self._tau = session.now(settings.training.target_temperature)
        if saved is None:
            audit_iteration(session)
            plan = plan_steps(
                batch_size=settings.training.batch_size,
                steps_per_iteration=settings.training.steps_per_iteration,
                epochs=settings.training.epochs,
                snapshot_samples=window.samples,
            )
            learner.begin_iteration(
                self._start(),
                plan.steps_target,
                learning_rate=session.now(settings.training.learning_rate),
                value_mix=session.now(settings.training.value_mix),
            )
            session.generation += 1
            event = plan.event()
            event.pop("event")
            session.run.metrics.append(
                "train_plan",
                iteration=session.iteration,
                snapshot=snapshot,
                window_games=len(window),
                window_samples=window.samples,
                learning_rate=learner.learning_rate,
                value_mix=learner.value_mix,
                target_temperature=self._tau,
                **event,
            )
            session.record["train"] = {
                "started_ms": now_ms(),
                "steps_target": plan.steps_target,
                "steps_completed": 0,
                "snapshot": snapshot["digest"],
                "samples": snapshot["total_samples"],
                "window_games": len(window),
                "window_samples": window.samples,
                "learning_rate": learner.learning_rate,
                "value_mix": learner.value_mix,
                "target_temperature": self._tau,
            }
        elif saved["snapshot"] != snapshot["digest"]:
            raise RunError(
                f"the replay of {session.run.path} is not the one that this iteration began to "
                f"learn from ({snapshot['digest'][:12]} instead of {saved['snapshot'][:12]})"
            )
        self._snapshot = str(snapshot["digest"])
        sampler = ReplaySampler(
            session.rules,
            window,
            settings.run.seed,
            plies_per_game=settings.training.plies_per_game,
            c_visit=settings.search.c_visit,
            c_scale=settings.search.c_scale,
            q_spread=settings.search.q_spread,
            target_temperature=self._tau,
            open_worlds=settings.search.open_worlds,
            beliefs=learner.settings.belief_weight > 0.0,
        )
        self._feed = RowFeed(
            sampler,
            settings.training.batch_size,
            learner.update,
            learner.steps_target - learner.iteration_step,
        )
        self._bytes = window.nbytes
        self._figures = StepFigures(None if saved is None else saved.get("figures"))
        self._losses: dict[str, float] = dict(saved["losses"]) if saved is not None else {}
        self._seconds = float(saved["seconds"]) if saved is not None else 0.0
        self._started = time.monotonic()
        self._here = 0

    def _window_games(self) -> int | None:
        """The newest games to learn from; None for all that are kept.

        It follows from the committed index: the games played since the run's birth.
        """
        replay = self._session.settings.replay
        if replay.window_start_games is None:
            return None
        law = WindowLaw(
            start_games=replay.window_start_games,
            exponent=replay.window_exponent,
            slope=replay.window_slope,
        )
        return law.games(self._session.replay.played)

    def _start(self) -> dict[str, Any] | None:
        """Weights that the candidate begins with."""
        session = self._session
        again = session.settings.gating.after_rejection == "candidate"
        if again and session.rejections % _REJECTIONS and session.candidate is not None:
            return session.candidate.weights
        return session.champion.weights

    def advance(self, seconds: float) -> bool:
        """One or more steps."""
        session, learner = self._session, self._session.learner
        training = session.settings.training
        every = session.settings.runtime.metrics_every_steps
        end = time.monotonic() + seconds
        while not learner.done:
            start = time.perf_counter_ns()
            last = learner.iteration_step + 1 >= learner.steps_target
            report = last or (learner.update + 1) % every == 0
            losses = learner.step(self._feed.take(), report=report)
            self._figures.add(losses, training.batch_size, time.perf_counter_ns() - start)
            self._here += 1
            session.count_learning(1, training.batch_size)
            session.callbacks.publish("update", update=learner.update, losses=losses)
            if report:
                self._losses = losses
                session.run.metrics.append(
                    "train_step",
                    step=learner.update,
                    stream="train_step",
                    iteration=session.iteration,
                    iteration_step=learner.iteration_step,
                    steps_target=learner.steps_target,
                    throughput_steps_s=self._rate(),
                    **losses,
                )
            if time.monotonic() >= end:
                break
        return not learner.done

    def _rate(self) -> float:
        return self._here / max(1e-3, time.monotonic() - self._started)

    def save(self) -> tuple[dict[str, ObjectRef], dict[str, Any]]:
        """The learner is in every commit; here only what the phase adds."""
        record = self._session.record["train"]
        record["steps_completed"] = self._session.learner.iteration_step
        record.update(_losses_of(self._losses))
        return {}, {
            "snapshot": self._snapshot,
            "losses": self._losses,
            "figures": self._figures.as_json(),
            "seconds": self._seconds + time.monotonic() - self._started,
        }

    def memory(self) -> Mapping[str, int]:
        """Bytes by component: the window in one piece, and the rows being decoded."""
        return {"replay_decoded": self._bytes + self._feed.nbytes}

    def view(self) -> Mapping[str, Any]:
        """Steps done, losses, speed."""
        losses = self._losses
        return {
            "done": self._session.learner.iteration_step,
            "total": self._session.learner.steps_target,
            "unit": "steps",
            "steps_per_second": self._rate(),
            **self._figures.speeds(),
            "loss": losses.get("loss_total"),
            "loss_before": self._figures.before("loss_total"),
            "loss_policy": losses.get("loss_policy"),
            "loss_value": losses.get("loss_value"),
            "entropy": losses.get("entropy"),
            "lr": losses.get("lr"),
        }

    def finish(self) -> None:
        """The averaged weights become the candidate."""
        session = self._session
        session.candidate = session.put_model(
            "candidate", session.iteration + 1, session.learner.candidate()
        )
        session.record["train"].update(
            steps_completed=session.learner.iteration_step,
            seconds=self._seconds + time.monotonic() - self._started,
            candidate=session.candidate.ref.path,
            finished_ms=now_ms(),
            loss_mean=self._figures.losses().get("loss_total", {}).get("mean"),
            **_losses_of(self._losses),
        )
        session.run.metrics.append(
            "train_iter",
            step=session.learner.update,
            stream="train_step",
            iteration=session.iteration,
            steps=session.learner.iteration_step,
            samples=self._figures.samples,
            seconds=session.record["train"]["seconds"],
            **self._figures.speeds(),
            losses=self._figures.losses(),
            knobs=session.knobs(),
        )

    def close(self) -> None:
        """End the thread that decodes."""
        self._feed.close()


def _losses_of(losses: Mapping[str, float]) -> dict[str, float]:
    return {name: losses[name] for name in _KEPT if name in losses}
