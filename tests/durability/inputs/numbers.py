"""P10: a number that is not finite, put into a training anywhere at any step.

The training is real and tiny. The poison is put by wrapping methods of the running program, never
by the product itself. Afterwards nothing stored may hold such a number, and what the run has come
to is, bit by bit, what an undisturbed run comes to.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from tests.durability.experiment import Budget, Outcome

_SETTINGS = ("evaluation.every=0", "gating.max_pairs=8")
_VALUES = (np.nan, np.inf, -np.inf)


class Poison:
    """Spoils the call whose turn it is, so often as it is told.

    Attributes:
        given: how often it did.
    """

    def __init__(self, at: int, value: float, times: int) -> None:
        self.value, self.given = value, 0
        self._at, self._left, self._calls = at, times, 0

    def due(self, number: int | None = None) -> bool:
        """Whether this call is to be spoiled: by its number, or as the n-th of all."""
        self._calls += 1
        due = self._left > 0 and (self._calls if number is None else number) == self._at
        if due:
            self._left -= 1
            self.given += 1
            if number is None:
                self._calls = 0  # when it is done again, it is met again
        return due


def _rows(field: str) -> Callable[[Poison], Any]:
    def patch(poison: Poison) -> Any:
        from ludus.replay import ReplaySampler

        real = ReplaySampler.rows

        def rows(self: Any, number: int, batch_size: int, *, into: Any = None) -> Any:
            found = real(self, number, batch_size)
            if poison.due(number):
                getattr(found, field).flat[0] = poison.value
            return found

        return mock.patch.object(ReplaySampler, "rows", rows)

    return patch


def _gradient(poison: Poison) -> Any:
    from ludus.learners import alphazero

    real = alphazero.alphazero_losses

    def losses(*args: Any, **options: Any) -> Any:
        found, gradient = real(*args, **options)
        if poison.due():
            gradient.reshape(-1)[0] = poison.value
        return found, gradient

    return mock.patch.object(alphazero, "alphazero_losses", losses)


def _weight(poison: Poison) -> Any:
    from ludus.learners import AlphaZeroLearner

    real = AlphaZeroLearner._apply

    def apply(self: Any, rate: float) -> None:
        real(self, rate)
        if poison.due(self.update):
            self._flat.weights.data[7] = poison.value

    return mock.patch.object(AlphaZeroLearner, "_apply", apply)


def _output(poison: Poison) -> Any:
    """A number of the network's own output, before anybody has looked at it."""
    from ludus.evaluators import network

    real = network._Loaded.take

    class Spoiled:
        def __init__(self, runner: Any) -> None:
            self.runner = runner

        def run(self, batch: Any) -> Any:
            found = self.runner.run(batch)
            if poison.due():
                found = found.copy()
                found.reshape(-1)[0] = poison.value
            return found

    def take(self: Any, rows: int) -> Any:
        runner = real(self, rows)
        return runner if isinstance(runner, Spoiled) else Spoiled(runner)

    return mock.patch.object(network._Loaded, "take", take)


def _record(poison: Poison) -> Any:
    from ludus.replay import GameRecords

    real = GameRecords.validate

    def validate(self: Any, game: Any) -> None:
        if poison.due():
            self.columns["root_value"][0] = poison.value
        real(self, game)

    return mock.patch.object(GameRecords, "validate", validate)


_PLACES: dict[str, tuple[Callable[[Poison], Any], int, str]] = {
    "input": (_rows("observations"), 8, "observation"),
    "value target": (_rows("value"), 8, "target"),
    "policy target": (_rows("policy"), 8, "target"),
    "gradient": (_gradient, 8, "gradient"),
    "weight": (_weight, 8, "weight"),
    "output": (_output, 60, "evaluation"),
    "record": (_record, 3, "game record"),
}
"""Name -> what puts the poison, the last turn that there certainly is, where it must be found."""


def bad_files(run: Path) -> list[str]:
    """Files of a run in which a number is not finite; what was put into quarantine left out."""
    import safetensors.numpy

    from ludus.runs import read_checkpoint

    found = []
    for path in [*run.rglob("*.safetensors"), *run.rglob("*.ckpt")]:
        if "quarantine" in path.parts:
            continue
        if path.suffix == ".ckpt":
            arrays = read_checkpoint(path)[0]
        else:
            arrays = safetensors.numpy.load_file(path)
        if not all(
            np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f"
        ):
            found.append(str(path.relative_to(run)))
    return found


def once(run: Path, place: str, at: int, value: float, calm: dict[str, str]) -> str:
    """Poison a training once; what is wrong afterwards, or nothing."""
    from tests.training.guarding import events
    from tests.training.tiny import digests, train

    patch, _, named = _PLACES[place]
    poison = Poison(at, value, 1)
    with patch(poison):
        ending = train(run, *_SETTINGS, commit_always=True, iterations=1)
    told = events(run, "divergence")
    if poison.given != 1:
        return f"the poison was given {poison.given} times"
    if len(told) != 1 or told[0]["place"] != named:
        return f"the events tell of {[one['place'] for one in told]}, not of one in {named}"
    if "update" in told[0] and place not in ("output", "record"):
        late = told[0]["update"] - at
        if late not in (0, 1, -1):
            return f"update {at} was poisoned, and {told[0]['update']} is told of"
    if [one["guard"] for one in events(run, "returned_to_good")] != ["numbers"]:
        return "the run did not return to the last good commit"
    if bad := bad_files(run):
        return f"{bad[0]} holds a number that is not finite"
    if ending is None or ending.state != "done":
        return f"the training ended with {ending}"
    return "" if digests(run) == calm else "what came out is not what comes out undisturbed"


def repeated(run: Path, place: str, at: int, value: float) -> str:
    """Poison it each time it comes by: the run is held at a good commit, and ends unhappily."""
    from tests.training.guarding import events, hold_and_resume

    seen: list[dict[str, Any]] = []
    poison = Poison(at, value, 1000)
    with _PLACES[place][0](poison):
        ending = hold_and_resume(
            run, seen.append, *_SETTINGS, command="pause", commit_always=True, iterations=1
        )
    if not seen:
        return f"the run was not held; it ended with {ending}"
    if len(events(run, "divergence")) != 2 or "numbers" not in str(seen[0].get("guards")):
        return f"events and status tell of {len(events(run, 'divergence'))} divergences"
    if bad := bad_files(run):
        return f"{bad[0]} holds a number that is not finite"
    return (
        "" if ending is not None and ending.code != 0 else f"it ended as if all were well: {ending}"
    )


def run(budget: Budget) -> Outcome:
    """All places in turn, at random steps, with each kind of number; every fifth time for ever."""
    from tests.training.tiny import digests, train

    outcome = Outcome("poisoned trainings")
    train(budget.folder / "calm", *_SETTINGS, iterations=1)
    calm = digests(budget.folder / "calm")
    rng: random.Random = budget.random("numbers")
    names = list(_PLACES)
    for number in range(budget.count(24)):
        place = names[number % len(names)]
        at, value = rng.randrange(1, _PLACES[place][1]), rng.choice(_VALUES)
        path = budget.folder / f"run{number}"
        outcome.trials += 1
        if number % 5 == 4:
            wrong = repeated(path, place, at, value)
        else:
            wrong = once(path, place, at, value, calm)
        if wrong:
            outcome.fail("other", f"{value} in {place} at {at} (number {number}): {wrong}")
    return outcome


def missing() -> str | None:
    """Networks need torch."""
    try:
        import torch  # noqa: F401 - only whether it is there
    except ImportError:
        return "torch is not installed"
    return None
