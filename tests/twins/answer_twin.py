"""What ``ludus._core.answer`` computes, one number at a time."""

import math


def answer(
    fused, num_actions, value_columns, margin_weight, seats, legal, offsets, num_seats, players=None
):
    """The logits of the legal actions in order, and the values of every row in seat order."""
    logits, values = [], []
    for row, outputs in enumerate(fused):
        for entry in range(offsets[row], offsets[row + 1]):
            logits.append(outputs[legal[entry] - row * num_actions])
        mover = []
        for column in range(num_actions, num_actions + value_columns):
            value = math.tanh(outputs[column])
            if margin_weight > 0:
                margin = math.tanh(outputs[column + value_columns])
                value = (1 - margin_weight) * value + margin_weight * margin
            mover.append(value)
        if num_seats == 2:
            mover.append(-mover[0])
        count = players[row] if players is not None and players[row] else num_seats
        by_seat = [mover[(seat - seats[row]) % count] for seat in range(count)]
        values.append(by_seat + [0.0] * (num_seats - count))
    return logits, values
