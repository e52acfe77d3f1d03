"""Experiments on the disk: what is written, what is read back, and what a disk may do to it."""

from __future__ import annotations

from tests.durability.bugs import Bug
from tests.durability.experiment import Experiment
from tests.durability.storage import (
    flips,
    formats,
    full_disk,
    power,
    size,
    syscalls,
    tails,
    training,
)
from tests.durability.storage.seeded import SEEDED
from tests.durability.storage.tracing import no_strace

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "syscalls",
        "R4, R9: every system call of a commit may fail",
        syscalls.run,
        missing=no_strace,
    ),
    Experiment(
        "syscalls_training",
        "R4, R9: the same in trainings of Othello",
        training.run,
        missing=no_strace,
    ),
    Experiment("power", "R2: the power goes at any moment", power.run, missing=power.missing),
    Experiment("full_disk", "R8: the disk is full at every step of a save", full_disk.run),
    Experiment("flips", "R5: every flipped byte and every cut of a file is noticed", flips.run),
    Experiment("formats", "R11: older runs are read, newer ones left alone", formats.run),
    Experiment("size", "P9: a run and its logs stay within what is promised", size.run),
    Experiment("tails", "R10: torn logs keep their whole lines and go on", tails.run),
)

BUGS: tuple[Bug, ...] = SEEDED
