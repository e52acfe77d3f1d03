"""The run's rating by its evaluation games: Elo, for more than two seats openskill's points.

Champions and fixed opponents are rated together (:mod:`ludus.arena.ratings`,
:mod:`ludus.arena.skill`) after every evaluation, by all of the committed history. Promotion games
and self-play rate nobody. All evaluations use the same seeds, so their luck is shared between
pairings, which Elo's errors take into account; a pairing that was played again on the same seeds is
the same games, and counts once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ludus.arena import Ratings, ResultTable, rate
from ludus.arena.ladder import anchors
from ludus.arena.pairings import quarters_scores
from ludus.arena.skill import ELO, OPENSKILL, DealResults, Skills, rate_deals
from ludus.games import GameEntry
from ludus.training.session import Session
from ludus.training.view import rating_unit

MOST_PAIRS_KEPT = 256
"""Evaluations of more pairs keep counts of scores only, not the score of every pair; those of more
deals keep, and are rated by, the first so many."""

_FIT_LIMIT = 300  # pairings up to which the fit of the model is looked at in training
_TABLE_LIMIT = 64  # lines of a record of metrics


class _Names:
    """Readable names that two different players never share."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def of(self, name: str, key: str) -> str:
        """The name, with the beginning of the key where another player has it already."""
        if self._keys.setdefault(name, key) == key:
            return name
        longer = f"{name}#{key[:6]}"
        self._keys[longer] = key
        return longer

    def champion(self, model: Mapping[str, Any], evaluate: Mapping[str, Any]) -> str:
        """Name of a champion, with the evaluation's own simulations and worlds."""
        own = (("sims", evaluate.get("simulations")), ("worlds", evaluate.get("worlds")))
        budget = "".join(f":{name}={number}" for name, number in own if number is not None)
        return self.of(f"champion-{model['unit']}{budget}", str(model["sha256"]))


def _meetings(
    iterations: Sequence[Mapping[str, Any]], kept: Collection[str]
) -> tuple[list[tuple[str, str, Mapping[str, Any]]], str | None]:
    """All matches of a history that count, as (champion, opponent, result), and the last champion.

    Args:
        iterations: entries of ``run.json``; those without an evaluation, or with one of a version
            that kept nothing of its units, add nothing.
        kept: what a result must have, one of them.
    """
    found: list[tuple[str, str, Mapping[str, Any]]] = []
    names, own = _Names(), None
    seen: set[tuple[frozenset[str], str]] = set()
    for entry in iterations:
        evaluate = entry.get("evaluate") or {}
        model = evaluate.get("model")
        if model is None:
            continue
        own = names.champion(model, evaluate)
        for spec, result in (evaluate.get("results") or {}).items():
            who = result.get("player")
            if who is None or not any(result.get(key) for key in kept):
                continue
            other = (
                names.champion(who, evaluate) if "unit" in who else names.of(spec, str(who["key"]))
            )
            meeting = (frozenset((own, other)), result["seeds_hash"])
            if own == other or meeting in seen:
                continue
            seen.add(meeting)
            found.append((own, other, result))
    return found, own


def results_of(
    iterations: Sequence[Mapping[str, Any]], *, chance: bool
) -> tuple[ResultTable, str | None]:
    """All evaluation games of a history, of two seats.

    Args:
        iterations: entries of ``run.json``.
        chance: whether the game has chance; without it, pairs that are all alike count once.

    Returns: the table, and the name of the champion evaluated last in it, if any was.
    """
    table = ResultTable()
    meetings, own = _meetings(iterations, ("quarters", "pentanomial"))
    for champion, other, result in meetings:
        _enter(table, champion, other, result, chance=chance)
    return table, own


def deals_of(iterations: Sequence[Mapping[str, Any]]) -> tuple[DealResults, str | None]:
    """All evaluation deals of a history, of more than two seats.

    Returns: the deals, and the name of the champion evaluated last in them, if any was.
    """
    results = DealResults()
    meetings, own = _meetings(iterations, ("outcomes",))
    for champion, other, result in meetings:
        results.add(champion, other, result["outcomes"], result["seeds_hash"])
    return results, own


def _enter(
    table: ResultTable, own: str, other: str, result: Mapping[str, Any], *, chance: bool
) -> None:
    quarters = result.get("quarters")
    if quarters is None:
        table.add_pentanomial(own, other, result["pentanomial"])
        return
    scores = quarters_scores(quarters)
    if not chance and result["distinct_games"] <= 2:
        scores = scores[:1]
    table.add_pairs(own, other, scores, seeds=result["seeds_hash"])


def choose_anchor(wanted: str, names: Collection[str], entry: GameEntry, before: str | None) -> str:
    """The player that has the start value, the same through a run's life where it can be.

    Args:
        wanted: setting ``evaluation.rating_anchor``: an opponent, ``first``, ``mean``, ``auto``.
        names: players with results so far.
        entry: the game; ``auto`` takes the weakest of its own fixed players that has played, else
            the first champion that was met.
        before: the anchor of earlier ratings.
    """
    firsts = [name for name in names if re.fullmatch(r"champion-0([:#].*)?", name)]
    first = firsts[0] if firsts else "mean"
    if wanted != "auto":
        return first if wanted == "first" else wanted if wanted in names else "mean"
    if before in names:
        assert before is not None
        return before
    return next((name for name in anchors(entry)[1:] if name in names), first)


def latest(iterations: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The newest rating of a history; None before the first."""
    for entry in reversed(iterations):
        found = (entry.get("evaluate") or {}).get("rating")
        if found is not None:
            return dict(found)
    return None


def elo_of(iterations: Sequence[Mapping[str, Any]], sha256: str) -> float | None:
    """The rating of the champion with these weights, if it was measured and is no bound."""
    for entry in reversed(iterations):
        evaluate = entry.get("evaluate") or {}
        found = evaluate.get("rating")
        if found is not None and evaluate["model"]["sha256"] == sha256:
            return float(found["elo"]) if found["standing"] == "rated" else None
    return None


def rate_run(session: Session) -> dict[str, Any] | None:
    """Rate the run after the evaluation in ``session.record``, and tell everybody.

    Writes ``rating`` into the record of the evaluation and a record ``rating`` into the metrics.
    A fall is told by the alert rule ``elo_regression``.

    Returns: the rating of the champion; None where no game rates it.
    """
    run = session.run
    history = run.iterations
    evaluate = session.record["evaluate"]
    before = latest(history)
    if not evaluate.get("results"):
        return None
    settings = session.settings.evaluation
    known = None if before is None else str(before["anchor"])
    ratings: Ratings | Skills
    sentences: list[str] = []
    if session.rules.num_seats > 2:
        results, name = deals_of(history)
        if name is None or name not in results.names:
            return None
        anchor = choose_anchor(settings.rating_anchor, results.names, session.entry, known)
        ratings = rate_deals(results, anchor=anchor, start=settings.rating_start)
        games = results.deals
    else:
        table, name = results_of(history, chance=session.rules.has_chance)
        if name is None or name not in table.names:
            return None
        anchor = choose_anchor(settings.rating_anchor, table.names, session.entry, known)
        ratings = rate(table, anchor=anchor, start=settings.rating_start)
        games = sum(row.games for row in table)
        if len(table.pairings) <= _FIT_LIMIT:
            sentences = ratings.sentences()
    found = _champion(ratings, name, before)
    evaluate["rating"] = found
    run.metrics.append(
        "rating",
        iteration=session.iteration,
        model=session.champion.unit,
        **found,
        players=[line.as_json() for line in ratings.lines[:_TABLE_LIMIT]],
        games=games,
        sentences=sentences,
    )
    return found


def _champion(
    ratings: Ratings | Skills, name: str, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    line = ratings.rating(name)
    found: dict[str, Any] = {
        "player": name,
        "rating_kind": OPENSKILL if isinstance(ratings, Skills) else ELO,
        "elo": line.elo,
        "elo_se": line.error,
        "standing": line.standing,
        "bound": ratings.bound(name),
        "anchor": ratings.anchor,
        "start": ratings.start,
        "before": None,
        "change": None,
        "change_se": None,
    }
    earlier = before["player"] if before is not None else None
    if earlier is None or earlier not in ratings.names or line.elo is None:
        return found
    # Both from the same fit: the number published then knew fewer games.
    old = ratings.rating(earlier)
    if old.elo is None:
        return found
    change, error = ratings.difference(name, earlier)
    rated = old.standing == line.standing == "rated"
    found.update(
        before={
            "player": earlier,
            "elo": old.elo,
            "elo_se": old.error,
            "standing": old.standing,
        },
        change=change,
        change_se=error if rated else None,
    )
    return found


def seen_change(found: Mapping[str, Any]) -> float | None:
    """By how much the rating has changed, in Elo points; None where that was not seen.

    A number that is only a bound has been seen to move in the direction of the bound alone.
    """
    before, change = found.get("before"), found.get("change")
    if before is None or change is None or before["standing"] != "rated":
        return None
    sure = {"rated": True, "at most": change < 0, "at least": change > 0}
    return float(change) if sure.get(found["standing"]) else None


def fall_text(iterations: Sequence[Mapping[str, Any]]) -> str | None:
    """The newest change of the rating for people, with both numbers; None if there was none."""
    found = latest(iterations)
    change = None if found is None else seen_change(found)
    if found is None or change is None:
        return None
    before, error = found["before"], found["change_se"]
    return (
        f"the rating {'fell' if change < 0 else 'rose'} by {abs(change):.0f} "
        f"{rating_unit(found)} points"
        + ("" if error is None else f" (+- {error:.0f})")
        + f": {before['player']} had {before['elo']:.0f}, {found['player']} has "
        f"{found['elo']:.0f}"
    )
