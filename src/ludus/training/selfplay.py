"""The phase that plays: a fixed number of games with the champion."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ludus import _core
from ludus.errors import CorruptError, NumericsError
from ludus.evaluators import Evaluator, EvaluatorTimes, TimedEvaluator
from ludus.players import Lanes, PhaseSeconds, SearchPlayer, slots_settings
from ludus.replay import GameRecords
from ludus.runs import ObjectRef
from ludus.training.blocks import Table
from ludus.training.derived import search_settings
from ludus.training.measures import (
    RootFigures,
    evaluator_figures,
    evaluator_histograms,
    first_seat_rate,
    timeout_rate,
)
from ludus.training.network_session import NetworkSession
from ludus.training.session import now_ms
from ludus.training.stream import GameStream, score_figures

_ROOTS_EVERY = 4
"""Units between two looks at search roots, where ``root_sample_every`` logs none of them."""

_COUNTED = (
    "fallbacks",
    "simulations",
    "expansions",
    "decisions",
    "collisions",
    "rows",
    "batches",
    "forced",
    "failed",
)
"""Counters of the slots that are summed over all processes that worked on a phase."""

_PHASES = {"seconds_softmax": "expand"} | {
    f"seconds_{name}": name for name in ("tree", "encode", "network", "idle")
}
"""Figures of the record -> phases of the lanes."""


class SelfplayPhase:
    """Games ``[iteration * n, (iteration + 1) * n)`` of the run, each keyed by its number."""

    name = "selfplay"

    def __init__(self, session: NetworkSession, saved: dict[str, Any] | None) -> None:
        """Schedule the games of the iteration that are not in the replay yet."""
        self._session = session
        settings, rules = session.settings, session.rules
        self.total = settings.selfplay.games_in(session.iteration)
        self._first = settings.selfplay.games_before(session.iteration)
        self._timer = TimedEvaluator(session.evaluator(session.champion))
        player = SearchPlayer(self._timer, self._search(), "champion")
        self._slots = _core.Slots(
            rules,
            slots=settings.selfplay.slots,
            group_size=settings.selfplay.group_size,
            seed=settings.run.seed,
            players=[slots_settings(player)],
            record=True,
        )
        ids = self._missing()
        seeds = [_core.derive_seed(settings.run.seed, "episode", int(game)) for game in ids]
        self._slots.schedule(
            ids, np.array(seeds, np.uint64), np.zeros((len(ids), rules.num_seats), np.int8)
        )
        self._done = self.total - len(ids)
        self._lanes = Lanes(
            self._slots,
            [player],
            rules,
            max(1, min(session.lanes, self._slots.groups)),
            group_size=settings.selfplay.group_size,
        )
        self._units = 0
        self._failed = 0
        self._started = time.monotonic()
        self._here = 0
        self._sums = {**dict.fromkeys(_COUNTED, 0), **dict.fromkeys(_PHASES, 0.0), "seconds": 0.0}
        self._times, self._roots = EvaluatorTimes(), RootFigures()
        if saved is not None:
            self._sums.update(saved["sums"])
            if "times" in saved:
                self._times = EvaluatorTimes.from_json(saved["times"])
                self._roots = RootFigures(**saved["roots"])
            flight, _ = session.run.get_object(session.run.manifest.objects["flight"])
            if len(flight["game_id"]):
                self._slots.restore(flight)
        else:
            session.record["selfplay"] = {"started_ms": now_ms(), "games": 0}
        self._before = dict(self._slots.counters())
        self._stream = GameStream(session, self._before)

    def _search(self) -> dict[str, Any]:
        """The champion's search with noise and temperature."""
        session = self._session
        settings = session.settings
        schedule = settings.selfplay.temperature
        if schedule.clock == "ply":
            temperature = schedule.table(min(session.rules.max_plies, 4096))
        else:
            temperature = [session.now(schedule)]
        search = search_settings(settings, session.rules)
        scale = session.now(settings.search.budget_scale)
        self._budgets = [max(0, round(scale * budget)) for budget in search["simulations"]]
        if "worlds" in search:
            factor = session.now(settings.search.worlds_scale)
            search["worlds"] = max(1, round(factor * search["worlds"]))
        self._worlds = int(search.get("worlds", 1))
        return {
            **search,
            "simulations": self._budgets,
            **self._playout_cap(scale),
            "temperature": temperature,
            "noise_alpha": settings.search.dirichlet_alpha,
            "noise_fraction": settings.search.dirichlet_fraction,
        }

    def _playout_cap(self, scale: float) -> dict[str, Any]:
        """Settings of the slots for fast decisions, none while the cap is off."""
        search = self._session.settings.search
        if search.full_fraction >= 1.0:
            return {}
        fast = max(1, round(scale * search.fast_budget))
        return {
            "full_fraction": search.full_fraction,
            "fast_simulations": [fast] * len(self._budgets),
        }

    def _missing(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Ids of the games that are neither in a shard nor in the tail, ascending."""
        replay = self._session.replay
        ids = np.arange(self._first, self._first + self.total, dtype=np.int64)
        ids = ids[ids >= replay.next_shard * replay.games_per_shard]
        return ids[~np.isin(ids, replay.tail.game_ids)]

    def advance(self, seconds: float) -> bool:
        """Play on; finished games go into the replay."""
        left = self._lanes.advance(seconds)
        columns = self._slots.finished()
        games = len(columns["game_id"])
        if games:
            records = GameRecords(columns)
            self._validate(records)
            self._session.replay.add(records)
            self._done += games
            self._here += games
            self._session.flush_shards()
            rate = self._here / max(1e-3, time.monotonic() - self._started)
            self._stream.add(Table.of(records), self._slots.counters(), rate)
            total = self._session.run.counters["selfplay_games"]
            self._session.callbacks.games(records, total)
        self._units += 1
        every = self._session.settings.selfplay.root_sample_every
        # A short phase is looked at as soon as there is a root.
        if self._roots.roots == 0 or self._units % (every or _ROOTS_EVERY) == 0:
            self._look_at_roots(log=every > 0)
        return left

    def _totals(self) -> dict[str, Any]:
        """Sums of the phase over all processes that worked on it."""
        now = self._slots.counters()
        return {
            **{name: self._sums[name] + now[name] - self._before[name] for name in _COUNTED},
            **{
                name: self._sums[name] + getattr(self._lanes.seconds, phase)
                for name, phase in _PHASES.items()
            },
            "seconds": self._sums["seconds"] + time.monotonic() - self._started,
        }

    def _all_times(self) -> EvaluatorTimes:
        """The evaluator's times over all processes that worked on the phase."""
        times = EvaluatorTimes()
        times.merge(self._times)
        times.merge(self._timer.times())
        return times

    def _validate(self, records: GameRecords) -> None:
        """Refuse games with numbers that no game can have, before they reach the replay.

        Raises:
            NumericsError: the sentence names the game and the ply.
        """
        try:
            records.validate(self._session.rules)
        except CorruptError as error:
            raise NumericsError(str(error), place="game record") from error

    def fallbacks(self) -> tuple[int, int]:
        """Searches that gave no policy and decisions, in the iteration."""
        totals = self._totals()
        return int(totals["fallbacks"]), int(totals["decisions"])

    def lost_games(self) -> tuple[list[tuple[int, str]], int]:
        """Number and reason of the games that their own rules ended last, as the slots keep them.

        Returns: those kept, told before or not, and how many more were lost since the last call.
        """
        failed = int(self._slots.counters()["failed"])
        if failed == self._failed:
            return [], 0
        kept = [(int(game), str(sentence)) for game, sentence in self._slots.failures()]
        new, self._failed = failed - self._failed, failed
        # Few failures are all kept; of many only the last few are, and the rest is a number.
        return kept, 0 if failed == len(kept) else max(0, new - len(kept))

    @property
    def evaluators(self) -> tuple[Evaluator, ...]:
        """Who answers."""
        return (self._timer,)

    def memory(self) -> Mapping[str, int]:
        """Bytes by component: the trees of all slots, by the mean of the finished searches."""
        now = self._slots.counters()
        each = now["node_bytes"] / max(1, now["searched"])
        return {"trees": round(each * self._session.settings.selfplay.slots)}

    def _look_at_roots(self, *, log: bool) -> None:
        """Count the policies of sampled roots; the first two go to the log, if any do."""
        plies = self._session.run.counters["plies"]
        totals = self._totals()
        for number, root in enumerate(self._slots.sample_roots()):
            entropy, largest = self._roots.add(np.asarray(root["policy"]))
            if not log or number >= 2:
                continue
            self._session.run.log("roots").append(
                "mcts_root",
                step=plies,
                stream="global_ply",
                iteration=self._session.iteration,
                fallbacks=totals["fallbacks"],
                fallback_rate=totals["fallbacks"] / max(1, totals["decisions"]),
                pi_entropy=entropy,
                pi_max=largest,
                **root,
            )

    def save(self) -> tuple[dict[str, ObjectRef], dict[str, Any]]:
        """Moves and dice of the games in flight; searches in progress are redone."""
        self._stream.save()
        flight = self._slots.in_flight()
        ref = self._session.run.put_object("flight", flight, {"games": len(flight["game_id"])})
        return {"flight": ref}, {
            "sums": self._totals(),
            "times": self._all_times().as_json(),
            "roots": asdict(self._roots),
        }

    @property
    def seconds(self) -> PhaseSeconds:
        """What the lanes of this process spent their time on."""
        return self._lanes.seconds

    @property
    def lanes(self) -> int:
        """Threads that play."""
        return self._lanes.lanes

    def counters(self) -> Mapping[str, int]:
        """Counters of the slots of this process."""
        return dict(self._slots.counters())

    def view(self) -> Mapping[str, Any]:
        """Games done and speeds of this process."""
        seconds = max(1e-3, time.monotonic() - self._started)
        now = self._slots.counters()
        simulations, expansions = (
            (now[name] - self._before[name]) / seconds for name in ("simulations", "expansions")
        )
        totals = self._totals()
        return {
            "done": self._done,
            "total": self.total,
            "unit": "games",
            "games_per_second": self._here / seconds,
            "leaves_per_second": simulations,
            "simulations_per_second": simulations,
            "expansions_per_second": expansions,
            **evaluator_figures(self._timer.times(), seconds),
            "pending_batches": self._timer.pending,
            **self._roots.figures(),
            "fallbacks": totals["fallbacks"],
            "fallback_rate": totals["fallbacks"] / max(1, totals["decisions"]),
            "failed": totals["failed"],
            "budgets": self._budgets,
            "budget": max(self._budgets, default=0),
            "worlds": self._worlds,
        }

    def finish(self) -> None:
        """Prune the replay, log the iteration's self-play."""
        session = self._session
        totals, times = self._totals(), self._all_times()
        window = session.replay
        window.skip(self._missing())
        session.flush_shards()
        tail = window.window()
        first = np.searchsorted(tail.game_ids, self._first)
        mine = tail.slice(int(first), len(tail))
        lengths, scores = mine.columns["plies"], mine.columns["scores"][mine.seats_in_play]
        seconds = max(1e-3, float(totals["seconds"]))
        figures = {
            "games": self.total,
            "plies": mine.samples,
            "mean_plies": float(lengths.mean()),
            "mean_score": float(scores.mean()) if session.entry.fixed_total is None else None,
            "timeout_rate": timeout_rate(session.entry.cap_plies, lengths),
            "seat0_win_rate": first_seat_rate(mine),
            "simulations": totals["simulations"],
            "fallbacks": totals["fallbacks"],
            "fallback_rate": totals["fallbacks"] / max(1, totals["decisions"]),
            "collisions": totals["collisions"],
            "collision_rate": totals["collisions"] / max(1, totals["simulations"]),
            "forced": totals["forced"],
            "failed": totals["failed"],
            "mean_batch_rows": totals["rows"] / max(1, totals["batches"]),
            "games_per_second": self.total / seconds,
            "leaves_per_second": totals["simulations"] / seconds,
            "simulations_per_second": totals["simulations"] / seconds,
            "expansions_per_second": totals["expansions"] / seconds,
            **evaluator_figures(times, seconds),
            **self._roots.figures(),
            **score_figures(
                mine,
                margin_weight=session.settings.search.margin_weight,
                margin_scale=session.rules.margin_scale,
            ),
            "sampled_roots": self._roots.roots,
            "budgets": self._budgets,
            "budget": max(self._budgets, default=0),
            "worlds": self._worlds,
            "lanes": session.lanes,
            "seconds": seconds,
            **{name: totals[name] for name in _PHASES},
        }
        session.run.counters.add("simulations", int(totals["simulations"]))
        session.record["selfplay"].update(figures, finished_ms=now_ms())
        session.run.metrics.append(
            "selfplay_iter",
            step=session.run.counters["plies"],
            stream="global_ply",
            iteration=session.iteration,
            champion=session.champion.unit,
            temperature=session.settings.selfplay.temperature.model_dump(mode="json"),
            **evaluator_histograms(times),
            knobs=session.knobs(),
            **figures,
        )
        counters, rate = self._slots.counters(), figures["games_per_second"]
        self._stream.finish(self._first + self.total, counters, rate)
        self._stream.save()
        pruned = window.prune()
        if pruned is not None:
            pruned.pop("event")
            session.run.metrics.append("replay_prune", iteration=session.iteration, **pruned)

    def close(self) -> None:
        """End the lanes."""
        self._lanes.close()
