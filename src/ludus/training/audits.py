"""The audit at the start of the train phase: nothing is learned from data that are wrong.

What it finds goes into the metrics (record ``audit``), the events (``tripwire``), the record of the
iteration and from there into the status. A warning goes on; an error pauses the run before the
learner has seen the games, and again at every start until the data are right.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ludus import _core
from ludus.nets import load_arrays
from ludus.replay import (
    Audit,
    AuditLimits,
    Finding,
    GameRecords,
    TargetRule,
    audit_games,
    audit_results,
)
from ludus.training.health.coverage import distinct_share
from ludus.training.network_audit import (
    audited_rows,
    illegal_mass,
    legal_mask,
    symmetry_differences,
)
from ludus.training.network_session import NetworkSession
from ludus.training.phases import Leave
from ludus.training.tripwires import asymmetry, illegal_growth, policy_collapse, throughput

_STREAM = 1 << 62
"""Where the streams that draw audited games begin; those of training rows do not come so far."""

_MOST_PLIES = 1500
"""Plies after which no further game is derived again: long games must not cost more."""

_KEPT = (
    "target_entropy",
    "target_max",
    "target_share",
    "capped_share",
    "duplicate_share",
    "distinct_positions",
    "calibration_error",
    "illegal_mass",
    "symmetry_value_difference",
    "seconds",
)
"""Figures that go into the record of the iteration, where later ones look for them."""


def sample_games(records: GameRecords, games: int, seed: int, iteration: int) -> GameRecords:
    """Some games drawn by (seed, iteration) alone, ascending; fewer when they are long.

    Args:
        records: to draw from.
        games: how many at most.
        seed: of the run.
        iteration: number of the iteration.
    """
    key = _core.derive_seed(seed, "training", _STREAM + iteration)
    numbers = np.random.Philox(key=key).random_raw(max(1, len(records)))
    order = np.argsort(np.asarray(numbers)[: len(records)], kind="stable")[:games]
    plies = np.cumsum(records.columns["plies"][order])
    return records.take(np.sort(order[: max(1, int(np.searchsorted(plies, _MOST_PLIES)))]))


def audit_iteration(session: NetworkSession) -> None:
    """Audit the games of the iteration in progress and the course of the run.

    Raises:
        Leave: the data are wrong; the run pauses with the first finding as its reason.
    """
    started = time.perf_counter()
    history = [one for one in session.run.iterations if one["iteration"] != session.iteration]
    record = session.record
    training = session.settings.training
    audit = Audit()
    if training.audit_games:
        first = session.settings.selfplay.games_before(session.iteration)
        audit.add(_data(session, session.replay.since(first)))
    known = {name: audit.figures.get(name) for name in _KEPT if name in audit.figures}
    now = {"selfplay": record.get("selfplay"), "audit": known}
    course = throughput(history, record.get("selfplay") or {})
    if not any(finding.tripwire == "policy_collapse" for finding in audit.findings):
        course += policy_collapse(history, now, training.audit_entropy)
    course += illegal_growth(history, audit.figures.get("illegal_mass"))
    audit.add(Audit({"seconds": time.perf_counter() - started}, course))
    record["audit"] = {
        **{name: audit.figures[name] for name in _KEPT if name in audit.figures},
        "findings": [finding.as_json() for finding in audit.findings],
    }
    _tell(session, audit, history[-1] if history else {})
    if audit.errors:
        more = len(audit.errors) - 1
        raise Leave(
            "paused",
            f"wrong data in the games of iteration {session.iteration}, nothing was learned from "
            f"them: {audit.errors[0].text}" + (f" (and {more} more findings)" if more else ""),
        )


def _data(session: NetworkSession, records: GameRecords) -> Audit:
    """Everything that is looked at in the games of this iteration."""
    settings, rules = session.settings, session.rules
    search, training = settings.search, settings.training
    limits = AuditLimits(entropy_floor=training.audit_entropy)
    audit = audit_results(
        rules,
        records,
        limits,
        margin_weight=search.margin_weight,
        trained=session.champion.unit > 0,
    )
    if not len(records):
        return audit
    sample = sample_games(records, training.audit_games, settings.run.seed, session.iteration)
    how = TargetRule(search.c_visit, search.c_scale, search.q_spread)
    games = audit_games(rules, sample, how, limits)
    audit.add(games)
    if games.rows is not None and not games.errors:
        games.figures["distinct_positions"] = distinct_share(games.rows.observations)
        audit.add(_network(session, games.rows))
    return audit


def _network(session: NetworkSession, rows: Any) -> Audit:
    """What the champion, which played these games, says of their positions."""
    load_arrays(session.net, session.champion.weights)
    chosen = audited_rows(len(rows))
    observations = rows.observations[chosen]
    legal = legal_mask(rows, session.rules.num_actions)[chosen]
    differences = symmetry_differences(session.net, observations, legal, session.entry.symmetries)
    mass = illegal_mass(session.net, observations, legal)
    limit = session.settings.training.audit_symmetry
    return Audit({"illegal_mass": mass, **differences}, asymmetry(differences, limit))


def _tell(session: NetworkSession, audit: Audit, previous: dict[str, Any]) -> None:
    """Write the findings where people and readers look; a lasting warning is noted once."""
    session.run.metrics.append(
        "audit",
        iteration=session.iteration,
        errors=len(audit.errors),
        warnings=len(audit.findings) - len(audit.errors),
        **audit.figures,
    )
    lasting = {one["tripwire"] for one in (previous.get("audit") or {}).get("findings", ())}
    for finding in audit.findings:
        session.run.events.append("tripwire", iteration=session.iteration, **_fields(finding))
        if finding.severity == "error" or finding.tripwire not in lasting:
            session.note(f"{finding.severity}: {finding.text}")


def _fields(finding: Finding) -> dict[str, Any]:
    return {"ply": None, "game": None, "figures": {}, **finding.as_json()}
