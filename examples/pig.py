"""Pig: a race with a die, to show how chance is told.

    ./ludus games check examples/pig.py:Pig
    ./ludus train --game examples/pig.py:Pig
    ./ludus match runs/pig hold20
    ./ludus play runs/pig

In turn a player rolls as often as he likes. Each roll adds its points to the turn; a one ends the
turn and takes them all, holding brings them home. Who first has 50 points wins. Every school knows
the rule "hold at 20", which is here as a player to be measured against; the trained one learns
when more is at stake.

Chance is an event of its own: rolling leads to a state whose `turn` is CHANCE, `outcomes` lists the
faces with their probabilities, and `apply_outcome` says what a face does. The search knows the
probabilities and never the coming roll.
"""

from typing import NamedTuple

import numpy as np

from ludus.games import Game

GOAL = 50
ROLL, HOLD = 0, 1
LIMIT = 400  # decisions; hardly any game comes near, but every game must end
FACES = [(face, 1 / 6) for face in range(6)]  # face 0 shows one pip
STEPS = np.arange(2, GOAL, 2)  # marks of the rulers in the observation


class Race(NamedTuple):
    """A state; a tuple with names, so that it cannot be changed in place."""

    home: tuple[int, int] = (0, 0)  # points of each seat that are safe
    pot: int = 0  # points of this turn
    seat: int = 0
    plies: int = 0
    rolling: bool = False  # the die is in the air


def hold20(game, race, random):
    """Hold with 20 points at stake: the rule that every school knows."""
    return HOLD if race.pot >= 20 else ROLL


class Pig(Game):
    """A race to 50 points with one die."""

    name = "pig"
    num_actions = 2
    observation_shape = (3 * len(STEPS),)
    max_plies = LIMIT
    max_outcomes = 6
    margin_scale = 25.0
    players = {"hold20": hold20}
    recipe = {
        "model": {"hidden_dim": 64},
        "search": {"budget": 16},  # two actions need little search
        # The die explores by itself, and makes the games of a gate differ.
        "selfplay": {"games_per_iteration": 256, "temperature": 0.25},
        "gating": {"opening_plies": 0, "max_pairs": 100},
    }

    def initial(self):
        """Nobody has points."""
        return Race()

    def turn(self, race):
        """The die, the seat that decides, or the end."""
        if max(race.home) >= GOAL or race.plies >= LIMIT:
            return self.OVER
        return self.CHANCE if race.rolling else race.seat

    def legal(self, race):
        """Roll; hold only what there is, so that a turn is never passed."""
        return (ROLL, HOLD) if race.pot else (ROLL,)

    def apply(self, race, action):
        """Take the die, or bring the points home."""
        plies = race.plies + 1
        if action == ROLL:
            return race._replace(plies=plies, rolling=True)
        return Race(_added(race.home, race.seat, race.pot), 0, 1 - race.seat, plies)

    def outcomes(self, race):
        """Six faces, alike."""
        return FACES

    def apply_outcome(self, race, face):
        """A one loses the turn; more is more. Points that reach the goal go home by themselves."""
        if face == 0:
            return Race(race.home, 0, 1 - race.seat, race.plies)
        pot = race.pot + face + 1
        if race.home[race.seat] + pot >= GOAL:
            return Race(_added(race.home, race.seat, pot), 0, race.seat, race.plies)
        return Race(race.home, pot, race.seat, race.plies)

    def chance_seat(self, race):
        """Whose die it is."""
        return race.seat

    def returns(self, race):
        """By points: who has reached the goal has more."""
        sign = float(np.sign(race.home[0] - race.home[1]))
        return (sign, -sign)

    def observe(self, race, seat):
        """Three rulers: own points, the other's, those at stake. Ones up to the number, then zeros.

        A network reads "at least 20" from a ruler at once; from a bare number it would have to
        learn where twenty is.
        """
        points = race.home[seat], race.home[1 - seat], race.pot
        return np.concatenate([number >= STEPS for number in points]).astype(np.float32)

    # What follows is optional.

    def scores(self, race):
        """Points at home."""
        return race.home

    def action_text(self, race, action):
        """As people say it."""
        return ("roll", "hold")[action]

    def text(self, race):
        """The table in one line."""
        return f"home {race.home[0]} : {race.home[1]}, seat {race.seat} has {race.pot} at stake"


def _added(home, seat, points):
    return (home[0] + points, home[1]) if seat == 0 else (home[0], home[1] + points)
