"""A player that judges positions, for tests of engines: discs after each move, one ply deep."""

import dataclasses
import sys
import time

import numpy as np

from ludus.games import get_game
from ludus.games.analysis import Line

OTHELLO = get_game("othello")


class Judge:
    """Takes most discs; equal ones by the number of the square. Its thinking can be watched."""

    def __init__(self, slow=False):
        self.slow = slow
        self.limits = []

    def __call__(self, states, keys):
        rules = OTHELLO.rules
        return np.array([self._best(rules.state(s.tobytes()))[0].actions[0] for s in states])

    def analyse(self, state, limits, lines=1, tell=None):
        self.limits.append(limits)
        found = self._best(OTHELLO.rules.state(state.tobytes()))[:lines]
        if tell is not None:
            tell([dataclasses.replace(found[-1], depth=0)])
        while self.slow and not limits.stop.is_set():
            time.sleep(0.01)
        return found

    def _best(self, state):
        found = []
        for action in state.legal().tolist():
            after = state.copy()
            after.apply(action)
            mine, other = after.scores()[[state.seat, 1 - state.seat]].tolist()
            over = after.kind == "terminal"
            reply = () if over else (int(after.legal()[0]),)
            found.append(Line((action, *reply), mine - other, 1, over, len(state.legal())))
        return sorted(found, key=lambda line: (-line.value, line.actions))


def game_with_judge(**options):
    """Othello with the player ``judge``."""
    judge = Judge(**options)
    return dataclasses.replace(
        OTHELLO, players={**OTHELLO.players, "judge": lambda _: judge}
    ), judge


def main(protocol):
    """Serve the judge, as `ludus engine` would."""
    from ludus.players import parse_player
    from ludus.players.engines.gtp_server import GtpServer
    from ludus.players.engines.nboard_server import NBoardServer
    from ludus.players.engines.serving import serve
    from ludus.players.engines.session import Session

    entry = game_with_judge()[0]
    kind = {"gtp": GtpServer, "nboard": NBoardServer}[protocol]
    serve(kind(Session(entry, parse_player("judge", entry), 1), entry.protocols[protocol]))


if __name__ == "__main__":
    main(sys.argv[1])
