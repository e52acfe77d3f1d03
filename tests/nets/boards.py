"""The sizes of a board game; networks need nothing else of it."""


class Board:
    """A game of two seats on a board of 4 planes."""

    name = "board"
    num_seats = 2
    num_actions = 37
    observation_shape = (4, 6, 5)
    observation_size = 4 * 6 * 5
    rules_id = encoder_id = action_space_id = "board_v1"


BOARD = Board()
