"""The tree search in slow, plain Python: what cpp/search must do, one simulation at a time.

It is written from the papers and from the description at the head of cpp/search/tree.h: PUCT
(Silver et al. 2018) below the root; PUCT with noise or Gumbel with sequential halving (Danihelka
et al. 2022) at the root; first-play urgency, virtual loss, chance by quantiles. Numbers are
float32 and sums run in the same order as in C++, so that visit counts agree exactly.

The game itself is `ludus._core.State` (it has a twin of its own).
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from tests.twins.yatzy_twin import Stream, derive_seed, mix64

SEARCH, ACTION = 2, 3  # purposes of random streams
NOISE_EVENT, GUMBEL_EVENT, CAP_EVENT = 0, 1, 2
GOLDEN_RATIO = 0.6180339887498949
F = np.float32

# state, legal search actions -> logits of those actions, values by seat
Evaluate = Callable[[object, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass
class Settings:
    """The settings of `Slots` that the search reads, with its defaults."""

    rule: str = "puct"
    simulations: int = 64
    full_fraction: float = 1.0
    fast_simulations: int = 0
    c_puct: float = 1.25
    fpu_reduction: float = 0.25
    noise_alpha: float = 0.3
    noise_fraction: float = 0.0
    considered: int = 16
    c_visit: float = 50.0
    c_scale: float = 1.0
    q_spread: float = 0.2
    virtual_loss: float = 0.2
    max_inflight: int = 1
    temperature: float = 1.0
    margin_weight: float = 0.0


@dataclass
class Node:
    state: object
    number: int  # nodes made before it, which keys its chance quantiles
    parent: Node | None
    edge: int
    actions: np.ndarray
    visits: int = 0  # evaluations backed up through or at this node
    value_sum: np.float32 = F(0)  # noqa: RUF009 - an immutable scalar
    prior: np.ndarray | None = None
    waiting: bool = True
    terminal: np.ndarray | None = None  # values by seat
    edge_visits: np.ndarray | None = None
    edge_sums: np.ndarray | None = None
    prior_visited: np.float32 = F(0)  # noqa: RUF009
    children: dict[tuple[int, int], Node] = field(default_factory=dict)

    @property
    def seat(self) -> int:
        return self.state.seat  # type: ignore[attr-defined]


def exp_nonpositive(x: np.ndarray) -> np.ndarray:
    """The float32 exponential of cpp/base/softmax.h, operation for operation."""
    clamped = np.maximum(x, F(-87))
    scaled = clamped * F(1.44269504)
    rounded = (scaled + F(12582912.0)) - F(12582912.0)
    r = (clamped - rounded * F(0.693359375)) + rounded * F(2.12194440e-4)
    p = np.full_like(r, F(1.9875691500e-4))
    for coefficient in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1):
        p = p * r + F(coefficient)
    p = p * r + F(5.0000001201e-1)
    p = p * (r * r) + r + F(1)
    return np.where(x < F(-87), F(0), np.ldexp(p, rounded.astype(np.int32))).astype(F)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Uniform if a logit is not finite."""
    if not np.isfinite(logits).all():
        return np.full(len(logits), F(1) / F(len(logits)), F)
    powers = exp_nonpositive(logits.astype(F) - logits.max())
    total = F(0)
    for power in powers:
        total += power
    return powers * (F(1) / total)


def halving(considered: int, budget: int) -> list[int]:
    """Visits that the edge of each simulation has before it (sequential halving)."""
    if considered <= 1:
        return list(range(budget))
    rounds = math.ceil(math.log2(considered))
    asked: list[int] = []
    left, visits = considered, 0
    while len(asked) < budget:
        for _ in range(max(1, budget // (rounds * left))):
            asked += [visits] * left
            visits += 1
        left = max(2, left // 2)
    return asked[:budget]


@functools.cache
def cumulative(probabilities: tuple[float, ...]) -> list[Fraction]:
    """Exact sums of the first one, two, ... probabilities."""
    exact = [Fraction(p).limit_denominator(10_000) for p in probabilities]
    sums = list(itertools.accumulate(exact))
    assert sums[-1] == 1
    return sums


def is_full(settings: Settings, seed: int, game: int, ply: int) -> bool:
    """Playout-cap randomisation: whether a decision gets the whole budget and the noise."""
    if settings.full_fraction >= 1:
        return True
    draw = Stream(seed, SEARCH, game, ply, CAP_EVENT).uniform()
    return draw < float(F(settings.full_fraction))


class SearchTwin:
    """One search from a decision; random numbers follow from (seed, game, ply)."""

    def __init__(
        self, state, settings: Settings, evaluate: Evaluate, seed: int, game: int, ply: int
    ):
        self.settings, self.evaluate = settings, evaluate
        self.seed, self.game, self.ply = seed, game, ply
        self.key = mix64(derive_seed(seed, SEARCH, game) ^ ply)
        self.loss = F(settings.virtual_loss if settings.max_inflight > 1 else 0.0)
        self.nodes = 0
        self.started = self.finished = 0
        self.collisions = self.terminals = self.expansions = self.batches = 0
        self.root = self._new_node(state, None, 0, 0)
        self.full = is_full(settings, seed, game, ply)
        self.budget = settings.simulations if self.full else settings.fast_simulations
        self.asked = halving(min(settings.considered, len(self.root.actions)), self.budget)
        self._expand(self.root)
        self.squares = np.zeros(len(self.root.actions), F)
        self.noised = self.root.prior
        self.gumbel = np.zeros(len(self.root.actions), F)
        self.level = -1
        self._noise()
        self.run()

    # -- the loop: fill a batch with leaves, then answer them in the same order -------------------

    def run(self) -> None:
        budget = self.budget
        while self.finished < budget:
            leaves: list[Node] = []
            while self.started < budget and len(leaves) < self.settings.max_inflight:
                if self._level_ends() and self.started != self.finished:
                    break  # the comparison would see the losses of simulations in flight
                outcome = self._select()
                if outcome == "collision":
                    break
                if outcome is not None:
                    leaves.append(outcome)
            self.batches += bool(leaves)
            for leaf in leaves:
                values = self._expand(leaf)
                self._backup(leaf, values)

    def _level_ends(self) -> bool:
        return self.settings.rule == "gumbel" and self.asked[self.started] != self.level

    def _select(self):
        """A leaf to evaluate, None after a terminal one, or "collision"."""
        self.started += 1
        node = self.root
        while True:
            if node.terminal is not None:
                self.terminals += 1
                self._backup(node, node.terminal)
                return None
            if node.waiting:
                self._give_back(node)
                self.collisions += 1
                return "collision"
            if node.edge_visits is None:
                node.edge_visits = np.zeros(len(node.actions), F)
                node.edge_sums = np.zeros(len(node.actions), F)
            edge = self._root_edge() if node is self.root else self._puct(node, node.prior)
            before = node.edge_visits[edge]
            node.edge_visits[edge] += F(1)
            node.edge_sums[edge] -= self.loss
            if before == 0:
                node.prior_visited += node.prior[edge]
            after = node.state.copy()
            after.apply(int(node.actions[edge]))
            outcome = 0
            if after.kind == "chance":
                offset = (mix64(self.key ^ node.number) >> 11) / 2**53
                outcome = self._outcome_at(after, offset + float(before) * GOLDEN_RATIO)
                after.apply_outcome(outcome)
            child = node.children.get((edge, outcome))
            if child is None:
                child = node.children[edge, outcome] = self._new_node(after, node, edge, outcome)
                if child.terminal is None:
                    return child
            node = child

    def _outcome_at(self, state, quantile: float) -> int:
        quantile -= math.floor(quantile)
        ids, probabilities = state.outcomes()
        return int(ids[bisect.bisect_right(cumulative(tuple(probabilities.tolist())), quantile)])

    # -- nodes -------------------------------------------------------------------------------------

    def _new_node(self, state, parent: Node | None, edge: int, outcome: int) -> Node:
        terminal = state.kind == "terminal"
        actions = np.zeros(0, np.int32) if terminal else state.search_actions()
        node = Node(state.copy(), self.nodes, parent, edge, actions)
        self.nodes += 1
        if terminal:
            values = state.returns().astype(F)
            share = F(self.settings.margin_weight)
            node.terminal = values + share * (state.margins() - values)
            node.waiting = False
        return node

    def _expand(self, leaf: Node) -> np.ndarray:
        logits, values = self.evaluate(leaf.state, leaf.actions)
        leaf.prior = softmax(np.asarray(logits, F))
        leaf.waiting = False
        self.expansions += 1
        values = np.asarray(values, F)
        if leaf.parent is None:
            leaf.visits, leaf.value_sum = 1, values[leaf.seat]
        return values

    def _backup(self, leaf: Node, values: np.ndarray) -> None:
        """Each node adds the value of its own seat, each edge that of the seat which chose it."""
        node = leaf
        while True:
            node.visits += 1
            node.value_sum += values[node.seat]
            parent = node.parent
            if parent is None:
                break
            value = values[parent.seat]
            parent.edge_sums[node.edge] += self.loss + value
            if parent is self.root:
                self.squares[node.edge] += value * value
            node = parent
        self.finished += 1

    def _give_back(self, leaf: Node) -> None:
        self.started -= 1
        node = leaf
        while node.parent is not None:
            parent = node.parent
            parent.edge_visits[node.edge] -= F(1)
            parent.edge_sums[node.edge] += self.loss
            if parent.edge_visits[node.edge] == 0:
                parent.prior_visited -= parent.prior[node.edge]
            node = parent

    # -- rules -------------------------------------------------------------------------------------

    def _puct(self, node: Node, prior: np.ndarray) -> int:
        total = F(node.visits)
        mean = node.value_sum / total
        urgency = mean - F(self.settings.fpu_reduction) * np.sqrt(max(node.prior_visited, F(0)))
        explore = F(self.settings.c_puct) * np.sqrt(total)
        n = node.edge_visits
        q = np.where(n > 0, node.edge_sums / np.maximum(n, F(1)), urgency)
        return int(np.argmax(q + explore * prior / (n + F(1))))

    def _noise(self) -> None:
        settings, edges = self.settings, len(self.root.actions)
        if settings.rule == "gumbel":
            stream = Stream(self.seed, SEARCH, self.game, self.ply, GUMBEL_EVENT)
            if settings.temperature > 0:
                draws = [-math.log(-math.log(stream.positive_uniform())) for _ in range(edges)]
                self.gumbel = F(settings.temperature) * np.array(draws, F)
        elif settings.noise_fraction > 0 and self.full:
            stream = Stream(self.seed, SEARCH, self.game, self.ply, NOISE_EVENT)
            draws = [gamma(stream, F(settings.noise_alpha)) for _ in range(edges)]
            total = 0.0
            eta = np.array(draws, F)
            for draw in eta:
                total += float(draw)
            fraction = F(settings.noise_fraction)
            self.noised = (F(1) - fraction) * self.root.prior + F(float(fraction) / total) * eta

    def _root_edge(self) -> int:
        if self.settings.rule != "gumbel":
            return self._puct(self.root, self.noised)
        # Actions are compared when a level of the halving begins; then each is visited once.
        asked = self.asked[self.started - 1]
        if asked != self.level:
            self.level = asked
            self.score = self.improved_logits() + self.gumbel
        fitting = self.root.edge_visits == asked
        return int(np.argmax(np.where(fitting, self.score, -np.inf)))

    # -- results -----------------------------------------------------------------------------------

    @property
    def visits(self) -> np.ndarray:
        if self.root.edge_visits is None:
            return np.zeros(len(self.root.actions), F)
        return self.root.edge_visits

    @property
    def q(self) -> np.ndarray:
        if self.root.edge_sums is None:
            return np.zeros(len(self.root.actions), F)
        return self.root.edge_sums / np.maximum(self.visits, F(1))

    @property
    def value(self) -> float:
        return float(self.root.value_sum / F(self.root.visits))

    def q_variance(self) -> float:
        """Variance of one simulation's value, pooled over the edges with two and more."""
        squares = freedom = 0.0
        for i, n in enumerate(self.visits.tolist()):
            if n > 1:
                total = float(self.root.edge_sums[i])
                squares += float(self.squares[i]) - total * total / n
                freedom += n - 1
        return max(squares, 0.0) / freedom if freedom else 0.0

    def improved_logits(self) -> np.ndarray:
        """log(prior) + sigma(completed Q), sigma shrunk by the standard error of Q."""
        settings, visits, q = self.settings, self.visits, self.q
        total = float(visits.sum())
        seen = visits > 0
        own = float(self.own_value)
        mixed = own
        if seen.any():
            weighted = float((self.root.prior[seen] * q[seen]).sum())
            mixed = (own + total * weighted / float(self.root.prior[seen].sum())) / (1 + total)
        weight = 0.5 * (settings.c_visit + float(visits.max())) * settings.c_scale
        logits = np.log(np.maximum(self.root.prior, 1e-12)).astype(np.float64)
        variance = self.q_variance()
        spread = settings.q_spread**2
        for i in np.flatnonzero(seen):
            shrink = 1.0
            if self.root.state.game.has_chance:
                shrink = spread / (spread + variance / float(visits[i]))
            logits[i] += weight * shrink * (float(q[i]) - mixed)
        return logits

    @property
    def own_value(self) -> np.float32:
        """The evaluator's value of the root for its mover."""
        _, values = self.evaluate(self.root.state, self.root.actions)
        return F(values[self.root.seat])

    def policy(self) -> np.ndarray:
        if self.settings.rule == "gumbel":
            logits = self.improved_logits()
            powers = np.exp(logits - logits.max())
            return powers / powers.sum()
        total = self.visits.sum()
        return self.visits / total if total > 0 else self.root.prior

    def choose(self) -> int:
        """Index of the played edge."""
        settings, visits = self.settings, self.visits
        most = visits == visits.max()
        if settings.rule == "gumbel":
            score = self.improved_logits() + self.gumbel
            return int(np.argmax(np.where(most, score, -np.inf)))
        best = int(np.argmax(visits if visits.max() > 0 else self.noised))
        if settings.temperature <= 0 or visits.max() == 0:
            return best
        weights = [(float(n) / float(visits.max())) ** (1 / settings.temperature) for n in visits]
        total = 0.0
        for weight in weights:
            total += weight
        rest = Stream(self.seed, ACTION, self.game, self.ply).uniform() * total
        for i, weight in enumerate(weights):
            rest -= weight
            if rest < 0 and visits[i] > 0:
                return i
        return best


def improved_policy(decision, settings: Settings | None = None) -> np.ndarray:
    """The Gumbel target of a recorded decision (`tests.search.driving.Decision`), from its columns:
    what the decoder of training rows derives."""
    settings = settings or Settings()
    visits, q, prior = decision.visits.astype(float), decision.q, decision.prior
    total = visits.sum()
    own = decision.root_value * (1 + total) - (visits * q).sum()
    seen = visits > 0
    mixed = own
    if seen.any():
        mixed = (own + total * (prior[seen] @ q[seen]) / prior[seen].sum()) / (1 + total)
    weight = 0.5 * (settings.c_visit + visits.max()) * settings.c_scale
    spread = settings.q_spread**2
    shrink = spread / (spread + decision.q_variance / np.maximum(visits, 1))
    logits = np.log(np.maximum(prior, 1e-12)) + np.where(seen, weight * shrink * (q - mixed), 0)
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def normal(stream: Stream) -> float:
    while True:
        x = 2.0 * stream.uniform() - 1.0
        y = 2.0 * stream.uniform() - 1.0
        square = x * x + y * y
        if 0.0 < square < 1.0:
            return x * math.sqrt(-2.0 * math.log(square) / square)


def gamma(stream: Stream, shape: float) -> float:
    """Gamma(shape, 1) by Marsaglia and Tsang (2000), boosted below 1."""
    shape = float(shape)
    if shape < 1.0:
        boosted = gamma(stream, shape + 1.0)
        return boosted * stream.positive_uniform() ** (1.0 / shape)
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(stream)
        if 1.0 + c * x <= 0.0:
            continue
        v = (1.0 + c * x) ** 3
        if math.log(stream.positive_uniform()) < 0.5 * x * x + d - d * v + d * math.log(v):
            return d * v
