"""The learner on rows of real games against a bare loop over the same tensors, one thread.

The bare loop is what one would write in plain torch with all batches ready in memory: forward, the
same three losses on dense targets, backward, clipping, AdamW. The learner draws and decodes its
rows from game records while it works, averages the weights and reports every 20 updates.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from torch.nn.functional import log_softmax

from ludus import _core, nets
from ludus.evaluators import LeafBatch, UniformEvaluator
from ludus.learners import AlphaZeroLearner, AlphaZeroSettings
from ludus.measure import Figure, Goal, in_turns
from ludus.replay import GameRecords, ReplaySampler, RowFeed

GOAL = 0.8
BATCH = 512
GAMES = 1024
REPORT_EVERY = 20


def _records(game: _core.Game) -> GameRecords:
    """Games of a search that knows nothing: as long and as wide as any."""
    player = {"kind": "search", "rule": "gumbel", "simulations": [8]}
    slots = _core.Slots(game, slots=256, group_size=256, seed=1, players=[player], record=True)
    batch = LeafBatch.allocate(game, slots.rows, slots.legal_capacity)
    slots.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets)
    ids = np.arange(GAMES, dtype=np.int64)
    slots.schedule(ids, ids.astype(np.uint64), np.zeros((GAMES, game.num_seats), np.int8))
    while slots.busy(0):
        if slots.collect(0, 0):
            UniformEvaluator().evaluate(batch)
            slots.supply(0, 0, batch.logits, batch.values)
    return GameRecords(slots.finished()).sorted()


class _Bare:
    """The bare loop."""

    def __init__(self, net: nets.ResidualMLP, sampler: ReplaySampler, count: int) -> None:
        self.net = net
        self.parameters = list(net.parameters())
        groups = [
            [p for p in self.parameters if (p.ndim > 1) == matrix] for matrix in (True, False)
        ]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": group, "weight_decay": decay}
                for group, decay in zip(groups, (1e-4, 0.0), strict=True)
            ],
            lr=1e-3,
            fused=True,
        )
        self.ready = []
        for update in range(count):
            rows = sampler.rows(update, BATCH)
            target = np.zeros((BATCH, net.num_actions), np.float32)
            target.reshape(-1)[rows.legal] = rows.policy
            blocked = np.full((BATCH, net.num_actions), -1e9, np.float32)
            blocked.reshape(-1)[rows.legal] = 0.0
            dense = (rows.observations, target, blocked, rows.value, rows.margin)
            self.ready.append([torch.from_numpy(array) for array in dense])

    def run(self) -> float:
        """An update on each of the batches."""
        for observations, target, blocked, won, points in self.ready:
            self.optimizer.zero_grad(set_to_none=True)
            logits, value, margin = self.net(observations)
            loss = (
                -(target * log_softmax(logits + blocked, dim=1)).sum(1).mean()
                + (value - won).square().mean()
                + 0.5 * (margin - points).square().mean()
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimizer.step()
        return float(len(self.ready))


def measure(quick: bool) -> list[Figure]:
    """Updates a second, and the share of the bare loop's rate."""
    torch.set_num_threads(1)
    game = _core.game("yatzy")
    sampler = ReplaySampler(game, _records(game), seed=1)
    count = 40 if quick else 120
    figures = []
    for hidden in (128, 256):
        learner = AlphaZeroLearner(
            nets.build(game, hidden=hidden, blocks=2, seed=1),
            AlphaZeroSettings(batch_size=BATCH, margin_weight=0.5),
        )
        learner.begin_iteration(None, 1 << 30)

        spent = {"rows": 0.0, "network": 0.0}

        def work(learner: AlphaZeroLearner = learner, spent: dict[str, float] = spent) -> float:
            feed = RowFeed(sampler, BATCH, learner.update, count)
            for update in range(count):
                began = time.perf_counter()
                rows = feed.take()
                taken = time.perf_counter()
                learner.step(rows, report=update % REPORT_EVERY == 0)
                spent["rows"] += taken - began
                spent["network"] += time.perf_counter() - taken
            feed.close()
            return float(count)

        bare = _Bare(nets.build(game, hidden=hidden, blocks=2, seed=1), sampler, count)
        figure = in_turns(
            f"yatzy: training, width {hidden}, batch {BATCH}",
            "updates/s",
            work,
            against=("bare loop", bare.run),
            quick=quick,
        )
        figure.goal = Goal(GOAL, on="ratio")
        figure.extra["phases"] = {
            name: round(part / sum(spent.values()), 3) for name, part in spent.items()
        }
        figures.append(figure)
    return figures
