"""The exact solver of Blob's last cards, against a slow one that shares nothing with it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from ludus import _core
from ludus.errors import GameError
from ludus.games import blob_endgame
from ludus.games.blob_cards import Table
from ludus.games.registry import get_game


class Slow:
    """max^n over whole positions of the rules, in fractions, without memory or equal cards."""

    def __init__(self, state: _core.State) -> None:
        self.players = Table.of(state).players
        self.bids = Table.of(state).bids

    def chances(self, state: _core.State) -> list[Fraction]:
        """Of making each bid, best play; ties are played with equal probability."""
        if state.kind != "decision":
            table = Table.of(state)
            made = zip(table.won, table.bids, strict=True)
            return [Fraction(int(won == bid)) for won, bid in made]
        behind = [self.behind(state, action) for action in state.legal().tolist()]
        best = max(values[state.seat] for values in behind)
        kept = [values for values in behind if values[state.seat] == best]
        return [
            sum((values[seat] for values in kept), Fraction(0)) / len(kept)
            for seat in range(self.players)
        ]

    def behind(self, state: _core.State, action: int) -> list[Fraction]:
        """The same behind an action."""
        after = state.copy()
        after.apply(action)
        return self.chances(after)

    def points(self, chances: list[Fraction]) -> list[float]:
        """What the chances are worth to each seat."""
        return [
            float(chance) * (10 + int(bid or 0))
            for chance, bid in zip(chances, self.bids, strict=True)
        ]


def packed(state: _core.State) -> npt.NDArray[np.uint8]:
    """One row, ``u8[1, state_size]``."""
    return np.frombuffer(state.packed(), np.uint8)[None]


def played(spec: str, deal: int, plies: int, rng: np.random.Generator) -> _core.State:
    """A round after so many random decisions."""
    state = _core.game(spec).initial()
    state.apply_outcome(state.draw(deal))
    for _ in range(plies):
        state.apply(int(rng.choice(state.legal())))
    return state


@pytest.mark.parametrize(
    ("players", "cards", "played_cards"), [(3, 3, 0), (3, 4, 3), (4, 2, 0), (4, 3, 3), (5, 2, 1)]
)
def test_agrees_with_brute_force(players: int, cards: int, played_cards: int) -> None:
    rng = np.random.default_rng(players)
    spec = f"blob:players={players},cards={cards}"
    solver = _core.BlobEndgame(_core.game(spec))
    partial = 0
    for deal in range(12):
        state = played(spec, deal, players + played_cards + deal % 2, rng)
        slow = Slow(state)
        found = solver.values(packed(state))[0]
        exact = slow.points(slow.chances(state))
        np.testing.assert_allclose(found[:players], exact, atol=1e-7)
        np.testing.assert_array_equal(found[players:], 0.0)
        values = solver.action_values(packed(state))[0]
        assert np.flatnonzero(~np.isnan(values)).tolist() == state.legal().tolist()
        for action in state.legal().tolist():
            own = slow.points(slow.behind(state, action))[state.seat]
            assert values[action] == pytest.approx(own, abs=1e-7)
        shares = [value / (10 + int(bid or 0)) for value, bid in zip(exact, slow.bids, strict=True)]
        partial += any(0.0 < share < 1.0 for share in shares)
    assert partial  # some positions hang on ties


def test_names_of_cards_do_not_matter() -> None:
    """Suits that change places change nothing: ties are not broken by numbers of cards."""
    entry = get_game("blob:players=4,cards=4")
    solver = _core.BlobEndgame(entry.rules)
    hands = "AsKh5h2d/Qs5sJd3c/Th4c3d9h/QhKcAdKs"
    line = f"play 4x4h 3 0 1,1,1,0 0,0,0,0 0,0,0,0 {hands} - -,-,-,- 0:-"
    swapped = line.translate(str.maketrans("shdc", "dcsh"))
    values = [solver.values(packed(entry.parse_position(one)))[0] for one in (line, swapped)]
    np.testing.assert_allclose(values[0], values[1], atol=1e-9)


def test_worlds_are_what_the_seat_thinks_possible() -> None:
    """The mean is that over deals drawn by hand, and hidden cards do not change a bit of it."""
    spec = "blob:players=3,cards=2,dealer=free"
    rules = _core.game(spec)
    rng = np.random.default_rng(3)
    state = played(spec, 8, 3, rng)
    seat, table = state.seat, Table.of(state)
    others = [other for other in range(3) if other != seat]
    unseen = [card for card in range(52) if not table.hands[seat] >> card & 1]
    drawn, worlds = [], []
    for _ in range(400):
        cards = [int(card) for card in rng.permutation(unseen)[:4]]
        row = packed(state).copy()
        hands = row[:, :64].view(np.uint64)
        for other, two in zip(others, (cards[:2], cards[2:]), strict=True):
            hands[0, other] = sum(1 << card for card in two)
        worlds.append(row[0])
        world = rules.state(row.tobytes())
        slow = Slow(world)
        drawn.append([slow.points(slow.behind(world, a))[seat] for a in state.legal().tolist()])
    found = blob_endgame.world_values(rules, packed(state), 4000)
    mean, error = np.mean(drawn, axis=0), np.std(drawn, axis=0) / 20.0
    assert error.max() > 0.0
    np.testing.assert_array_less(np.abs(found[0][state.legal()] - mean), 4.0 * error + 0.05)
    same = blob_endgame.world_values(rules, np.stack(worlds[:20]), 50)
    np.testing.assert_array_equal(same, np.repeat(same[:1], 20, axis=0))
    known = blob_endgame.open_values(rules, np.stack(worlds[:20]))
    assert (known[:, state.legal()] != known[:1, state.legal()]).any()


def test_judge() -> None:
    rng = np.random.default_rng(5)
    spec = "blob:players=4,cards=4"
    rules = _core.game(spec)
    states, actions = [], []
    for deal in range(20):
        state = played(spec, deal, 0, rng)
        while state.kind == "decision":
            states.append(packed(state)[0])
            actions.append(int(rng.choice(state.legal())))
            state.apply(actions[-1])
    rows, chosen = np.stack(states), np.array(actions, np.int32)
    judged = blob_endgame.suites(rules)["judge"](rows, chosen)
    values = blob_endgame.suites(rules)["action_values"](rows)
    for i, row in enumerate(rows):
        state = rules.state(row.tobytes())
        late = state.decision_kind == 1 and blob_endgame.cards_held(rows)[i] <= blob_endgame.JUDGED
        assert np.isnan(values[i]).all() == (not late)
        assert judged["ignored"][i] == (not late or len(state.legal()) == 1)
        if not judged["ignored"][i]:
            regret = np.nanmax(values[i]) - values[i, chosen[i]]
            assert judged["regret"][i] == pytest.approx(regret, abs=1e-6)
            assert judged["matched"][i] == (regret < 1e-6)
    assert 0.05 < judged["regret"][~judged["ignored"]].mean() < 2.0
    best = np.where(np.isnan(values).all(axis=1), 0, np.nan_to_num(values, nan=-1.0).argmax(axis=1))
    assert blob_endgame.judge_plays(rules, rows, best.astype(np.int32))["regret"].max() == 0.0


def test_refusals() -> None:
    rng = np.random.default_rng(1)
    rules = _core.game("blob:players=5,cards=7")
    solver = _core.BlobEndgame(rules)
    early = played("blob:players=5,cards=7", 1, 5, rng)
    with pytest.raises(GameError, match="at most 24 cards in all hands together; this one has 35"):
        solver.values(packed(early))
    bidding = played("blob:players=5,cards=7", 1, 2, rng)
    with pytest.raises(GameError, match="is no card to play"):
        solver.action_values(packed(bidding))
    late = played("blob:players=5,cards=7", 1, 35, rng)
    with pytest.raises(GameError, match="at least one world"):
        solver.world_values(packed(late), np.zeros(1, np.uint64), 0)
    with pytest.raises(GameError, match="is for Blob, not for yatzy"):
        _core.BlobEndgame(_core.game("yatzy"))
