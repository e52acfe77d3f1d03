"""Othello's search: ten midgames to depth 12, exact endgames with pattern tables, and without.

Time is that of one thread; beside it two threads in the same turns. ``LUDUS_OTHELLO_TABLES`` names
a run, a checkpoint or a file of ``models/`` whose tables are used, as does ``--tables`` when this
file is run by itself; without it tables are trained for some seconds. The figures say which. With
``LUDUS_PEER_EDAX`` set to an executable of Edax, beside Edax too, its start left out.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from ludus import _core
from ludus.evaluators.tables import TableEvaluator
from ludus.games.othello_position import Discs, parse_position, position_text
from ludus.games.othello_problems import Problem, problems
from ludus.games.othello_search import Analysis, OthelloSearch
from ludus.measure import Figure, Goal, in_turns

TABLES = "LUDUS_OTHELLO_TABLES"
PEER = "LUDUS_PEER_EDAX"

DEPTH = 12
GAMES = 30_000
"""Of self-play that tables are learned from where none are given."""

MIDGAMES_GOAL, ENDGAMES_GOAL = 1.0, 1 / 20
"""Sets a second: all ten midgames in a second, FFO 40 to 44 in twenty; of trained tables. Tables
that know little order moves badly, and a midgame takes ten times the nodes."""

_CPU = re.compile(r"\(cpu =\s*(\d+):(\d+\.\d+)")


@cache
def tables() -> tuple[_core.PatternTables, str]:
    """The tables, and which they are."""
    source = os.environ.get(TABLES)
    if source:
        return TableEvaluator(source).tables, source
    learner = _core.TdLearner(seed=1, batch=512, sample_every=0, trace_lambda=0.7, cut=False)
    learner.train(GAMES, 1e9, threads=1, rate=0.05, epsilon=0.15, opening=0)
    return learner.tables, f"{GAMES:,} games of self-play"


def midgames() -> list[_core.State]:
    """The stored positions."""
    path = Path(__file__).parents[1] / "tests" / "data" / "othello_midgames.txt"
    lines = path.read_text(encoding="ascii").splitlines()
    return [parse_position(line) for line in lines if not line.startswith("#")]


class Searches:
    """All positions of a set, one after the other, each from nothing.

    Attributes:
        answers: of the last turn.
        cpu: seconds of the processor that it took.
    """

    def __init__(self, states: Sequence[_core.State], depth: int, threads: int = 1) -> None:
        self._search = OthelloSearch(tables()[0])
        self._states, self._depth, self._threads = states, depth, threads
        self.answers: list[Analysis] = []
        self.cpu = 0.0

    def __call__(self) -> float:
        """One turn: one set."""
        begun = time.process_time()
        self.answers = []
        for state in self._states:
            self._search.forget()
            self.answers.append(
                self._search.analyse(
                    state,
                    depth=self._depth,
                    endgame=0,
                    threads=self._threads,
                )
            )
        self.cpu = time.process_time() - begun
        return 1.0

    def describe(self, figure: Figure) -> Figure:
        """Add what the last turn was."""
        nodes = sum(answer.nodes for answer in self.answers)
        figure.extra |= {
            "seconds": round(1.0 / figure.median, 3),
            "cpu_seconds": round(self.cpu, 3),
            "nodes": f"{nodes:,}",
            "million_nodes_per_cpu_second": round(nodes / self.cpu / 1e6, 1),
            "table_hit_rate": round(
                sum(answer.hit_rate for answer in self.answers) / len(self.answers), 3
            ),
            "tables": tables()[1],
        }
        return figure


class Edax:
    """Edax on a set of positions; its processor time, since it cannot be asked in turns.

    Attributes:
        cpu: seconds of the processor that the last set took, its start left out.
    """

    def __init__(self, path: Path, states: Sequence[_core.State], level: int) -> None:
        self._home = path.parent.parent if (path.parent.parent / "data").is_dir() else path.parent
        self._command = [str(path), "-n", "1", "-level", str(level), "-verbose", "1"]
        self._command += ["-book-usage", "off", "-h", "21", "-solve"]
        self._lines = "".join(f"{position_text(state)};\n" for state in states)
        self.cpu = 0.0

    def __call__(self) -> float:
        """One turn: one set."""
        with tempfile.NamedTemporaryFile("w", suffix=".obf") as file:
            file.write(self._lines)
            file.flush()
            done = subprocess.run(
                [*self._command, file.name],
                cwd=self._home,
                capture_output=True,
                text=True,
                check=True,
            )
        found = _CPU.findall(done.stdout)
        if not found:
            raise RuntimeError(f"Edax said no time: {done.stdout[-200:]}")
        minutes, seconds = found[-1]
        self.cpu = 60 * int(minutes) + float(seconds)
        return 1.0


def solver(asked: Sequence[Problem]) -> Callable[[], float]:
    """The exact solver without tables, on positions; returns how many it solved."""

    def work() -> float:
        oracle = _core.OthelloEndgame(megabytes=16)  # what an earlier turn found out is no use here
        for problem in asked:
            discs = Discs.of(problem.state)
            sides = (discs.black, discs.white)[:: -1 if discs.seat else 1]
            if oracle.solve(*sides) != problem.score:
                raise RuntimeError(f"problem {problem.number} is solved wrong")
        return float(len(asked))

    return work


def checked(searches: Searches, asked: Sequence[Problem]) -> None:
    """Raise unless all answers of the last turn are right."""
    for problem, answer in zip(asked, searches.answers, strict=True):
        sign = 1 if Discs.of(problem.state).seat == 0 else -1
        if not answer.exact or sign * answer.score != problem.score:
            raise RuntimeError(f"problem {problem.number} is solved wrong: {answer.text()}")


def measure(quick: bool) -> list[Figure]:
    """Sets a second, each with its rival of two threads."""
    hard = [one for one in problems(20 if quick else 23) if one.number >= 40]
    states = [one.state for one in hard]
    stored = midgames()
    one, two = Searches(stored, DEPTH), Searches(stored, DEPTH, threads=2)
    trained = bool(os.environ.get(TABLES))
    figures = [
        one.describe(
            in_turns(
                f"othello: ten midgames to depth {DEPTH}",
                "sets/s",
                one,
                against=("two threads", two),
                quick=quick,
                goal=Goal(MIDGAMES_GOAL) if trained else None,
            )
        )
    ]
    first, second = Searches(states, 60), Searches(states, 60, threads=2)
    title = f"othello: FFO {' '.join(str(problem.number) for problem in hard)} exactly"
    goal = Goal(ENDGAMES_GOAL) if trained and not quick else None
    figures.append(
        first.describe(
            in_turns(
                title, "sets/s", first, against=("two threads", second), quick=quick, goal=goal
            )
        )
    )
    checked(first, hard)
    checked(second, hard)
    figures.append(
        in_turns(
            "othello: FFO 1 to 19 exactly, without tables",
            "positions/s",
            solver([problem for problem in problems() if problem.number <= 19]),
            quick=quick,
        )
    )
    if peer := os.environ.get(PEER):
        for figure, mine, level, positions in (
            (figures[0], one, DEPTH, stored),
            (figures[1], first, 60, states),
        ):
            edax = Edax(Path(peer), positions, level)
            edax()
            mine()
            figure.extra["edax_cpu_seconds"] = edax.cpu
            figure.extra["times_edax"] = round(edax.cpu / mine.cpu, 2)
    return figures


def main() -> int:
    """From the command line: ``--tables`` and ``--quick``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", help="a run, a checkpoint or a file of pattern tables")
    parser.add_argument("--quick", action="store_true", help="three turns, FFO 40 only")
    asked = parser.parse_args()
    if asked.tables:
        os.environ[TABLES] = str(Path(asked.tables).resolve())
    from ludus.cli.main import main as ludus

    return ludus(["bench", "othello_search", *(["--quick"] if asked.quick else [])])


if __name__ == "__main__":
    sys.exit(main())
