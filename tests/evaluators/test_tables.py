"""Pattern tables from Python: arrays in, discs out; weights; what is refused."""

import threading
import time

import numpy as np
import pytest
from tests.learners.few_patterns import few_patterns

from ludus import _core
from ludus.errors import GameError, RunError, UserError
from ludus.evaluators.tables import DISC, NEUTRAL, TableEvaluator
from ludus.games import get_game
from ludus.games.othello_position import SQUARES, Discs


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    made = few_patterns(tmp_path_factory.mktemp("patterns"))
    made.train(1024)
    return made


@pytest.fixture(scope="module")
def evaluator(learner):
    return TableEvaluator.of(learner.tables.copy())


@pytest.fixture(scope="module")
def positions():
    """Boards of random games, i64[n, 64], and sides to move, by plain Python."""
    rules = get_game("othello").rules
    boards, players = [], []
    for game in range(12):
        state = rules.initial()
        for ply in range(70):
            if state.kind != "decision":
                break
            discs = Discs.of(state)
            boards.append([(discs.black >> i & 1) + 2 * (discs.white >> i & 1) for i in range(64)])
            players.append(discs.seat + 1)
            legal = state.legal()
            state.apply(int(legal[(game * 7 + ply * 5) % len(legal)]))
    return np.array(boards), np.array(players)


def slowly(evaluator: TableEvaluator, board: list[int], player: int) -> float:
    """The score by the definition: one placement after another."""
    stage = min((64 - board.count(0) - 4) // 2, 29)
    total = 0
    for number, pattern in enumerate(evaluator.describe()):
        for squares in pattern["placements"]:
            index = 0
            for digit, square in enumerate(squares):
                cell = board[square]
                index += 3**digit * (0 if cell == 0 else 1 if cell == player else 2)
            total += evaluator.weight(number, stage, index) - NEUTRAL
    return (total if player == 1 else -total) / DISC


def test_scores_are_the_sum_of_weights_and_positive_for_black(evaluator, positions):
    boards, players = positions
    scores = evaluator.evaluate_many(boards, players)
    assert scores.dtype == np.float32 and scores.shape == players.shape
    assert len(np.unique(scores)) > 100
    for row in range(0, len(boards), 7):
        expected = slowly(evaluator, boards[row].tolist(), int(players[row]))
        assert scores[row] == expected
        one = evaluator.evaluate(boards[row].tolist(), int(players[row]))
        assert type(one) is float and one == expected


def test_colours_exchanged_change_the_sign(evaluator, positions):
    boards, players = positions
    swapped = np.array([0, 2, 1])[boards]
    found = evaluator.evaluate_many(swapped, 3 - players)
    assert np.array_equal(found, -evaluator.evaluate_many(boards, players))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64, np.uint64])
def test_shapes_and_kinds_of_integers(evaluator, positions, dtype):
    boards, players = positions
    expected = evaluator.evaluate_many(boards, players)
    cast = boards.astype(dtype)
    sides = players.astype(dtype)
    assert np.array_equal(evaluator.evaluate_many(cast, sides), expected)
    assert np.array_equal(evaluator.evaluate_many(cast.reshape(-1, 8, 8), sides), expected)
    assert np.array_equal(evaluator.evaluate_many(cast[::2], sides[::2]), expected[::2])
    assert evaluator.evaluate_many(cast[5], sides[5]).tolist() == [expected[5]]
    assert evaluator.evaluate(cast[5].reshape(8, 8), sides[5]) == expected[5]
    assert evaluator.evaluate_many(cast[:0], 1).shape == (0,)


def start() -> list[int]:
    board = [0] * 64
    board[27], board[28], board[35], board[36] = 2, 1, 1, 2
    return board


@pytest.mark.parametrize(
    ("change", "player", "reason"),
    [
        (lambda b: b[:63], 1, "64 cells, not 63"),
        (lambda b: [*b, 0], 1, "64 cells, not 65"),
        (lambda b: [*b[:63], 3], 1, "board 0 has 3 on h8"),
        (lambda b: [-1, *b[1:]], 1, "board 0 has -1 on a1"),
        (lambda b: [256, *b[1:]], 1, "board 0 has 256 on a1"),
        (lambda b: np.array([*b[:2], 9, *b[3:]], np.uint8), 1, "Board 0 has 9 on c1"),
        (lambda b: [*b[:27], 0, *b[28:]], 1, "no disc on d4"),
        (lambda b: [0.5, *b[1:]], 1, "must be integers"),
        (lambda b: "X" * 64, 1, "must be integers"),
        (lambda b: [b[:8], b[:7]], 1, "different lengths"),
        (lambda b: np.zeros((4, 4), int), 1, r"not \[4, 4\]"),
        (lambda b: [b, b], 1, "takes one board"),
        (lambda b: b, 0, "0 as the side to move"),
        (lambda b: b, 3, "3 as the side to move"),
        (lambda b: b, "black", "players must be integers"),
        (lambda b: b, 1.0, "players must be integers"),
    ],
)
def test_boards_that_cannot_be(evaluator, change, player, reason):
    with pytest.raises(GameError, match=reason):
        evaluator.evaluate(change(start()), player)


def test_among_many_the_board_is_named(evaluator):
    boards = np.array([start()] * 5)
    boards[3, 10] = 7
    with pytest.raises(GameError, match=f"board 3 has 7 on {SQUARES[10]}"):
        evaluator.evaluate_many(boards, [1] * 5)
    boards[3, 10], boards[4, 36] = 0, 0
    with pytest.raises(GameError, match="board 4 has no disc on e5"):
        evaluator.evaluate_many(boards, [1] * 5)
    with pytest.raises(GameError, match="5 boards want 5 players, not"):
        evaluator.evaluate_many(boards, [1, 2])
    assert issubclass(GameError, UserError) and issubclass(GameError, ValueError)


def test_weights(evaluator):
    weights = evaluator.weights(1, 12)
    assert weights.dtype == np.uint16 and weights.shape == (3**6,)
    index = int(np.argmax(weights))
    assert evaluator.weight(1, 12, index) == weights[index] > NEUTRAL
    weights[:] = 0  # a copy
    assert evaluator.weight(1, 12, index) > NEUTRAL
    learned = evaluator.learned(1, 12)
    assert learned[1, 12, index] == evaluator.weight(1, 12, index)
    assert NEUTRAL not in learned.values()
    assert set(evaluator.learned(stage=12)) >= set(learned)
    assert [one["name"] for one in evaluator.describe()] == ["edge", "corner", "diagonal"]


@pytest.mark.parametrize("place", [(3, 0, 0), (0, 30, 0), (0, 0, 6561), (-1, 0, 0), (0, 0, 2**40)])
def test_weights_that_are_not_there(evaluator, place):
    with pytest.raises(GameError, match=r"[Tt]here is no|has no index"):
        evaluator.weight(*place)


def test_fresh_tables_know_nothing(positions):
    fresh = TableEvaluator()
    assert not fresh.evaluate_many(*positions).any()
    assert fresh.learned(0, 0) == {}
    assert len(fresh.describe()) == len(_core.PatternSet.standard())


def test_sources_that_are_none(tmp_path):
    with pytest.raises(RunError, match="neither a run nor a file"):
        TableEvaluator(tmp_path / "nothing")
    (tmp_path / "x.safetensors").write_bytes(b"rubbish")
    with pytest.raises(RunError):
        TableEvaluator(tmp_path / "x.safetensors")


def test_threads_ask_while_a_learner_learns(learner, positions):
    boards, players = positions
    boards = np.tile(boards, (40, 1)).astype(np.uint8)
    players = np.tile(players, 40).astype(np.uint8)
    fixed = TableEvaluator.of(learner.tables.copy())
    expected = fixed.evaluate_many(boards, players)
    live, wrong = TableEvaluator.of(learner.tables), []

    def ask():
        for _ in range(5):
            live.evaluate_many(boards, players)
            if not np.array_equal(fixed.evaluate_many(boards, players), expected):
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    learner.train(learner.games + 256)
    for thread in threads:
        thread.join()
    assert not wrong
    assert not np.array_equal(live.evaluate_many(boards, players), expected)


def test_other_threads_run_while_positions_are_evaluated(evaluator, positions):
    boards = np.tile(positions[0], (600, 1)).astype(np.uint8)
    players = np.tile(positions[1], 600).astype(np.uint8)
    busy = threading.Thread(target=evaluator.evaluate_many, args=(boards, players))
    ticks = 0
    busy.start()
    while busy.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert ticks >= 5, "the interpreter was held all the time"
