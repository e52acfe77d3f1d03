"""A training in the background of a notebook: start, watch, pause, resume, read the result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludus.errors import UserError
from ludus.runs import Run, is_run, lock_holder, send_command
from ludus.training.api import Trained, Watch, train

Progress = Callable[[int, float, float, float], object]
"""Games so far, mean score difference for seat 0, win rate of seat 0, seconds worked."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training has come to, all games of the run's life.

    Attributes:
        state: ``done``, ``idle`` (stopped) or ``paused``.
        reason: why it ended, one sentence.
        games_completed: of self-play.
        score_difference: mean of seat 0's points less seat 1's over the newest record of games
            (discs in Othello); None before there is one.
        win_rates: of the seats, in order, and ``draw_rate``; zeros before the first game.
        elapsed_seconds: worked, pauses left out.
        games_per_second: over that time.
        errors: games lost and units that failed.
        champion: file of the champion.
    """

    state: str
    reason: str
    games_completed: int
    score_difference: float | None
    win_rates: tuple[float, ...]
    draw_rate: float
    elapsed_seconds: float
    games_per_second: float
    errors: int
    champion: Path | None


class TrainingManager:
    """One run, trained by a thread of this process.

    The run directory is the same as that of ``ludus train``: either can go on with what the other
    began, and every command of Ludus works on it. Calls may come from any thread.

    Example:
        >>> manager = TrainingManager("othello", run="runs/notebook")  # doctest: +SKIP
        >>> manager.set_progress_callback(lambda games, *rest: print(games))  # doctest: +SKIP
        >>> manager.start(games=100_000)  # doctest: +SKIP
        >>> manager.pause()  # doctest: +SKIP
        41250
        >>> manager.resume()  # doctest: +SKIP
        >>> manager.wait().games_per_second  # doctest: +SKIP
    """

    def __init__(
        self,
        recipe: str | None = None,
        *,
        run: str | Path,
        game: str | None = None,
        seed: int | None = None,
        preset: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Name the run; nothing is made before :meth:`start`.

        Args:
            recipe: as of :func:`ludus.train`, as are game, seed and preset.
            run: the run directory.
            game: see there.
            seed: see there.
            preset: see there.
            settings: of the run, by dotted key or nested.
        """
        self._given: dict[str, Any] = {
            "recipe": recipe,
            "game": game,
            "seed": seed,
            "preset": preset,
            "settings": dict(settings or {}),
        }
        self.path = Path(run)
        self._limits: dict[str, Any] = {}
        self._every = 1
        self._progress: Progress | None = None
        self._thread: threading.Thread | None = None
        self._trained: Trained | None = None
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._difference: float | None = None
        self._records = 0

    # -- control ------------------------------------------------------------------------------

    def start(
        self,
        *,
        games: int | None = None,
        minutes: float | None = None,
        iterations: int | None = None,
    ) -> None:
        """Begin in the background, or go on; returns at once.

        Args:
            games: limit from the run's birth; None for none.
            minutes: from now.
            iterations: limit from the run's birth.

        Raises:
            UserError: it is training already.
        """
        with self._lock:
            if self.is_active:
                raise UserError(f"{self.path} is being trained already")
            self._limits = {"games": games, "minutes": minutes, "iterations": iterations}
            self._trained, self._error = None, None
            self._thread = threading.Thread(target=self._train, name="ludus-training", daemon=True)
            self._thread.start()

    def pause(self) -> int:
        """Finish the unit in progress and commit; returns the games of self-play so far.

        Raises:
            UserError: nothing is being trained.
            LudusError: what stopped the training instead.
        """
        return self._end("pause").games_completed

    def stop(self) -> TrainingResult:
        """As :meth:`pause`, for good.

        Raises: likewise.
        """
        return self._end("stop")

    def resume(self) -> None:
        """Go on from the newest commit with the limits of the last start; returns at once.

        Raises:
            UserError: it is training already.
        """
        limits = {**self._limits, "minutes": None}
        self.start(**limits)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Change settings that may change in a run's life; the run says when each takes effect.

        Args:
            settings: by dotted key, such as ``{"td.epsilon": 0.1, "logging.level": "debug"}``.

        Raises:
            ConfigError: an unknown setting, or one that is fixed.
        """
        from ludus.training.keys import Given
        from ludus.training.layers import require_changeable

        given = {key: Given(value, "configure") for key, value in settings.items()}
        require_changeable(given, str(self.path))
        if not self.is_active:
            self._given["settings"].update(settings)
            return
        for key, value in settings.items():
            send_command(self.path, "set", key=key, value=str(value))

    def wait(self, seconds: float | None = None) -> TrainingResult | None:
        """The result when the training has ended; None if it goes on after so many seconds.

        Raises:
            LudusError: what stopped the training; the run stands at its last commit.
        """
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
            if thread.is_alive():
                return None
        if self._error is not None:
            raise self._error
        return self.result()

    # -- looking ------------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Whether this manager is training."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def state(self) -> str:
        """``idle``, ``training`` or ``paused``; ``done`` when a limit is reached."""
        if self.is_active:
            return "training"
        return "idle" if self._trained is None else self._trained.state

    def set_progress_callback(self, callback: Progress | None, *, every: int = 1) -> None:
        """Have a function called with each record of games (``metrics.game_stats_every`` games).

        It takes effect with the next start. An error in it is told in the events and never reaches
        the training.

        Args:
            callback: takes games, mean score difference, win rate of seat 0, seconds worked.
            every: each so-manyth record alone.
        """
        self._progress, self._every = callback, every

    def result(self) -> TrainingResult:
        """What the run has come to by its newest commit.

        Raises:
            RunError: there is no run yet.
        """
        run = Run.open(self.path, write=False)
        counters = run.manifest.counters
        games = int(counters.get("selfplay_games", 0))
        elapsed = run.manifest.elapsed_seconds
        totals = (run.manifest.progress.get("guards") or {}).get("totals") or {}
        seats = sum(name.startswith("wins_seat_") for name in counters)
        champion = run.manifest.objects.get("champion")
        trained = self._trained
        return TrainingResult(
            state=self.state,
            reason="" if trained is None else trained.reason,
            games_completed=games,
            score_difference=self._difference,
            win_rates=tuple(
                counters.get(f"wins_seat_{seat}", 0) / max(1, games) for seat in range(seats)
            ),
            draw_rate=counters.get("draws", 0) / max(1, games),
            elapsed_seconds=elapsed,
            games_per_second=games / elapsed if elapsed > 0 else 0.0,
            errors=sum(int(value) for value in totals.values()),
            champion=None if champion is None else self.path / champion.path,
        )

    # -- inside -------------------------------------------------------------------------------

    def _train(self) -> None:
        try:
            given = dict(self._given)
            if is_run(self.path):  # seed and preset are the run's; settings may have changed since
                given.update(seed=None, preset=None)
            self._trained = train(
                run=self.path,
                **given,
                **self._limits,
                callbacks=[Watch(self._stats, names=["game_stats"])],
            )
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            self._error = error

    def _stats(self, record: dict[str, Any]) -> None:
        self._difference = record.get("score_difference")
        callback = self._progress
        self._records += 1
        if callback is None or self._records % self._every:
            return
        rates = record.get("win_rates") or [0.0]
        callback(
            int(record["first_game"]) + int(record["games"]),
            float(self._difference or 0.0),
            float(rates[0] or 0.0),
            float(record["elapsed_seconds"]),
        )

    def _end(self, command: str) -> TrainingResult:
        thread = self._thread
        if thread is None or not thread.is_alive():
            raise UserError(f"{self.path} is not being trained")
        while thread.is_alive() and lock_holder(self.path) is None:
            thread.join(0.02)  # it has not taken its run up yet
        if thread.is_alive():
            send_command(self.path, command)
        result = self.wait()
        assert result is not None
        return result
