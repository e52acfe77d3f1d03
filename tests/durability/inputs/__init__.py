"""Experiments on what comes from outside: hostile files, fuzz, names, numbers, commands."""

from __future__ import annotations

from tests.durability.bugs import Bug
from tests.durability.experiment import Experiment
from tests.durability.inputs import (
    commands,
    fuzz,
    hostile,
    listeners,
    names,
    numbers,
    sanitizers,
    status,
)
from tests.durability.inputs.seeded import BUGS as _BUGS

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("hostile", "S1: hostile files are refused and run no code", hostile.run),
    Experiment("source-gate", "S2: no source that could run what a file says", hostile.run_gate),
    Experiment("fuzz", "S4: parsers refuse what is damaged, and never crash", fuzz.run),
    Experiment(
        "listeners", "S5: nothing listens to other machines", listeners.run, listeners.missing
    ),
    Experiment("names", "S9: names and log lines are shown as text", names.run),
    Experiment("status", "P15: status, summary and metrics are never torn", status.run),
    Experiment("numbers", "P10: NaN is found and undone", numbers.run, numbers.missing),
    Experiment("commands", "P13: each command is obeyed once, over kills", commands.run),
    Experiment("sanitizers", "P16: no report of a sanitizer", sanitizers.run, sanitizers.missing),
)

BUGS: tuple[Bug, ...] = _BUGS
