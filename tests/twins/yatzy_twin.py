"""Scandinavian Yatzy for two seats in slow, plain Python, written from the rules alone.

Nothing here is fast and nothing shares code or tables with `ludus._core`. Positions are lists and
sets, dice are sorted tuples of faces 1..6, fractions are exact. Randomness is Philox4x32-10 after
the paper (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
"""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections import Counter
from fractions import Fraction

CATEGORIES = (
    *("ones", "twos", "threes", "fours", "fives", "sixes", "pair", "two_pairs", "three_kind"),
    *("four_kind", "small_straight", "large_straight", "house", "chance", "yatzy"),
)
BEST_SCORE = (5, 10, 15, 20, 25, 30, 12, 22, 18, 24, 15, 20, 28, 30, 50)
ROLLS = tuple(itertools.combinations_with_replacement(range(1, 7), 5))  # class id -> sorted dice
CLASS_OF = {dice: index for index, dice in enumerate(ROLLS)}

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF
CHANCE = 1  # purpose of the stream of a game's own dice


# ---- randomness ------------------------------------------------------------


def philox4x32(counter: tuple[int, ...], key: tuple[int, int], rounds: int = 10) -> tuple[int, ...]:
    """One block of Philox4x32: four words of counter and two of key give four random words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        high0, low0 = divmod(0xD2511F53 * c0, 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 1 << 32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = (k0 + 0x9E3779B9) & MASK32
        k1 = (k1 + 0xBB67AE85) & MASK32
    return c0, c1, c2, c3


def mix64(x: int) -> int:
    """One output of SplitMix64 from state x (Steele, Lea, Flood, OOPSLA 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & MASK64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK64
    return x ^ (x >> 31)


class Stream:
    """The counter-based stream of (seed, purpose, game, ply, event)."""

    def __init__(self, seed: int, purpose: int, game: int = 0, ply: int = 0, event: int = 0):
        key = mix64(mix64(mix64(seed) ^ purpose) ^ game)
        self.key = (key & MASK32, key >> 32)
        self.ply, self.event = ply, event
        self.block = 0
        self.words: list[int] = []

    def next_u32(self) -> int:
        if not self.words:
            self.words = list(philox4x32((self.ply, self.event, self.block, 0), self.key))
            self.block += 1
        return self.words.pop(0)

    def next_u64(self) -> int:
        high = self.next_u32()
        return high << 32 | self.next_u32()

    def uniform(self) -> float:
        return (self.next_u64() >> 11) / 2**53

    def positive_uniform(self) -> float:
        return ((self.next_u64() >> 12) + 0.5) / 2**52

    def below(self, bound: int) -> int:
        """Lemire's unbiased integer: rejects words whose low half is under 2^32 mod bound."""
        while True:
            high, low = divmod(self.next_u32() * bound, 1 << 32)
            if low >= (1 << 32) % bound:
                return high


def derive_seed(seed: int, purpose: int, index: int) -> int:
    return mix64(mix64(mix64(seed) ^ purpose << 32) ^ index)


# ---- scores ------------------------------------------------------------


@functools.cache
def score(dice: tuple[int, ...], category: int) -> int:
    """Points of five dice in a category, without the bonus."""
    name = CATEGORIES[category]
    copies = Counter(dice)
    at_least = lambda n: sorted((face for face, k in copies.items() if k >= n), reverse=True)  # noqa: E731
    if category < 6:
        return sum(face for face in dice if face == category + 1)
    if name == "pair":
        return 2 * at_least(2)[0] if at_least(2) else 0
    if name == "two_pairs":
        return 2 * sum(at_least(2)) if len(at_least(2)) == 2 else 0
    if name == "three_kind":
        return 3 * at_least(3)[0] if at_least(3) else 0
    if name == "four_kind":
        return 4 * at_least(4)[0] if at_least(4) else 0
    if name == "small_straight":
        return 15 if set(dice) == {1, 2, 3, 4, 5} else 0
    if name == "large_straight":
        return 20 if set(dice) == {2, 3, 4, 5, 6} else 0
    if name == "house":
        return sum(dice) if sorted(copies.values()) == [2, 3] else 0
    if name == "chance":
        return sum(dice)
    return 50 if len(copies) == 1 else 0


def kept_dice(dice: tuple[int, ...], mask: int) -> tuple[int, ...]:
    """The dice that a keep mask holds: bit (4 - i) keeps dice[i]."""
    return tuple(face for i, face in enumerate(dice) if mask >> (4 - i) & 1)


@functools.cache
def lowest_mask(dice: tuple[int, ...], mask: int) -> int:
    kept = kept_dice(dice, mask)
    return min(m for m in range(32) if kept_dice(dice, m) == kept)


@functools.cache
def roll_beside(kept: tuple[int, ...]) -> dict[int, Fraction]:
    """Class of the five dice -> probability, by rolling the missing dice in every ordered way."""
    rolled = 5 - len(kept)
    ways: Counter[int] = Counter()
    for faces in itertools.product(range(1, 7), repeat=rolled):
        ways[CLASS_OF[tuple(sorted(kept + faces))]] += 1
    return {outcome: Fraction(n, 6**rolled) for outcome, n in ways.items()}


# ---- positions ------------------------------------------------------------


class YatzyTwin:
    """One game. `kind` is "chance", "decision" or "terminal"; seat 0 begins."""

    def __init__(self) -> None:
        self.marked: list[dict[int, int]] = [{}, {}]  # by seat: category -> points, bonus apart
        self.bonus = [0, 0]
        self.seat = 0
        self.rolls_done = 0  # of this turn
        self.dice: tuple[int, ...] | None = None  # None until the roll has fallen
        self.kept: tuple[int, ...] = ()

    def copy(self) -> YatzyTwin:
        return copy.deepcopy(self)

    @property
    def kind(self) -> str:
        if all(len(card) == 15 for card in self.marked):
            return "terminal"
        return "chance" if self.dice is None else "decision"

    @property
    def rerolls(self) -> int:
        """Rerolls left; at a chance event those left after the coming roll."""
        return 2 - self.rolls_done if self.dice is None else 3 - self.rolls_done

    def upper(self, seat: int) -> int:
        return min(63, sum(points for c, points in self.marked[seat].items() if c < 6))

    def total(self, seat: int) -> int:
        return sum(self.marked[seat].values()) + self.bonus[seat]

    def free(self, seat: int) -> list[int]:
        return [c for c in range(15) if c not in self.marked[seat]]

    def legal(self) -> list[int]:
        keeps = list(range(31)) if self.rerolls > 0 else []
        return keeps + [32 + c for c in self.free(self.seat)]

    def search_actions(self) -> list[int]:
        assert self.dice is not None
        return [a for a in self.legal() if a >= 32 or lowest_mask(self.dice, a) == a]

    def canonical(self, action: int) -> int:
        assert self.dice is not None
        return action if action >= 32 else lowest_mask(self.dice, action)

    def apply(self, action: int) -> None:
        if action not in self.legal():
            raise ValueError(f"action {action} is illegal")
        assert self.dice is not None
        if action < 32:
            self.kept = kept_dice(self.dice, action)
        else:
            before = self.upper(self.seat)
            self.marked[self.seat][action - 32] = score(self.dice, action - 32)
            if before < 63 <= self.upper(self.seat):
                self.bonus[self.seat] = 50
            self.seat = 1 - self.seat
            self.kept = ()
            self.rolls_done = 0
        self.dice = None

    def outcomes(self) -> dict[int, Fraction]:
        """Class of the five dice after the roll -> probability."""
        return roll_beside(self.kept)

    def apply_outcome(self, outcome: int) -> None:
        assert self.dice is None
        self.dice = ROLLS[outcome]
        self.kept = ()
        self.rolls_done += 1

    def draw(self, seed: int) -> int:
        """The coming roll: the first k of five values keyed by (episode, seat, round, roll)."""
        round_index = len(self.marked[self.seat])
        stream = Stream(seed, CHANCE, 0, round_index, 3 * self.seat + self.rolls_done)
        five = [stream.below(6) + 1 for _ in range(5)]
        return CLASS_OF[tuple(sorted(self.kept + tuple(five[: 5 - len(self.kept)])))]

    def returns(self) -> tuple[int, int]:
        mine, other = self.total(0), self.total(1)
        sign = (mine > other) - (mine < other)
        return sign, -sign

    def margins(self) -> tuple[float, float]:
        margin = math.tanh((self.total(0) - self.total(1)) / 60)
        return margin, -margin

    def observe(self, viewer: int) -> list[float]:
        """The 96 features of the encoder yatzy_v1, in the order of its layout comment."""
        seats = (viewer, 1 - viewer)
        out: list[float] = []
        for face in range(1, 7):
            count = self.dice.count(face) if self.dice is not None else 0
            out += [float(count >= n) for n in range(1, 6)]
        rerolls = 2 if self.kind == "terminal" else self.rerolls
        out += [float(rerolls == n) for n in range(3)]
        for seat in seats:
            out += [float(c in self.free(seat)) for c in range(15)]
        for c in range(15):
            usable = self.dice is not None and c in self.free(viewer)
            out.append(score(self.dice, c) / BEST_SCORE[c] if usable else 0.0)  # type: ignore[arg-type]
        for seat in seats:
            upper = self.upper(seat)
            par = sum(3 * (c + 1) for c in range(6) if c in self.marked[seat])
            reach = sum(5 * (c + 1) for c in range(6) if c not in self.marked[seat])
            out += [upper / 63, float(upper >= 63), (upper - par) / 20]
            out.append(max(0, 63 - upper - reach) / 63)
        mine, other = self.total(viewer), self.total(1 - viewer)
        out += [mine / 300, other / 300, (mine - other) / 100]
        out += [math.tanh((mine - other) / 20), math.tanh((mine - other) / 60)]
        out += [len(self.free(seat)) / 15 for seat in seats]
        out += [float(self.seat == viewer), float(viewer), 0.0]
        return out


@functools.cache
def expected_last_category(
    category: int, upper: int, dice: tuple[int, ...], rerolls: int
) -> tuple[float, dict[int, float]]:
    """Best expected points, bonus included, with one free category left; and those of each action.

    `upper` is the upper total so far (clamped at 63). Keep masks are given by their lowest mask.
    """
    points = score(dice, category)
    bonus = 50 if category < 6 and upper < 63 <= upper + points else 0
    values = {32 + category: float(points + bonus)}
    if rerolls > 0:
        for mask in range(31):
            if lowest_mask(dice, mask) == mask:
                kept = kept_dice(dice, mask)
                values[mask] = expected_after_keep(category, upper, kept, rerolls - 1)
    return max(values.values()), values


@functools.cache
def expected_after_keep(category: int, upper: int, kept: tuple[int, ...], rerolls: int) -> float:
    """Expected points of rolling 5 - len(kept) dice, then going on with `rerolls` left."""
    return math.fsum(
        float(p) * expected_last_category(category, upper, ROLLS[outcome], rerolls)[0]
        for outcome, p in roll_beside(kept).items()
    )
