"""Training from a notebook: batches and single games, and what each came to."""

import numpy as np
import pytest
from tests.learners.few_patterns import few_patterns

from ludus.errors import UserError
from ludus.games.othello_records import difference, parse_transcript
from ludus.learners.td_games import train_batch, train_game


def test_a_batch_says_what_each_game_came_to(tmp_path):
    learner, twin = few_patterns(tmp_path), few_patterns(tmp_path)
    results = train_batch(learner)
    assert [one.number for one in results] == list(range(64))
    assert len(train_batch(learner, 65, threads=2)) == 128 and learner.games == 192
    twin.train(192)
    assert np.array_equal(learner.tables.all(), twin.tables.all())
    assert {one.winner for one in results} >= {"black", "white"}
    for one in results:
        assert 9 <= one.moves <= 60 and -64 <= one.difference <= 64
        assert one.winner == {1: "black", -1: "white", 0: None}[int(np.sign(one.difference))]


def test_single_games(tmp_path):
    learner = few_patterns(tmp_path, batch_games=1, sample_every=1)
    twin = few_patterns(tmp_path, batch_games=1, sample_every=1)
    for number in range(5):
        result = train_game(learner)
        assert result.number == number and learner.games == number + 1
        (moves,) = twin.train(number + 1).transcripts.values()
        record = parse_transcript(moves)
        assert result.difference == difference(record.end())
        assert result.moves == sum(action < 64 for action in record.actions)


def test_epsilon_holds_for_one_call(tmp_path):
    learner = few_patterns(tmp_path)
    train_batch(learner, epsilon=1.0)
    assert learner.epsilon == 1.0
    train_batch(learner)
    assert learner.epsilon == 0.1


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda one: train_batch(one, 0), "0 games"),
        (lambda one: train_batch(one, threads=0), "0 threads"),
        (lambda one: train_batch(one, epsilon=1.5), r"epsilon is 1\.5"),
        (train_game, "64 games at a time"),
    ],
)
def test_what_cannot_be_trained(tmp_path, call, reason):
    with pytest.raises(UserError, match=reason):
        call(few_patterns(tmp_path))
