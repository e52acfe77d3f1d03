"""The sizes of a board game and of a card game; networks need nothing else of them."""

from ludus.games.tokens import TokenGroup, TokenLayout


class Board:
    """A game of two seats on a board of 4 planes."""

    name = "board"
    num_seats = 2
    num_actions = 37
    observation_shape = (4, 6, 5)
    observation_size = 4 * 6 * 5
    rules_id = encoder_id = action_space_id = "board_v1"


BOARD = Board()


class Cards:
    """A game of 2 to 4 seats with 12 cards.

    Observation: cards held (12), a number of each card (12), two numbers of each seat (8), how many
    seats there are (one-hot, 2 to 4), 5 others.
    """

    name = "cards"
    num_actions = 14
    observation_shape = (40,)
    observation_size = 40
    rules_id = encoder_id = action_space_id = "cards_v1"

    def __init__(self, num_seats=4):
        self.num_seats = num_seats


CARDS = Cards()
DUEL = Cards(num_seats=2)

TOKENS = TokenLayout(
    (
        TokenGroup(
            name="cards", size=12, keep=5, features=((0, 1), (12, 1)), marks=((0, 1),),
            heads=(("policy", 0),),
        ),
        TokenGroup(
            name="seats", size=4, keep=4, features=((24, 2), (25, 2)), number=(32, 35, 2),
            heads=(("value", 0), ("margin", 0)),
        ),
    )
)  # fmt: skip
"""How observations of these cards are cut; at most 5 are held."""

HANDS = TokenLayout(TOKENS.groups[:1])
"""The cards alone, for two seats."""
