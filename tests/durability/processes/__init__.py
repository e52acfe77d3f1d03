"""Experiments on processes, time and memory: kills, races, endings, hangs, clocks."""

from __future__ import annotations

from tests.durability.experiment import Experiment
from tests.durability.processes.bugs import BUGS
from tests.durability.processes.clock import clock
from tests.durability.processes.clock import missing as no_clock
from tests.durability.processes.endings import endings
from tests.durability.processes.hangs import hangs
from tests.durability.processes.kills import kill_blob, kill_othello, kill_yatzy
from tests.durability.processes.memory import memory
from tests.durability.processes.once import once
from tests.durability.processes.orders import orders
from tests.durability.processes.points import missing as no_strace
from tests.durability.processes.points import points
from tests.durability.processes.speed import commit_cost, restart
from tests.durability.processes.starts import starts

__all__ = ["BUGS", "EXPERIMENTS"]

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("kills", "R1, R6: SIGKILL at any moment, Othello", kill_othello),
    Experiment("kills_yatzy", "R1, R6: SIGKILL at any moment, Yatzy", kill_yatzy),
    Experiment("kills_blob", "R1, R6: SIGKILL at any moment, Blob", kill_blob),
    Experiment("endings", "P2: nothing is left, however it ends", endings),
    Experiment("hangs", "P3: hanging trainers are replaced", hangs),
    Experiment("points", "R1: SIGKILL at calls of commits", points, no_strace),
    Experiment("once", "R7: every game once, time-limited play", once),
    Experiment("orders", "P13: each order obeyed once, real trainings", orders),
    Experiment("clock", "P5: clocks that jump", clock, no_clock),
    Experiment("starts", "P1: eight starts at once, one wins", starts),
    Experiment("memory", "P7, P8: caps of caches, too little memory", memory),
    Experiment("restart", "R12: seconds to the first new game", restart, alone=True),
    Experiment("commit_cost", "R13: time that commits take", commit_cost, alone=True),
)
