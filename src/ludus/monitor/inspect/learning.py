"""What TD(lambda) makes of a recorded game: targets, errors, and each weight that it would change.

The learner computes targets backwards through a finished game and keeps no eligibility traces
(``cpp/patterns/td.h`` has the method and its sources); what a trace says, how much a later value
counts for an earlier position, is :meth:`GameTrace.shares`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import RunError
from ludus.games.othello_position import SQUARES
from ludus.games.othello_records import parse_transcript, play
from ludus.games.pattern_tables import described
from ludus.learners.td import TdLearner
from ludus.monitor.inspect.table_changes import entry_document, entry_text

_F = np.float32
_BOUND = _F(127.0)
_LONGEST_START: Final = 1 << 17
"""Steps after which Adam's start is corrected no more, as in ``cpp/patterns/td.cpp``."""


@dataclass(frozen=True)
class TracedMove:
    """One move and what is learned from it; values in discs for the side that moved.

    Attributes:
        move: its number, from 0; passes do not count.
        square: where the disc was put.
        seat: 0 black, 1 white.
        stage: of the position behind the move.
        greedy: no other move was better by the tables.
        best: value of the best move.
        value: of the position behind the move.
        target: what the value is drawn to.
        error: target less value, bounded.
        learns: False where the game has ended with the move: there is nothing to expect.
    """

    move: int
    square: str
    seat: int
    stage: int
    greedy: bool
    best: float
    value: float
    target: float
    error: float
    learns: bool


@dataclass(frozen=True)
class GameTrace:
    """A game as the learner sees it.

    Attributes:
        moves: in order.
        difference: black's discs less white's, empty squares for the winner.
        trace_lambda: share of the later targets in a target.
        cut: whether a target ends at a move that was not the best.
        contents: of every placement behind each move, u16[moves, instances].
    """

    moves: tuple[TracedMove, ...]
    difference: int
    trace_lambda: float
    cut: bool
    contents: npt.NDArray[np.uint16] = field(repr=False, compare=False)

    def shares(self, move: int) -> npt.NDArray[np.float64]:
        """How much each later value counts in the target of a move.

        Args:
            move: its number.

        Returns: f64[moves - move]: of ``best`` of the following moves, then of the final
            difference; they sum to 1. A share is multiplied by lambda with each move, which is
            what an eligibility trace does forwards.
        """
        found = np.zeros(len(self.moves) - move)
        left = 1.0
        for at, after in enumerate(self.moves[move + 1 :]):
            if self.cut and not after.greedy:
                found[at] = left
                return found
            found[at] = left * (1.0 - self.trace_lambda)
            left *= self.trace_lambda
        found[-1] = left
        return found


@dataclass(frozen=True)
class EntryUpdate:
    """One weight before and after a step of learning.

    Attributes:
        entry: which, and its weights as in the tables, see
            :func:`~ludus.monitor.inspect.table_changes.compare_tables`.
        before: in discs, as the learner keeps it, not rounded.
        after: likewise.
        visits: placements of the game that have it.
        moves: that these belong to.
        gradient: mean of their errors with the sign of the weight's side, negated; discs.
        steps: that Adam has made for it, this one included.
    """

    entry: dict[str, Any]
    before: float
    after: float
    visits: int
    moves: tuple[int, ...]
    gradient: float
    steps: int


def trace_game(
    tables: _core.PatternTables,
    game: str | Sequence[int],
    *,
    trace_lambda: float = 0.3,
    cut: bool = True,
    error_clip: float = 32.0,
) -> GameTrace:
    """The targets and errors of a whole game by some tables.

    Args:
        tables: that judge.
        game: a transcript such as ``f5d6c3...``, or actions; forced passes may be left out.
        trace_lambda: share of the later targets in a target.
        cut: whether a target ends at a move that was not the best.
        error_clip: bound of an error in discs.

    Raises:
        GameError: an illegal move, a game that is not over, or a setting out of range.
    """
    actions = parse_transcript(game).actions if isinstance(game, str) else play(game, number=1)[0]
    found = _core.td_replay(tables, np.array(actions, np.uint8), trace_lambda, cut, error_clip)
    targets = _targets(found, _F(trace_lambda), cut)
    moves = tuple(
        TracedMove(
            move=move,
            square=SQUARES[int(found["square"][move])],
            seat=int(found["seat"][move]),
            stage=int(found["stage"][move]),
            greedy=bool(found["greedy"][move]),
            best=float(found["best"][move]),
            value=float(found["value"][move]),
            target=float(targets[move]),
            error=float(found["error"][move]),
            learns=bool(found["learns"][move]),
        )
        for move in range(len(targets))
    )
    return GameTrace(moves, int(found["score"]), trace_lambda, cut, found["contents"])


def _targets(found: dict[str, Any], lam: np.float32, cut: bool) -> npt.NDArray[np.float32]:
    """G of each move, in the same single precision as the core's."""
    count = len(found["square"])
    targets = np.zeros(count, np.float32)
    for move in reversed(range(count)):
        seat = found["seat"][move]
        if move == count - 1:
            targets[move] = found["score"] if seat == 0 else -found["score"]
            continue
        best, later = found["best"][move + 1], targets[move + 1]
        goal = best if cut and not found["greedy"][move + 1] else (_F(1) - lam) * best + lam * later
        targets[move] = goal if found["seat"][move + 1] == seat else -goal
    return targets


def trace_text(trace: GameTrace) -> str:
    """:func:`trace_game` for people: a line a move."""
    lines = [
        f"black ends {trace.difference:+d}; lambda {trace.trace_lambda:g}; discs for the side that "
        "moved; * is not the best move, ! is bounded",
        f"{'move':>4} {'':>4} {'':>3} {'stage':>5} {'best':>8} {'value':>8} {'target':>8} "
        f"{'error':>8}",
    ]
    for one in trace.moves:
        bounded = one.learns and abs(one.target - one.value - one.error) > 1e-3
        error = f"{one.error:>+8.3f}" if one.learns else f"{'-':>8}"
        lines.append(
            f"{one.move + 1:>4} {'XO'[one.seat]:>4} {one.square:>2}{' ' if one.greedy else '*'} "
            f"{one.stage:>5} {one.best:>+8.3f} {one.value:>+8.3f} {one.target:>+8.3f} {error}"
            + "!"
            * bounded
        )
    return "\n".join(lines)


def learner_of(source: str | Path) -> TdLearner:
    """A learner as a run or a checkpoint keeps it: weights, moments, counts, settings.

    Args:
        source: a run directory, or a checkpoint (``.ckpt``).

    Raises:
        RunError: neither, or not of a training of pattern tables.
    """
    from ludus.runs import Run, is_run, read_checkpoint
    from ludus.training.settings import Settings
    from ludus.training.tables.session import options_of

    path = Path(source)
    config: Any
    arrays: dict[str, npt.NDArray[Any]]
    if is_run(path):
        run = Run.open(path, write=False)
        ref, config = run.manifest.objects.get("learner"), run.config
        if ref is None:
            raise RunError(f"run {path} has no learner yet; let it commit once")
        arrays = dict(run.get_object(ref)[0])
    elif path.suffix == ".ckpt" and path.is_file():
        found, header = read_checkpoint(path)
        config = (header.meta.get("meta") or {}).get("settings") or {}
        arrays = {name: np.asarray(one) for name, one in found.items() if "/" not in name}
    else:
        raise RunError(f"{path} is neither a run nor a checkpoint (.ckpt)")
    if "seen" not in arrays:
        raise RunError(f"{path} is no training of pattern tables")
    sections = {key: config[key] for key in Settings.model_fields if key in config}
    settings = Settings.model_validate(sections)
    learner = TdLearner(options_of(settings), settings.run.seed)
    learner.restore(arrays)
    return learner


def replay_updates(
    source: TdLearner | str | Path, game: str | Sequence[int]
) -> tuple[GameTrace, list[EntryUpdate]]:
    """Every weight that one game would change, before and after; nothing is changed.

    This is exactly the learner's step, to the bit, for a batch of this one game and moves of one
    ply of search. In training a game is learned together with the others of its batch: an entry
    makes one step by the mean error of all of them.

    Args:
        source: a learner that is at rest, or where :func:`learner_of` finds one.
        game: a transcript, or actions.

    Returns: the game's trace, and the updates, largest change first.

    Raises:
        GameError, RunError: see :func:`trace_game` and :func:`learner_of`.
    """
    learner = source if isinstance(source, TdLearner) else learner_of(source)
    options, patterns = learner.options, learner.patterns
    trace = trace_game(
        learner.tables,
        game,
        trace_lambda=options.trace_lambda,
        cut=options.cut,
        error_clip=options.error_clip,
    )
    visited = _visits(patterns, trace)
    kept = learner.entries()[0].reshape(patterns.stages, patterns.slots, 4)
    longest = max((int(kept[stage, slot, 3]) for stage, slot in visited), default=0) + 1
    correction = _corrections(options.beta1, options.beta2, longest)
    rate = options.learning_rate(learner.games)
    updates = []
    for (stage, slot), (total, moves) in visited.items():
        weight, first, second = kept[stage, slot, :3].view(np.float32)
        steps = int(kept[stage, slot, 3]) + 1
        gradient = total / _F(len(moves))
        b1, b2 = _F(options.beta1), _F(options.beta2)
        first = b1 * first + (_F(1) - b1) * gradient
        second = b2 * second + (_F(1) - b2) * gradient * gradient
        scale = _F(rate) * correction[min(steps, len(correction) - 1)]
        after = weight - scale * first / (np.sqrt(second) + _F(options.adam_epsilon))
        after = np.clip(after, -_BOUND, _BOUND)
        entry = entry_document(patterns, stage, slot, _rounded(weight), _rounded(after))
        updates.append(
            EntryUpdate(
                entry,
                float(weight),
                float(after),
                len(moves),
                tuple(sorted(set(moves))),
                float(gradient),
                steps,
            )
        )
    updates.sort(key=lambda one: -abs(one.after - one.before))
    return trace, updates


def _visits(
    patterns: _core.PatternSet, trace: GameTrace
) -> dict[tuple[int, int], tuple[np.float32, list[int]]]:
    """Sum of the gradients of each entry (stage, slot) and the move of each visit, in order."""
    found: dict[tuple[int, int], tuple[np.float32, list[int]]] = {}
    places = [(one, patterns.slots_of(number)) for number, one in enumerate(described(patterns))]
    for one in trace.moves:
        if not one.learns:
            continue
        for pattern, slots in places:
            first = pattern["first_instance"]
            for lane in range(first, first + len(pattern["placements"])):
                slot = pattern["first_slot"] + int(slots[trace.contents[one.move, lane]])
                total, moves = found.get((one.stage, slot), (_F(0), []))
                # The tables' view is that of the side that did not move: its error is -error, and
                # Adam goes against the gradient.
                found[one.stage, slot] = total + _F(one.error), [*moves, one.move]
    return found


def _corrections(beta1: float, beta2: float, longest: int) -> npt.NDArray[np.float32]:
    """Corrections of Adam's start by steps, until they are 1, for at least some."""
    count = min(longest, _LONGEST_START - 1)
    powers = [np.cumprod(np.full(count, float(_F(beta)))) for beta in (beta1, beta2)]
    found = (np.sqrt(1.0 - powers[1]) / (1.0 - powers[0])).astype(np.float32)
    ones = np.flatnonzero(found == 1.0)
    if len(ones):
        found = found[: ones[0] + 1]
    return np.concatenate([np.zeros(1, np.float32), found])


def _rounded(weight: np.float32) -> int:
    return int(weight * _F(256) + _F(32768.5))


def updates_text(updates: Sequence[EntryUpdate], top: int = 20) -> str:
    """:func:`replay_updates` for people: the largest changes."""
    lines = [f"{len(updates)} weights change"]
    for one in updates[:top]:
        moves = ", ".join(str(move + 1) for move in one.moves)
        lines.append(
            f"{entry_text(one.entry)}; {one.visits} visits (move {moves}), gradient "
            f"{one.gradient:+.3f}, step {one.steps}"
        )
    return "\n".join(lines + [f"... and {len(updates) - top} more"] * (len(updates) > top))
