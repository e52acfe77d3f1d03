"""Two small own games that conform, to be broken one rule at a time."""

import itertools
import random

import numpy as np

from ludus.games import Game, Symmetry


class Nim(Game):
    """Take one, two or three of nine stones; who takes the last one wins. State: [stones, seat]."""

    name = "nim"
    num_actions = 3
    observation_shape = (9,)
    max_plies = 9

    def initial(self):
        return [9, 0]

    def turn(self, state):
        return state[1] if state[0] else self.OVER

    def legal(self, state):
        return [a for a in range(3) if a < state[0]]

    def apply(self, state, action):
        return [state[0] - action - 1, 1 - state[1]]

    def returns(self, state):
        return [-1.0, 1.0] if state[1] == 0 else [1.0, -1.0]

    def observe(self, state, seat):
        return np.array([i < state[0] for i in range(9)], np.float32)


class Toss(Nim):
    """Nim in which a coin decides whether a taken stone counts twice. State: [stones, seat, up]."""

    name = "toss"
    max_outcomes = 2

    def initial(self):
        return [9, 0, False]

    def turn(self, state):
        if state[2]:
            return self.CHANCE
        return state[1] if state[0] else self.OVER

    def apply(self, state, action):
        return [state[0] - action - 1, 1 - state[1], True]

    def outcomes(self, state):
        return [(0, 0.5), (1, 0.5)]

    def apply_outcome(self, state, outcome):
        return [max(0, state[0] - outcome), state[1], False]


class Cards(Nim):
    """Nim beside which each seat holds a card that the other cannot see. State: [.., .., cards]."""

    name = "cards"
    hidden = True
    observation_shape = (10,)

    def initial(self):
        return [9, 0, (1, 0)]

    def apply(self, state, action):
        return [state[0] - action - 1, 1 - state[1], state[2]]

    def observe(self, state, seat):
        return np.append(super().observe(state, seat), np.float32(state[2][seat]))

    def sample_world(self, state, seat, rng):
        cards = list(state[2])
        cards[1 - seat] = rng.randrange(5)
        return [state[0], state[1], tuple(cards)]


ticks = itertools.count()


def broken(base, **parts):
    """A game of that class with some parts replaced."""
    return type("Broken", (base,), parts)()


def dealt(self):
    """Starts differently every time."""
    return [9 if next(ticks) % 2 else 8, 0]


def begins(self):
    """Counts the games in the rules' object, where nothing may be remembered."""
    self.games = getattr(self, "games", 0) + 1
    return [9, 0]


def counts(self, state):
    sign = 1.0 if self.games % 3 else -1.0
    return [sign * value for value in Nim.returns(self, state)]


def takes_in_place(self, state, action):
    state[0] -= action + 1
    state[1] = 1 - state[1]
    return state


def shrinks(self, state):
    """A look that changes the state."""
    state[0] -= 1
    return [0]


def rolls(self, state, action):
    """Dice inside apply."""
    return [max(0, state[0] - action - 1 - next(ticks) % 2), 1 - state[1]]


def flips(self, state, outcome):
    return [max(0, state[0] - next(ticks) % 2), state[1], False]


def remembers(self, state):
    """A choice that depends on how often it was asked."""
    return [a for a in range(3) if a < state[0]][: 1 + next(ticks) % 2]


def drifts(self, state, seat):
    return np.full(9, next(ticks), np.float32)


def raises(self, state, seat):
    return np.zeros(9, np.float32)[state[0] + 20 :][0]


def late(self, state):
    """Goes on with an empty pile."""
    return state[1]


def mirrored(self):
    return [Symmetry(np.arange(9)[::-1], np.arange(3))]


def permuted(self):
    return [Symmetry(np.arange(9), np.array([1, 0, 2]))]


def unpaired(self):
    return [Symmetry(np.arange(9), np.array([0, 0, 2]))]


def first_legal(game, state, rng):
    return 0


def illegal(game, state, rng):
    return 7


def moody(game, state, rng):
    return game.legal(state)[random.randrange(len(game.legal(state)))] if state[0] > 1 else 0


def thief(game, state, rng):
    state[0] -= 1
    return 0


def same_text(self, state, action):
    return "take"


def parses_anything(self, state, text):
    return int(text) if text.isdigit() else 0


def parses_wrongly(self, state, text):
    return 0


# name -> (base, replaced parts, words of the sentence)
BREAKS = {
    "name": (Nim, {"name": "My Game"}, "name is 'My Game'; it must be small letters"),
    "no name": (Nim, {"name": ""}, "it names the run directory"),
    "version": (Nim, {"version": "2"}, "version is '2'; it must be a whole number"),
    "seats": (Nim, {"num_seats": 0}, "num_seats is 0; it must be a whole number in 1..8"),
    "actions": (Nim, {"num_actions": 3.0}, "num_actions is 3.0; it must be a whole number"),
    "no length": (Nim, {"max_plies": None}, "max_plies is None.*most decisions"),
    "shape": (Nim, {"observation_shape": 9}, r"observation_shape is 9; .*as in \(9,\)"),
    "max_legal": (
        Nim,
        {"max_legal": 4},
        r"max_legal is 4; it must lie in 1\.\.3, the most legal .* or be None",
    ),
    "hidden": (Nim, {"hidden": 1}, "hidden is 1; it must be True or False"),
    "margin_scale": (Nim, {"margin_scale": 0}, "margin_scale is 0; .*points above 0"),
    "no method": (Nim, {"legal": None}, r"the method legal\(\) is missing"),
    "no outcomes": (
        Nim,
        {"max_outcomes": 2},
        r"the method outcomes\(\) is missing, which max_outc",
    ),
    "recipe": (
        Nim,
        {"recipe": {"model": {"hiden_dim": 64}}},
        r"unknown setting model.hiden_dim \(recipe of Broken\); did you mean model.hidden_dim",
    ),
    "recipe value": (
        Nim,
        {"recipe": {"model": {"hidden_dim": 7}}},
        r"model.hidden_dim = 7 \(recipe of Broken\) must be a whole number",
    ),
    "recipe type": (Nim, {"recipe": ["a"]}, r"recipe is \['a'\]; it must hold settings by section"),
    "players type": (Nim, {"players": [first_legal]}, "it must map names to functions"),
    "players function": (Nim, {"players": {"greedy": 3}}, "players has 'greedy': 3; it must map"),
    "players name": (
        Nim,
        {"players": {"random": first_legal}},
        "players names 'random', which every game has already",
    ),
    "start of None": (
        Nim,
        {"initial": lambda self: None},
        r"initial\(\) gave None: it must return the new state \(is a return missing\?\)",
    ),
    "start is the end": (Nim, {"initial": lambda self: [0, 0]}, r"initial\(\) is over already"),
    "dealt start": (
        Nim,
        {"initial": dealt},
        r"initial\(\) gave two different starts .*every game begins the same way",
    ),
    "game with a memory": (
        Nim,
        {"initial": begins, "returns": counts},
        r"the same game played again comes out differently: returns\(\) gave .* and then",
    ),
    "exception": (
        Nim,
        {"observe": raises},
        r"ply 0 of playout 0 \(seed 0\): observe\(\) raised IndexError: .*toys.py, line \d+\)",
    ),
    "turn": (
        Nim,
        {"turn": lambda self, state: 2},
        r"turn\(\) gave 2; it must give the seat to move \(0 or 1\), CHANCE or OVER",
    ),
    "turn of None": (Nim, {"turn": lambda self, state: None}, r"turn\(\) gave None; it must give"),
    "legal unsorted": (
        Nim,
        {"legal": lambda self, state: [2, 0]},
        r"legal\(\) must be ascending, as sorted\(\) makes it, not \[2, 0\]",
    ),
    "legal repeated": (
        Nim,
        {"legal": lambda self, state: [0, 1, 1]},
        r"legal\(\) gave actions \[1\] more than once",
    ),
    "legal of None": (Nim, {"legal": lambda self, state: None}, r"legal\(\) gave None; it must"),
    "legal empty": (Nim, {"legal": lambda self, state: []}, "no action although the game goes on"),
    "legal of floats": (
        Nim,
        {"legal": lambda self, state: [0.5]},
        r"legal\(\) must give whole numbers, not \[0.5\]",
    ),
    "legal out of range": (
        Nim,
        {"legal": lambda self, state: [0, 3]},
        r"actions lie in 0\.\.2, as num_actions = 3 says",
    ),
    "more than max_legal": (
        Nim,
        {"max_legal": 2},
        r"legal\(\) gave 3 actions, but max_legal says at most 2: raise max_legal",
    ),
    "legal with a memory": (
        Nim,
        {"legal": remembers},
        r"legal\(\) gave \[.*\] and then \[.*\] for the same state: an answer must follow",
    ),
    "look changes": (
        Nim,
        {"legal": shrinks},
        r"legal\(\) changed the state it was given \(\[9, 0\] has become \[8, 0\]\): states are va",
    ),
    "apply in place": (
        Nim,
        {"apply": takes_in_place},
        r"apply\(state, 0\) changed the state it was given .* instead of making a new one: copy",
    ),
    "apply of None": (
        Nim,
        {"apply": lambda self, state, action: None},
        r"apply\(state, 0\) gave None: it must return the new state",
    ),
    "apply with dice": (
        Nim,
        {"apply": rolls},
        r"apply\(state, \d\) led to two different states .*dice and deals belong into outcomes",
    ),
    "too long": (
        Nim,
        {"max_plies": 2},
        r"the game goes on after max_plies = 2 decisions: raise max_plies",
    ),
    "never over": (Nim, {"turn": late}, "let turn\\(\\) give OVER"),
    "returns of None": (
        Nim,
        {"returns": lambda self, state: None},
        r"(returns|scores)\(\) .*None",
    ),
    "returns too short": (
        Nim,
        {"returns": lambda self, state: [1.0]},
        r"returns\(\) gave 1 numbers; there must be one for each of the 2 seats",
    ),
    "returns in points": (
        Nim,
        {"returns": lambda self, state: [9.0, -9.0]},
        r"returns\(\) gave \[9.0, -9.0\]; results lie in \[-1, 1\]: 1 for a win",
    ),
    "returns not finite": (
        Nim,
        {"returns": lambda self, state: [float("nan"), 0.0]},
        r"returns\(\) must give finite numbers",
    ),
    "returns of two winners": (
        Nim,
        {"returns": lambda self, state: [1.0, 1.0]},
        "those of two seats must sum to 0",
    ),
    "scores upside down": (
        Nim,
        {"scores": lambda self, state: [-v for v in Nim.returns(self, state)]},
        r"scores\(\) .* and returns\(\) .* disagree about who has won",
    ),
    "scores too short": (Nim, {"scores": lambda self, state: []}, r"scores\(\) gave 0 numbers"),
    "observation of None": (
        Nim,
        {"observe": lambda self, state, seat: None},
        r"observe\(state, 0\) gave None: return what seat 0 can see",
    ),
    "observation dtype": (
        Nim,
        {"observe": lambda self, state, seat: np.zeros(9)},
        r"observe\(state, 0\) gave float64; make it an array of float32",
    ),
    "observation of texts": (
        Nim,
        {"observe": lambda self, state, seat: ["x"] * 9},
        "make it an array of float32",
    ),
    "observation shape": (
        Nim,
        {"observe": lambda self, state, seat: np.zeros((3, 3), np.float32)},
        r"has the shape \(3, 3\), but observation_shape says \(9,\)",
    ),
    "observation of NaN": (
        Nim,
        {"observe": lambda self, state, seat: np.full(9, np.nan, np.float32)},
        r"observe\(state, 0\) holds NaN or infinity",
    ),
    "observation drifts": (
        Nim,
        {"observe": drifts},
        r"observe\(state, 0\) gave other numbers .* for the same state",
    ),
    "text": (Nim, {"text": lambda self, state: 3}, r"text\(\) gave 3; it must give a text"),
    "action text": (Nim, {"action_text": same_text}, "people could not tell them apart"),
    "action text of None": (
        Nim,
        {"action_text": lambda self, state, action: None},
        r"action_text\(state, 0\) gave None; it must give a short text",
    ),
    "parse": (
        Nim,
        {"parse_action": parses_wrongly},
        r"parse_action\(state, '1'\) gave 0, but that",
    ),
    "parse anything": (
        Nim,
        {"parse_action": parses_anything},
        r"parse_action\(state, '\?!'\) gave 0; it must raise ludus.errors.GameError",
    ),
    "illegal player": (
        Nim,
        {"players": {"p": illegal}},
        r"player p chose 7; legal are \[0, 1, 2\]",
    ),
    "moody player": (Nim, {"players": {"p": moody}}, "draw only from the random.Random"),
    "player in place": (Nim, {"players": {"p": thief}}, "player p changed the state it was given"),
    "unannounced chance": (
        Toss,
        {"max_outcomes": 0},
        r"turn\(\) gave CHANCE, but max_outcomes is 0: set it to the number of outcomes",
    ),
    "no chance": (
        Toss,
        {"turn": Nim.turn},
        "max_outcomes is 2, but no playout met a chance event: set it to 0",
    ),
    "probabilities": (
        Toss,
        {"outcomes": lambda self, state: [(0, 0.5), (1, 0.4)]},
        r"probabilities that sum to 0.9, not to 1",
    ),
    "impossible outcome": (
        Toss,
        {"outcomes": lambda self, state: [(0, 1.0), (1, 0.0)]},
        "a probability that is not above 0 .* leave that outcome out",
    ),
    "outcome twice": (
        Toss,
        {"outcomes": lambda self, state: [(1, 0.5), (1, 0.5)]},
        r"outcomes\(\) names an outcome twice",
    ),
    "outcome out of range": (
        Toss,
        {"outcomes": lambda self, state: [(1, 0.5), (2, 0.5)]},
        r"they lie in 0\.\.1, as max_outcomes = 2 says",
    ),
    "outcomes bare": (
        Toss,
        {"outcomes": lambda self, state: [0, 1]},
        r"outcomes\(\) must give pairs \(outcome, probability\), not \[0, 1\]",
    ),
    "no outcome": (Toss, {"outcomes": lambda self, state: []}, r"outcomes\(\) is empty"),
    "chance after chance": (
        Toss,
        {"apply_outcome": lambda self, state, outcome: [*state[:2], True]},
        "a chance event follows another: merge them",
    ),
    "outcome of None": (
        Toss,
        {"apply_outcome": lambda self, state, outcome: None},
        r"apply_outcome\(state, 0\) gave None",
    ),
    "outcome with dice": (
        Toss,
        {"apply_outcome": flips},
        r"apply_outcome\(state, \d\) led to two different states",
    ),
    "chance seat": (
        Toss,
        {"chance_seat": lambda self, state: 2},
        r"chance_seat\(\) gave 2; it must give the seat whose dice",
    ),
    "seen cards": (
        Cards,
        {
            "observe": lambda self, state, seat: np.append(
                Nim.observe(self, state, seat), np.float32(sum(state[2]))
            )
        },
        r"observe\(state, 0\) shows what seat 0 cannot know",
    ),
    "choices by unseen cards": (
        Cards,
        {"legal": lambda self, state: [0, 1][: 1 + (state[2][1 - state[1]] > 0)][: state[0]]},
        "the legal actions of seat 0 change with what it cannot see",
    ),
    "symmetry that is none": (
        Nim,
        {"symmetries": unpaired},
        r"the action of symmetry 0 must be a permutation: 0\.\.2, each once",
    ),
    "symmetry of what is seen": (
        Nim,
        {"symmetries": mirrored},
        r"symmetry 0 does not give what seat 0 sees in the image",
    ),
    "symmetry of actions": (
        Nim,
        {"symmetries": permuted},
        r"symmetry 0 (changes the|does not give)",
    ),
    "symmetry without a pair": (
        Nim,
        {"symmetries": lambda self: [np.arange(9)]},
        r"must be a ludus.games.Symmetry\(observation, action\)",
    ),
}
"""One broken game for each rule of the kit."""
