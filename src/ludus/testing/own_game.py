"""What a game in plain Python must do, checked on random playouts in sentences that teach."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np

from ludus.games import Game
from ludus.testing.own_extras import check_hidden, check_players, check_symmetries, check_texts
from ludus.testing.own_facts import check_facts
from ludus.testing.referee import Position, Referee, is_int
from ludus.testing.states import difference

_TRIED = 24
"""Actions of a position that are tried out at most."""

View = dict[str, Any]
"""What a game says about a state: the question, such as ``legal()``, and its answer."""


def check_own_game(game: Game, *, games: int = 12, seed: int = 0) -> None:
    """Play random games and check at every position what the house relies on.

    Args:
        game: the rules.
        games: random playouts.
        seed: of the playouts; a failure names it, so it can be repeated.

    Raises:
        AssertionError: a sentence that says what is wrong, in which method, at which ply of which
            playout, and what would be right.
    """
    referee = Referee(game, seed)
    check_facts(referee)
    chances = 0
    for number in range(games):
        referee.at(number, 0)
        start = referee.position(referee.call("initial"), "initial()")
        again = referee.position(referee.call("initial"), "initial()")
        found = difference(start.state, again.state)
        referee.require(
            found is None,
            f"initial() gave two different starts ({found}): every game begins the same way, so "
            "put a deal or a roll into a chance event at the start",
        )
        path, result = _playout(referee, start, number)
        chances += sum(method == "apply_outcome" for method, _ in path)
        fresh = referee.position(referee.call("initial"), "initial()")
        _replay(referee, fresh, path, result, number)
    referee.where = f"playouts of seed {seed}"
    referee.require(
        chances > 0 or game.max_outcomes == 0,
        f"max_outcomes is {game.max_outcomes}, but no playout met a chance event: set it to 0, or "
        "let turn() give CHANCE where dice or cards fall",
    )
    check_symmetries(referee, games)


def _playout(
    referee: Referee, position: Position, number: int
) -> tuple[list[tuple[str, int]], list[float]]:
    """One random game; its events and its result by seat."""
    game = referee.game
    chooser = random.Random(f"{referee.seed}/{number}")
    path: list[tuple[str, int]] = []
    plies = 0
    after_chance = False
    while True:
        referee.at(number, plies)
        view = look(referee, position)
        turn = view["turn()"]
        if turn == game.OVER:
            referee.require(bool(path), "initial() is over already: turn() gives OVER at the start")
            returns: list[float] = view["returns()"]
            return path, returns
        if turn == game.CHANCE:
            referee.require(
                not after_chance,
                "a chance event follows another: merge them into one that has an outcome for each "
                "combination",
            )
            ids, weights = zip(*view["outcomes()"], strict=True)
            event = ("apply_outcome", chooser.choices(ids, weights)[0])
            _check_effects(referee, position, "apply_outcome", list(ids))
        else:
            legal = view["legal()"]
            check_texts(referee, position, legal)
            check_players(referee, position, legal, plies)
            _check_effects(referee, position, "apply", legal, chooser)
            event = ("apply", chooser.choice(legal))
            plies += 1
            referee.require(
                plies <= game.max_plies,
                f"the game goes on after max_plies = {game.max_plies} decisions: raise max_plies "
                "to the longest game, or let turn() give OVER",
            )
        after_chance = turn == game.CHANCE
        path.append(event)
        state = referee.ask(event[0], position, event[1])
        position = referee.position(state, f"{event[0]}()")


def _replay(
    referee: Referee,
    position: Position,
    path: list[tuple[str, int]],
    result: list[float],
    number: int,
) -> None:
    """The same events again, from a fresh start, must be possible and end the same way."""
    plies = 0
    for method, event in path:
        referee.at(number, plies)
        turn = referee.ask("turn", position)
        chance = turn == referee.game.CHANCE
        possible = (
            []
            if turn == referee.game.OVER
            else [int(i) for i, _ in referee.ask("outcomes", position)]
            if chance
            else [int(a) for a in referee.ask("legal", position)]
        )
        referee.require(
            event in possible and chance == (method == "apply_outcome"),
            f"the same game played again comes out differently: {method}(state, {event}) was "
            "possible here the first time; initial() and apply() must depend on nothing but what "
            "they are given, so put dice and deals into outcomes()",
        )
        position = referee.position(referee.ask(method, position, event), f"{method}()")
        plies += method == "apply"
    referee.at(number, plies)
    over = referee.ask("turn", position) == referee.game.OVER
    again = [float(value) for value in referee.ask("returns", position)] if over else None
    referee.require(
        again == result,
        f"the same game played again comes out differently: returns() gave {result} and then "
        f"{again}; nothing may be remembered in the game from one call to the next",
    )


def look(referee: Referee, position: Position) -> View:
    """All answers about a state, checked, and asked twice."""
    view = _read(referee, position)
    for question, answer in _read(referee, position).items():
        before = view[question]
        same = answer == before
        if isinstance(answer, np.ndarray):
            same = np.array_equal(answer, before)
            before = answer = "other numbers"
        referee.require(
            bool(same),
            f"{question} gave {before} and then {answer} for the same state: an answer must follow "
            "from the state alone (no random module, no counter, no memory in the game)",
        )
    return view


def _read(referee: Referee, position: Position) -> View:
    game = referee.game
    turn = referee.ask("turn", position)
    seats = " or ".join(str(seat) for seat in range(game.num_seats))
    referee.require(
        is_int(turn) and (0 <= turn < game.num_seats or turn in (game.CHANCE, game.OVER)),
        f"turn() gave {turn!r}; it must give the seat to move ({seats}), CHANCE or OVER",
    )
    view: View = {"turn()": int(turn)}
    if turn == game.CHANCE:
        view["outcomes()"] = _outcomes(referee, position)
        view["chance_seat()"] = seat = referee.ask("chance_seat", position)
        referee.require(
            is_int(seat) and 0 <= seat < game.num_seats,
            f"chance_seat() gave {seat!r}; it must give the seat whose dice or cards these are "
            f"({seats})",
        )
    elif turn == game.OVER:
        view["returns()"] = _by_seat(referee, position, "returns")
    else:
        view["legal()"] = _legal(referee, position)
    view["scores()"] = _by_seat(referee, position, "scores")
    if turn == game.OVER:
        _check_end(referee, view["returns()"], view["scores()"])
    for seat in range(game.num_seats):
        view[f"observe(state, {seat})"] = _observation(referee, position, seat)
        if game.hidden and hasattr(game, "sample_world"):
            check_hidden(referee, position, seat, view[f"observe(state, {seat})"])
    return view


def _legal(referee: Referee, position: Position) -> list[int]:
    game = referee.game
    answer = referee.ask("legal", position)
    legal = _listed(referee, answer, "legal()", "the legal actions, ascending")
    referee.require(
        len(legal) > 0,
        "legal() gave no action although the game goes on: let turn() give OVER, or add an action "
        "for passing",
    )
    referee.require(
        all(is_int(action) for action in legal), f"legal() must give whole numbers, not {legal!r}"
    )
    ascending = all(a < b for a, b in itertools.pairwise(legal))
    repeated = sorted({int(a) for a in legal if legal.count(a) > 1})
    referee.require(not repeated, f"legal() gave actions {repeated} more than once: {legal}")
    referee.require(ascending, f"legal() must be ascending, as sorted() makes it, not {legal}")
    referee.require(
        legal[0] >= 0 and legal[-1] < game.num_actions,
        f"legal() gave {legal}; actions lie in 0..{game.num_actions - 1}, as num_actions = "
        f"{game.num_actions} says",
    )
    most = game.num_actions if game.max_legal is None else game.max_legal
    referee.require(
        len(legal) <= most,
        f"legal() gave {len(legal)} actions, but max_legal says at most {most}: raise max_legal "
        "(None stands for num_actions)",
    )
    return [int(action) for action in legal]


def _outcomes(referee: Referee, position: Position) -> list[tuple[int, float]]:
    game = referee.game
    referee.require(
        game.max_outcomes > 0,
        "turn() gave CHANCE, but max_outcomes is 0: set it to the number of outcomes",
    )
    what = "pairs (outcome, probability)"
    pairs = _listed(referee, referee.ask("outcomes", position), "outcomes()", what)
    referee.require(len(pairs) > 0, f"outcomes() is empty; it must give {what}")
    good = all(isinstance(p, tuple | list) and len(p) == 2 and is_int(p[0]) for p in pairs)
    referee.require(good, f"outcomes() must give {what}, not {pairs[:3]!r}")
    ids = [int(outcome) for outcome, _ in pairs]
    referee.require(
        min(ids) >= 0 and max(ids) < game.max_outcomes,
        f"outcomes() gave the outcomes {min(ids)}..{max(ids)}; they lie in "
        f"0..{game.max_outcomes - 1}, as max_outcomes = {game.max_outcomes} says",
    )
    referee.require(len(set(ids)) == len(ids), f"outcomes() names an outcome twice: {ids}")
    shares = [float(p) for _, p in pairs]
    referee.require(
        all(p > 0.0 for p in shares),
        f"outcomes() gave a probability that is not above 0 in {shares}: leave that outcome out",
    )
    total = math.fsum(shares)
    referee.require(
        abs(total - 1.0) < 1e-6, f"outcomes() gave probabilities that sum to {total:.6g}, not to 1"
    )
    return list(zip(ids, shares, strict=True))


def _observation(referee: Referee, position: Position, seat: int) -> Any:
    game, what = referee.game, f"observe(state, {seat})"
    answer = referee.ask("observe", position, seat)
    referee.require(answer is not None, f"{what} gave None: return what seat {seat} can see")
    try:
        seen = np.array(answer)
    except ValueError:
        seen = np.array(None)
    made = "as in np.zeros(self.observation_shape, np.float32)"
    fits = seen.dtype == np.float32 if isinstance(answer, np.ndarray) else seen.dtype.kind in "biuf"
    referee.require(fits, f"{what} gave {seen.dtype}; make it an array of float32, {made}")
    shape = tuple(game.observation_shape)
    referee.require(
        seen.shape == shape,
        f"{what} has the shape {seen.shape}, but observation_shape says {shape}",
    )
    seen = seen.astype(np.float32)
    referee.require(bool(np.isfinite(seen).all()), f"{what} holds NaN or infinity")
    return seen


def _by_seat(referee: Referee, position: Position, method: str) -> list[float]:
    """The answer of ``returns`` or ``scores``: a finite number for each seat."""
    game = referee.game
    answer = referee.ask(method, position)
    numbers = _listed(referee, answer, f"{method}()", "a number for each seat")
    referee.require(
        len(numbers) == game.num_seats,
        f"{method}() gave {len(numbers)} numbers; there must be one for each of the "
        f"{game.num_seats} seats",
    )
    try:
        values = [float(number) for number in numbers]
    except (TypeError, ValueError):
        values = [math.nan]
    finite = all(math.isfinite(value) for value in values)
    referee.require(finite, f"{method}() must give finite numbers, not {answer!r}")
    return values


def _check_end(referee: Referee, returns: list[float], scores: list[float]) -> None:
    referee.require(
        all(-1.0 <= value <= 1.0 for value in returns),
        f"returns() gave {returns}; results lie in [-1, 1]: 1 for a win, 0 for a draw, -1 for a "
        "loss, points belong to scores()",
    )
    if referee.game.num_seats != 2:
        return
    referee.require(
        abs(sum(returns)) < 1e-6,
        f"returns() gave {returns}; those of two seats must sum to 0: what one wins, the other "
        "loses",
    )
    ahead = np.sign(round(scores[0] - scores[1], 9))
    referee.require(
        bool(ahead == np.sign(returns[0])),
        f"scores() {scores} and returns() {returns} disagree about who has won: more points must "
        "be better, and equal points a draw",
    )


def _check_effects(
    referee: Referee,
    position: Position,
    method: str,
    events: list[int],
    chooser: random.Random | None = None,
) -> None:
    """Try actions or outcomes: the state must stay, and the same event do the same twice."""
    if len(events) > _TRIED:
        events = (chooser or random.Random(0)).sample(events, _TRIED)
    before = _raw(referee, position.state)
    for event in events:
        what = f"{method}(state, {event})"
        child = referee.position(referee.call(method, position.state, event), what)
        changed = position.change() or _changed(before, _raw(referee, position.state))
        referee.require(
            changed is None,
            f"{what} changed the state it was given ({changed}) instead of making a new one: "
            "copy first, as in board = list(state.board)",
        )
        first = _raw(referee, child.state)
        twin = referee.position(referee.call(method, position.state, event), what)
        found = child.change() or _changed(first, _raw(referee, twin.state))
        referee.require(
            found is None,
            f"{what} led to two different states ({found}): it must follow from the state and the "
            f"{'action' if method == 'apply' else 'outcome'} alone; dice and deals belong into "
            "outcomes()",
        )


def _raw(referee: Referee, state: Any) -> dict[str, Any]:
    """Answers that tell states apart, unchecked."""
    game = referee.game
    found = {"turn()": referee.call("turn", state)}
    if found["turn()"] not in (game.CHANCE, game.OVER):
        legal = referee.call("legal", state)
        found["legal()"] = None if legal is None else list(legal)
    for seat in range(game.num_seats):
        seen = referee.call("observe", state, seat)
        found[f"observe(state, {seat})"] = np.array(seen, copy=True).tolist()
    return found


def _changed(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    for question, answer in one.items():
        if other.get(question) != answer:
            short = [
                text if len(text) < 50 else f"{text[:47]}..."
                for text in (str(answer), str(other.get(question)))
            ]
            return f"{question} gave {short[0]} and then {short[1]}"
    return None


def _listed(referee: Referee, answer: Any, what: str, meant: str) -> list[Any]:
    try:
        return list(answer)
    except TypeError:
        referee.require(False, f"{what} gave {answer!r}; it must give {meant}")
        raise
