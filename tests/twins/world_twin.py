"""The search over worlds in slow, plain Python: what cpp/search must do where cards are hidden.

Written from the description at the head of cpp/search/tree.h. Everything about a single
simulation is that of :class:`tests.twins.search_twin.SearchTwin`; here is how worlds share the
simulations, how nodes are found, and where a plan ends.
"""

from __future__ import annotations

import numpy as np
from tests.twins.search_twin import F, Node, SearchTwin


def is_over(state) -> bool:
    """The end of a stage: of the game, or a deal, beyond which nobody plans."""
    return state.kind != "decision"


class WorldTwin(SearchTwin):
    """One search from a decision, given the worlds that it drew."""

    def __init__(self, worlds, settings, evaluate, seed, game, ply, *, shared, skip_forced=True):
        self.worlds, self.shared, self.skip_forced = worlds, shared, skip_forced
        self.known: dict[object, Node] = {}
        super().__init__(worlds[0], settings, evaluate, seed, game, ply)

    def _select(self):
        self.started += 1
        node, world, walking = self.root, 0, None
        history: tuple[int, ...] = ()
        self.path: list[tuple[Node, int]] = []
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
            if node is self.root:  # the n-th simulation of an edge takes world n mod worlds
                world = int(before) % len(self.worlds)
                walking = self.worlds[world].copy()
            node.edge_visits[edge] += F(1)
            node.edge_sums[edge] -= self.loss
            if before == 0:
                node.prior_visited += node.prior[edge]
            self.path.append((node, edge))
            actions = [int(node.actions[edge])]
            while actions:
                walking.apply(actions[0])
                history += (actions[0],)
                actions = [] if is_over(walking) else walking.search_actions().tolist()
                if len(actions) != 1 or not self.skip_forced:
                    break
            key = self._key(history, world, walking)
            if key not in self.known:
                self.known[key] = self._new_node(walking, node, edge, 0)
                self.known[key].path = self.path
                if self.known[key].terminal is None:
                    return self.known[key]
            node = self.known[key]

    def _key(self, history, world, state):
        """Each world has its own nodes, or a node is all that its mover can tell apart."""
        if not self.shared or is_over(state):
            return history, world
        return history, state.seat, state.observe(state.seat).tobytes()

    def _new_node(self, state, parent, edge, outcome):
        if not is_over(state):
            return super()._new_node(state, parent, edge, outcome)
        node = Node(state.copy(), self.nodes, parent, edge, np.zeros(0, np.int32))
        self.nodes += 1
        values = state.stage_returns().astype(F)
        share = F(self.settings.margin_weight)
        node.terminal = values + share * (state.stage_margins() - values)
        node.waiting = False
        return node

    def _backup(self, leaf, values):
        leaf.visits += 1
        if leaf.terminal is None:
            leaf.value_sum += values[leaf.seat]
        path = self.path if leaf.terminal is not None else leaf.path
        for node, edge in reversed(path):
            value = values[node.seat]
            node.visits += 1
            node.value_sum += value
            node.edge_sums[edge] += self.loss + value
            if node is self.root:
                self.squares[edge] += value * value
        self.finished += 1

    def _give_back(self, leaf):
        self.started -= 1
        for node, edge in self.path:
            node.edge_visits[edge] -= F(1)
            node.edge_sums[edge] += self.loss
            if node.edge_visits[edge] == 0:
                node.prior_visited -= node.prior[edge]
