"""Measuring Ludus itself: benchmarks against goals and earlier selves, profiles of a recipe."""

from ludus.measure.figures import Figure, Goal, calibrate, in_turns, turns

__all__ = ["Figure", "Goal", "calibrate", "in_turns", "turns"]
