"""Ladders: rating games between a run's champions and fixed players, apart from promotion games.

Batch after batch of seed pairs goes to the pairing that is expected to tell most about all ratings
(:mod:`ludus.arena.schedule`). Seeds of a pairing follow from the ladder's seed, both players' keys
and a running number: no game is played twice, whenever and however often the ladder goes on, and
no two pairings share their luck.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ludus.arena.calibration import held_out, held_out_calibration
from ludus.arena.finished import distinct_warning
from ludus.arena.ladder_file import LadderDocument, LadderEntry, LadderFile, finite
from ludus.arena.match import Match
from ludus.arena.pairings import quarters_text
from ludus.arena.playing import MatchSettings
from ludus.arena.ratings import Ratings, rate
from ludus.arena.results import GameTable
from ludus.arena.schedule import design_effect, next_pairing
from ludus.arena.seeds import SeedSet
from ludus.errors import PlayerError, RunError, UserError
from ludus.games import GameEntry
from ludus.players import Player, player_of_run
from ludus.players.identity import Identity, identify, weights_digest
from ludus.runs import Run
from ludus.runs.models import has_model

BATCH_PAIRS = 32
"""Seed pairs of a batch."""

FIRST_PAIRS = 8
"""Pairs of the first batch of a pairing where a game has no chance: it may be one game for ever."""

CHAMPIONS = 6
"""Champions that play, spread over the run's history."""

_CHAMPION = re.compile(r"(?:champion|tables)-(\d+)\.safetensors$")


@dataclass(frozen=True)
class Contender:
    """A player of a ladder, ready to play."""

    entry: LadderEntry
    player: Player


def champion_units(run: Run) -> list[int]:
    """Units of the champions of a run's committed history, ascending."""
    paths = {entry.get("best_model_path") for entry in run.iterations}
    objects = run.manifest.objects
    paths |= {objects[name].path for name in ("first", "champion") if name in objects}
    found = {int(match[1]) for path in paths if path and (match := _CHAMPION.search(path))}
    return sorted(unit for unit in found if has_model(run.path, str(unit)))


def spread(units: Sequence[int], count: int) -> list[int]:
    """First, newest, and others evenly between them, at most ``count`` of ascending units."""
    if count < 1:
        return []
    if len(units) <= count:
        return list(units)
    if count == 1:
        return [units[-1]]
    places = np.linspace(0, len(units) - 1, count).round().astype(int)
    return [units[i] for i in sorted(set(places.tolist()))]


def champions(
    run: Run, entry: GameEntry, count: int, *, simulations: int | None = None
) -> list[Contender]:
    """Champions of a run, spread over its history.

    Args:
        run: open for reading; it may be in training.
        entry: its game.
        count: how many at most.
        simulations: of a decision; None for the run's own.

    Raises:
        RunError: the run has no champion yet.
    """
    found = []
    overrides = {} if simulations is None else {"simulations": [simulations]}
    for unit in spread(champion_units(run), count):
        player = player_of_run(
            entry, run.path, model=str(unit), overrides=overrides, name=f"champion-{unit}"
        )
        weights = weights_digest(run.path, str(unit))
        identity = Identity.of(entry.rules, player, "search", weights=weights)
        label = f"champion-{unit}" + ("" if simulations is None else f":sims={simulations}")
        found.append(Contender(LadderEntry(identity.key, label, "champion", unit, weights), player))
    if count and not found:
        raise RunError(f"{run.path} has no champion yet; let it finish its first iteration")
    return found


def anchors(entry: GameEntry) -> list[str]:
    """Names of a game's fixed players: random, then its own, the solitaire opponent last."""
    strongest = str(entry.suites["opponent"]()) if "opponent" in entry.suites else None
    own = sorted(entry.players, key=lambda name: (name == strongest, name))
    return ["random", *own]


def contender(spec: str, entry: GameEntry, kind: str) -> Contender:
    """A player by its specification.

    Raises: as :func:`ludus.players.parse_player`.
    """
    player, identity = identify(spec, entry)
    return Contender(LadderEntry(identity.key, spec, kind, None, identity.weights), player)


def default_anchor(entry: GameEntry, contenders: Sequence[Contender]) -> str:
    """Label of the player that has the start value.

    The game's weakest own fixed player (a fixed measure that players of runs can lose to and win
    from); without one the run's first champion; without that, whoever plays.
    """
    labels = {one.entry.label: one for one in contenders}
    for name in anchors(entry)[1:]:
        if name in labels:
            return name
    units = [one for one in contenders if one.entry.unit is not None]
    first = min(units, key=lambda one: one.entry.unit or 0) if units else contenders[0]
    return first.entry.label


class Ladder:
    """Plays batches of rating games and keeps their results.

    Args:
        file: of the run, locked.
        document: its content.
        entry: the game.
        contenders: who plays; at least two.
        settings: how to play; always paired.

    Raises:
        UserError: fewer than two players.
    """

    def __init__(
        self,
        file: LadderFile,
        document: LadderDocument,
        entry: GameEntry,
        contenders: Sequence[Contender],
        settings: MatchSettings,
    ) -> None:
        self.document = document
        self.pairs_played = 0
        self._file = file
        self._entry = entry
        self._settings = settings
        self._players: dict[str, Player] = {}
        for one in contenders:
            stored = document.enter(one.entry)
            self._players[stored.label] = one.player
        if len(self._players) < 2:
            raise UserError("a ladder needs at least two different players")
        self._keys = {entry.label: key for key, entry in document.players.items()}

    @property
    def labels(self) -> list[str]:
        """Players that play in this session, in order."""
        return list(self._players)

    def choose(self, pairs: int) -> tuple[str, str] | None:
        """Labels of the pairing that is worth the next batch; None if nothing new can be played."""
        table = self.document.table()
        closed = {
            frozenset(self.document.players[key].label for key in (pairing.a, pairing.b))
            for pairing in self.document.pairings.values()
            if pairing.exhausted
        }
        effect = design_effect(table) if table.pairings else 1.0
        return next_pairing(table, self.labels, 2 * pairs, closed=closed, effect=effect)

    def play(
        self, labels: tuple[str, str], pairs: int, *, tell: Callable[[int], None] | None = None
    ) -> int:
        """Play one batch of a pairing to its end and store it.

        Args:
            labels: the players.
            pairs: at most so many seed pairs.
            tell: called now and then with the games of the batch that are finished.

        Returns: pairs that were played.

        Raises: what a player raised; nothing of the batch is stored then.
        """
        pairing = self.document.pairing(*(self._keys[label] for label in labels))
        lines = self._entry.match_openings()
        if not self._entry.rules.has_chance and lines is None and not pairing.seeds:
            pairs = min(pairs, FIRST_PAIRS)
        names = [self.document.players[key].label for key in (pairing.a, pairing.b)]
        seeds = self._seeds(pairing.a, pairing.b, pairing.seeds, pairs)
        if lines is not None:  # a pairing goes on where it stopped in the list
            lines = np.roll(lines, -pairing.seeds, axis=0)
        started = time.monotonic()
        match = Match(
            self._entry.rules,
            self._players[names[0]],
            self._players[names[1]],
            seeds,
            replace(self._settings, openings=lines),
        )
        with match:
            while match.advance(0.25):
                if tell is not None:
                    tell(match.games_finished)
        result = match.result()
        fresh = _fresh_pairs(match.table, chance=self._entry.rules.has_chance)
        # A game without chance between two that never vary has been seen in whole.
        pairing.exhausted = pairs > 1 and fresh == 1
        kept = fresh if not (pairing.exhausted and pairing.quarters) else 0
        pairing.quarters += quarters_text(result.pair_scores[:kept])
        pairing.copies += pairs - kept
        pairing.seeds += pairs
        pairing.games += result.games
        pairing.distinct_games += result.distinct_games
        pairing.seconds = round(pairing.seconds + time.monotonic() - started, 3)
        self.pairs_played += pairs
        self.save()
        return pairs

    def save(self) -> None:
        """Store the document as it is."""
        self._file.store(self.document)

    def _seeds(self, a: str, b: str, first: int, count: int) -> SeedSet:
        whole = SeedSet.generate(
            self.document.seed, first + count, purpose=f"ladder {a} {b}", start=first
        )
        return SeedSet(f"ladder-{a}-{b}[{first}:{first + count}]", whole.seeds)


def _fresh_pairs(table: GameTable, *, chance: bool) -> int:
    """Pairs of a batch that count: 1 where, without chance, all are copies of the first."""
    digests = table.digests.reshape(-1, 2)
    if chance or len(digests) < 2 or not (digests == digests[0]).all():
        return len(digests)
    return 1


def report(
    document: LadderDocument, *, anchor: str, start: float
) -> tuple[Ratings, dict[str, Any]]:
    """Ratings, calibration and warnings of all that a ladder has played.

    Args:
        document: with at least one game.
        anchor: label of the player with the start value, or ``mean``.
        start: that value.

    Raises:
        UserError: nothing was played, or the anchor has not.
    """
    table = document.table()
    if not table.pairings:
        raise UserError("this ladder has no game yet: give it --minutes or --pairs")
    if anchor != "mean" and anchor not in table.names:
        raise UserError(
            f"the anchor {anchor!r} has played no rating game; there are: mean, "
            f"{', '.join(table.names)}"
        )
    ratings = rate(table, anchor=anchor, start=start)
    rows = held_out(table)
    check = held_out_calibration(table, rows)
    warnings = ratings.sentences()
    for pairing in document.pairings.values():
        a, b = (document.players[key].label for key in (pairing.a, pairing.b))
        if pairing.exhausted:
            warnings.append(
                f"{a} against {b} is always the same game: it counts once, however often it is "
                "played"
            )
            continue
        repeated = distinct_warning(pairing.distinct_games, pairing.games)
        if repeated is not None:
            warnings.append(f"{a} against {b}: {repeated}")
    units = {entry.label: entry for entry in document.players.values()}
    found = ratings.as_json()
    for line in found["players"]:
        entry = units[line["player"]]
        line.update(kind=entry.kind, unit=entry.unit, weights=entry.weights, key=entry.key)
        line["bound_elo"] = ratings.bound(line["player"]) if line["bound_only"] else None
    found.update(
        warnings=warnings,
        held_out={
            "pairings": rows,
            "calibration": None if check is None else check.as_json(),
            "chi_square": sum(row["z"] ** 2 for row in rows),
        },
        games=sum(pairing.games for pairing in document.pairings.values()),
        copies=sum(2 * pairing.copies for pairing in document.pairings.values()),
        seconds=sum(pairing.seconds for pairing in document.pairings.values()),
    )
    found.pop("sentences")
    return ratings, finite(found)


def gather(
    run: Run,
    entry: GameEntry,
    *,
    count: int = CHAMPIONS,
    players: Sequence[str] | None = None,
    simulations: int | None = None,
) -> tuple[list[Contender], list[str]]:
    """Who plays in a run's ladder.

    Args:
        run: open for reading.
        entry: its game.
        count: champions at most.
        players: specifications beside the champions; None for the game's anchors.
        simulations: of the champions.

    Returns: the players, and sentences about anchors that could not be made.

    Raises:
        PlayerError, RunError: a player that was asked for does not exist; no champion yet.
    """
    found = champions(run, entry, count, simulations=simulations)
    said = []
    if players is not None:
        found += [contender(spec, entry, "given") for spec in players]
    else:
        for name in anchors(entry):
            try:
                found.append(contender(name, entry, "anchor"))
            except PlayerError as error:
                said.append(f"the anchor {name} does not play: {error}")
    unique = {one.entry.key: one for one in reversed(found)}
    return [one for one in found if unique[one.entry.key] is one], said
