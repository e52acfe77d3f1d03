"""TD(lambda) on pattern tables: batches of self-play, learned from in the order of the games.

The arithmetic is compiled (``cpp/patterns/td.h``: method and sources). Here are its options, sums,
and the learner's state as arrays. Threads and interruptions change nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import VersionError
from ludus.games.othello_search import DEEPEST
from ludus.games.pattern_tables import described, fold
from ludus.learners.td_average import TableAverage
from ludus.learners.td_options import TdOptions
from ludus.learners.td_sums import Repair, TdSums, Visits

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Played:
    """What a call of :meth:`TdLearner.train` did.

    Attributes:
        differences: of each game in order, black's discs less white's, i8[games].
        plies: of each game, passes left out, u8[games].
        batches: number of them.
        sums: over all of it.
        seconds: mean of the threads' time at work.
        transcripts: of sampled games, by number.
        repairs: of entries, the first hundred of each thread and batch.
    """

    differences: npt.NDArray[np.int8]
    plies: npt.NDArray[np.uint8]
    batches: int
    sums: TdSums
    seconds: float
    transcripts: dict[int, str] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()


LEAST_TABLE = 2**16
"""Bytes of the smallest transposition table that self-play shrinks to."""

_SQUARES = tuple(f"{file}{rank}" for rank in range(1, 9) for file in "abcdefgh")
_FIELDS = ("weight", "first", "second", "steps")
"""What is kept of an entry: its weight in discs, Adam's moments, Adam's steps."""


class TdLearner:
    """Tables under training.

    Attributes:
        options: see there and :meth:`configure`.
        tables: as they are now; they may be asked from any thread.
        rate: Adam's step in discs of the newest batch.
        epsilon: share of random moves of the newest batch.
        search: how moves are found, with the present size of its tables; None: one move ahead.
        average: the mean of the tables, see :mod:`ludus.learners.td_average`; of nothing before
            ``TdOptions.average_every`` games, and for ever if that is 0.
    """

    def __init__(self, options: TdOptions, seed: int) -> None:
        """Neutral tables.

        Args:
            options: of play and learning.
            seed: of the random moves, with the numbers of the games.

        Raises:
            UserError, GameError: as of :meth:`TdOptions.pattern_set`.
        """
        self.options = options
        self.patterns = options.pattern_set()
        self._core = _core.TdLearner(
            self.patterns,
            seed=seed,
            batch=options.batch_games,
            sample_every=options.sample_every,
            trace_lambda=options.trace_lambda,
            cut=options.cut,
            clip=options.error_clip,
            beta1=options.beta1,
            beta2=options.beta2,
            adam_epsilon=options.adam_epsilon,
        )
        self.search = options.search
        self._threads = 0
        self._set_search()
        self.rate = options.learning_rate(0)
        self.epsilon = options.epsilon(0)
        self.average = TableAverage(self.parameters)

    def configure(self, options: TdOptions) -> None:
        """Go on with other options of play: schedules, openings, the search.

        Those of learning, and patterns, stay those of the birth.
        """
        if options.search != self.options.search:
            self.search = options.search
            self._set_search()
        self.options = options

    def _set_search(self) -> None:
        search = self.search
        if search is None:
            self._core.look_one_ply()
            return
        self._core.search_with(
            DEEPEST if search.depth is None else search.depth,
            search.milliseconds / 1000.0,
            search.endgame,
            search.table_bytes,
        )

    def shrink(self) -> int:
        """Halve the transposition tables of self-play, from now on.

        A batch that was begun is played again. Searches that find less in their table take longer
        and may choose other moves.

        Returns: bytes of a table now; 0 where there is none or it is as small as is sensible.
        """
        if self.search is None or self.search.table_bytes < 2 * LEAST_TABLE:
            return 0
        self.search = replace(self.search, table_bytes=self.search.table_bytes // 2)
        self._set_search()
        return self.search.table_bytes

    @property
    def games(self) -> int:
        """Games learned from; whole batches."""
        return int(self._core.games)

    @property
    def tables(self) -> _core.PatternTables:
        """As they are now."""
        tables: _core.PatternTables = self._core.tables
        return tables

    @property
    def parameters(self) -> int:
        """Weights, foldings counted once."""
        return int(self.patterns.slots) * int(self.patterns.stages)

    def train(self, until: int, *, seconds: float = 1e9, threads: int = 1) -> Played:
        """Play and learn.

        Args:
            until: at least so many games in all; the last batch is whole.
            seconds: about so long; a batch that is not finished goes on with the next call.
            threads: that play and learn; they change no result.
        """
        options, begun = self.options, time.monotonic()
        self._threads = max(self._threads, threads)
        sums = TdSums()
        scores: list[npt.NDArray[np.int8]] = []
        plies: list[npt.NDArray[np.uint8]] = []
        transcripts: dict[int, str] = {}
        repairs: list[Repair] = []
        busy, batches = 0.0, 0
        while self.games < until:
            left = seconds - (time.monotonic() - begun)
            if left <= 0.0:
                break
            first = self.games
            self.rate, self.epsilon = options.learning_rate(first), options.epsilon(first)
            found = self._core.train(
                first + options.batch_games,
                left,
                epsilon=self.epsilon,
                opening=options.opening,
                rate=self.rate,
                threads=threads,
            )
            busy += found["busy_seconds"] / threads
            repairs += [
                Repair(one["pattern"], one["stage"], one["contents"], one["weight"])
                for one in found["repairs"]
            ]
            if not found["games"]:
                continue
            batches += 1
            every = options.average_every
            if every and self.games // every > first // every:
                self.average.add(self.entries()[0][:, 0].view(np.float32))
            scores.append(found["scores"])
            plies.append(found["lengths"])
            apart = found["scores"].astype(np.int64)
            sums.add(
                TdSums(
                    games=len(apart),
                    plies=int(found["lengths"].sum()),
                    draws=int((apart == 0).sum()),
                    wins=int((apart > 0).sum()),
                    differences=float(apart.sum()),
                    difference_squares=float((apart * apart).sum()),
                    updates=int(found["steps"]),
                    errors=float(found["error"]),
                    error_squares=float(found["error_squares"]),
                    values=float(found["value"]),
                    value_squares=float(found["value_squares"]),
                    fresh=int(found["fresh"]),
                    **found["search"],
                )
            )
            for sample in found["samples"]:
                transcripts[int(sample["number"])] = "".join(
                    _SQUARES[action] for action in sample["actions"] if action < len(_SQUARES)
                )
        return Played(
            differences=np.concatenate(scores) if scores else np.empty(0, np.int8),
            plies=np.concatenate(plies) if plies else np.empty(0, np.uint8),
            batches=batches,
            sums=sums,
            seconds=busy,
            transcripts=transcripts,
            repairs=tuple(repairs),
        )

    # -- state --------------------------------------------------------------------------------

    def state(self) -> Arrays:
        """All that going on needs: what is kept of the entries that were ever updated.

        Returns: ``games`` u64[1], ``averaged`` u64[1] (tables in the mean), ``seen`` u8 (a bit an
            entry, in order), and for the entries seen ``weight``, ``first``, ``second``, ``mean``
            f32, ``steps`` and ``updates`` u32.
        """
        entries, updates = self.entries()
        seen = (updates > 0) | (entries[:, 0].view(np.float32) != 0.0)
        places = np.flatnonzero(seen)  # faster than the mask
        return {
            "games": np.array([self.games], np.uint64),
            "averaged": np.array([self.average.count], np.uint64),
            "mean": self.average.mean[places],
            "seen": np.packbits(seen, bitorder="little"),
            **{
                name: entries[places, column].view(np.float32)
                for column, name in enumerate(_FIELDS[:3])
            },
            "steps": entries[places, 3],
            "updates": updates[places],
        }

    def restore(self, arrays: Arrays) -> None:
        """Go on where :meth:`state` was taken.

        Raises:
            VersionError: of another pattern set, or arrays that do not fit together.
        """
        entries, updates = self.entries()
        try:
            seen = np.unpackbits(arrays["seen"], bitorder="little", count=len(updates))
            places = np.flatnonzero(seen)
            columns = [arrays[name].astype(np.float32).view(np.uint32) for name in _FIELDS[:3]]
            columns.append(arrays["steps"].astype(np.uint32))
            games, counts = int(arrays["games"][0]), arrays["updates"]
            averaged, mean = int(arrays["averaged"][0]), arrays["mean"].astype(np.float32)
        except (KeyError, IndexError, ValueError) as error:
            raise VersionError(f"this is no state of a TD learner: {error}") from error
        if len(arrays["seen"]) != -(-len(updates) // 8) or any(
            len(column) != len(places) for column in (*columns, counts, mean)
        ):
            raise VersionError("the learner's state is that of another pattern set")
        entries[:], updates[:] = 0, 0
        for number, column in enumerate(columns):
            entries[places, number] = column
        updates[places] = counts
        self.average = TableAverage(self.parameters)
        self.average.mean[places], self.average.count = mean, averaged
        self._core.restore(games)

    def begin(self, weights: Arrays) -> None:
        """Start from the tables of another training: their weights, no moments, no games.

        Raises:
            VersionError: of another pattern set.
        """
        folded = weights.get("weights")
        shape = (int(self.patterns.stages), int(self.patterns.slots))
        if folded is None or folded.shape != shape:
            raise VersionError(
                f"these tables are {None if folded is None else folded.shape}, those of this "
                f"pattern set {shape}"
            )
        entries, updates = self.entries()
        entries[:], updates[:] = 0, 0
        discs = (folded.astype(np.float32).reshape(-1) - 32768.0) / 256.0
        entries[:, 0] = discs.view(np.uint32)
        self.average = TableAverage(self.parameters)
        self._core.restore(0)

    def entries(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        """Views of entries ``u32[n, 4]`` (floats as their bits) and of updates ``u32[n]``."""
        entries, updates = self._core.entries(), self._core.updates()
        return entries.reshape(-1, 4), updates.reshape(-1)

    # -- tables -------------------------------------------------------------------------------

    def model(self) -> Arrays:
        """``weights`` u16[stages, slots], folded by the patterns' own symmetries.

        They are the mean of the tables, or as long as there is none the tables as they are.
        """
        if not self.average.count:
            return {"weights": fold(self.patterns, self.tables.all())}
        return {"weights": self.average.table().reshape(int(self.patterns.stages), -1)}

    def about(self) -> dict[str, Any]:
        """JSON that says what the tables of :meth:`model` are."""
        return {
            "patterns": [
                {
                    "name": pattern["name"],
                    "squares": [_SQUARES[square] for square in pattern["placements"][0]],
                }
                for pattern in described(self.patterns)
            ],
            "patterns_digest": self.patterns.digest,
            "stages": int(self.patterns.stages),
        }

    def visits(self) -> Visits:
        """How much of the tables has been learned."""
        _, updates = self.entries()
        seen, total = int(np.count_nonzero(updates)), int(updates.sum(dtype=np.int64))
        return Visits(seen / len(updates), total / len(updates), total / max(1, seen))

    def memory(self) -> dict[str, int]:
        """Bytes of the parts, by name; ``adam_state`` has weights and moments."""
        found = self._core.bytes()
        each = 0 if self.search is None else self.search.table_bytes
        return {
            "pattern_tables": int(found["tables"]),
            "adam_state": int(found["entries"]),
            "update_counts": int(found["updates"]),
            "average": self.average.mean.nbytes,
            "games_in_hand": int(found["games"]),
            "transposition_tables": self._threads * each,
        }
