"""Tripwires on the course of a run: pure functions of figures of earlier iterations and this one.

Each compares with the median of the last five iterations that are comparable: one bad iteration
does not hide the next, and a change of the knobs is no regression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ludus.replay import Finding

LAST = 5
"""Earlier iterations that are compared with."""

_LEAST = 3
"""Earlier iterations without which nothing is said."""

SLOW = 0.5
"""Share of the median speed below which play has become slow."""

COLLAPSE = 0.25
"""Share of the median entropy below which the policy has collapsed."""

ILLEGAL_GROWTH = 0.3
"""Probability on illegal actions over the median that is a mismatch of masks."""

History = Sequence[Mapping[str, Any]]
"""Records of finished iterations as in ``run.json``, oldest first."""


def _before(history: History, part: str, name: str, same: Mapping[str, Any]) -> list[float]:
    """Values of the last iterations whose knobs are the same."""
    found = []
    for entry in history:
        figures = entry.get(part) or {}
        value = figures.get(name)
        knobs = entry.get("selfplay") or {}
        if isinstance(value, int | float) and all(knobs.get(k) == v for k, v in same.items()):
            found.append(float(value))
    return found[-LAST:]


def throughput(history: History, now: Mapping[str, Any]) -> list[Finding]:
    """Games or leaves a second far below what they were, under equal budgets and lanes.

    Args:
        history: earlier iterations.
        now: figures of this iteration's self-play, as in its record.
    """
    same = {key: now.get(key) for key in ("budgets", "lanes")}
    found = []
    for name, words in (("games_per_second", "games/s"), ("leaves_per_second", "leaves/s")):
        value = now.get(name)
        before = _before(history, "selfplay", name, same)
        if not isinstance(value, int | float) or len(before) < _LEAST:
            continue
        usual = median(before)
        if value < SLOW * usual:
            found.append(
                Finding(
                    "throughput",
                    "warning",
                    f"self-play made {value:.4g} {words}, under {SLOW:.0%} of the "
                    f"{usual:.4g} that were usual (median of {len(before)} iterations with the "
                    "same budgets and lanes)",
                    figures={name: float(value), "median": usual},
                )
            )
    return found


LEAST_ROOTS = 32
"""Sampled roots of an iteration, below which their mean entropy is not judged."""


def policy_collapse(history: History, now: Mapping[str, Any], floor: float) -> list[Finding]:
    """Policies that have lost their breadth: at sampled roots, or in targets all at once.

    Args:
        history: earlier iterations.
        now: this iteration's record: ``audit`` (``target_entropy``, ``target_max``) and
            ``selfplay`` (``policy_entropy``, ``policy_max``), where they were measured.
        floor: mean entropy in nats that roots must have.
    """
    roots, audit = now.get("selfplay") or {}, now.get("audit") or {}
    looked_at = roots.get("sampled_roots")
    if isinstance(looked_at, int) and looked_at < LEAST_ROOTS:
        roots = {**roots, "policy_entropy": None}  # a mean of so few is mostly chance
    entropy, largest = roots.get("policy_entropy"), roots.get("policy_max")
    if isinstance(entropy, int | float) and entropy < floor:
        return [
            Finding(
                "policy_collapse",
                "warning",
                f"policies at sampled roots have a mean entropy of {entropy:.4f} nats, below the "
                f"floor of {floor:g} (mean largest share {largest:.1%})",
                figures={"policy_entropy": float(entropy), "policy_max": float(largest or 0.0)},
            )
        ]
    for part, name, largest_name, what in (
        (audit, "target_entropy", "target_max", "policy targets"),
        (roots, "policy_entropy", "policy_max", "policies at sampled roots"),
    ):
        value, top = part.get(name), part.get(largest_name)
        key = "audit" if part is audit else "selfplay"
        same = {"budgets": roots.get("budgets")}
        before = _before(history, key, name, same)
        if not isinstance(value, int | float) or len(before) < _LEAST:
            continue
        usual = median(before)
        if value < COLLAPSE * usual:
            return [
                Finding(
                    "policy_collapse",
                    "warning",
                    f"{what} fell to a mean entropy of {value:.4f} nats from {usual:.4f} (median "
                    f"of {len(before)} iterations; mean largest share {float(top or 0.0):.1%})",
                    figures={name: float(value), "median": usual},
                )
            ]
    return []


def illegal_growth(history: History, mass: float | None) -> list[Finding]:
    """Probability that the raw network puts on illegal actions, grown at once.

    Nothing trains the logits of illegal actions, so their mass is no fault in itself and drifts;
    a jump says that the masks of play and of training differ.

    Args:
        history: earlier iterations.
        mass: of this iteration, in [0, 1]; None where it was not measured.
    """
    before = _before(history, "audit", "illegal_mass", {})
    if mass is None or len(before) < _LEAST:
        return []
    usual = median(before)
    if mass <= usual + ILLEGAL_GROWTH:
        return []
    return [
        Finding(
            "illegal_mass",
            "warning",
            f"the network puts {mass:.1%} of its probability on illegal actions, {usual:.1%} was "
            f"usual (median of {len(before)} iterations): masks of play and training may differ",
            figures={"illegal_mass": mass, "median": usual},
        )
    ]


def asymmetry(differences: Mapping[str, float], limit: float) -> list[Finding]:
    """Symmetrical positions that the network judges differently.

    Args:
        differences: as of ``ludus.training.network_audit.symmetry_differences``; may be empty.
        limit: mean difference of values past which it is told.
    """
    mean = differences.get("symmetry_value_difference")
    if mean is None or mean <= limit:
        return []
    return [
        Finding(
            "symmetry",
            "warning",
            f"values of symmetrical positions differ by {mean:.3f} on average and "
            f"{differences['symmetry_value_difference_max']:.3f} at most (limit {limit:g})",
            figures=dict(differences),
        )
    ]
