"""Pattern sets and tables from Python: contents, scores, symmetry, arrays, bad input."""

import re

import numpy as np
import pytest
from tests.twins import td_twin as twin

from ludus import _core
from ludus.errors import GameError

SMALL = "corner: a1 b1 a2 b2\nedge: a1 b1 c1 d1 e1 f1\ncentre: d4 e4 d5 e5\nodd: b1 c2 d2"


def squares_of(pattern_set):
    return [pattern_set.describe(i)["placements"][0] for i in range(len(pattern_set))]


def random_boards(count, seed=1):
    """Boards of random games, at all stages, with the side to move."""
    random = np.random.default_rng(seed)
    boards, sides = [], []
    while len(boards) < count:
        cells, side = twin.start(), 1
        for _ in range(int(random.integers(0, 60))):
            choices = twin.moves(cells, side)
            if choices:
                cells = twin.after(cells, side, int(random.choice(choices)))
            side = 3 - side
        boards.append(cells)
        sides.append(side)
    return np.array(boards, np.uint8), np.array(sides, np.uint8)


def filled(pattern_set, seed=3):
    """Tables with random weights, equal where a pattern's symmetry says so."""
    random = np.random.default_rng(seed)
    tables = _core.PatternTables(pattern_set)
    weights = np.array(tables.all())
    for i in range(len(pattern_set)):
        described = pattern_set.describe(i)
        slots = pattern_set.slots_of(i)
        values = random.integers(0, 65536, (30, described["slots"]), dtype=np.uint16)
        at = described["first_entry"]
        weights[:, at : at + described["contents"]] = values[:, slots]
    tables.load(weights)
    return tables


@pytest.mark.parametrize("text", [None, SMALL])
def test_scores_are_those_of_the_twin(text):
    chosen = _core.PatternSet.parse(text) if text else _core.PatternSet.standard()
    tables = filled(chosen)
    patterns = [twin.Pattern(squares) for squares in squares_of(chosen)]
    boards, sides = random_boards(40)
    scores = tables.evaluate(boards, sides)
    for cells, side, score in zip(boards.tolist(), sides.tolist(), scores.tolist(), strict=True):
        stage = min(29, (64 - cells.count(0) - 4) // 2)
        total = 0
        for i, pattern in enumerate(patterns):
            for placed in pattern.placements:
                contents = pattern.contents(cells, side, placed)
                total += tables.weight(i, stage, contents) - 32768
                assert tables.weight(i, stage, contents) == tables.weights(i, stage)[contents]
        assert score == total


def test_standard_set():
    chosen = _core.PatternSet.standard()
    assert (len(chosen), chosen.instances, chosen.entries, chosen.stages) == (14, 56, 481_140, 30)
    assert chosen.stages * chosen.entries == 14_434_200
    for i, squares in enumerate(squares_of(chosen)):
        pattern = twin.Pattern(squares)
        described = chosen.describe(i)
        theirs = sorted(map(sorted, described["placements"]))
        assert theirs == sorted(map(sorted, pattern.placements))
        assert len(theirs) == 4
        assert described["order"] == 2


def test_folding_is_that_of_the_twin():
    chosen = _core.PatternSet.parse(SMALL)
    for i, squares in enumerate(squares_of(chosen)):
        pattern = twin.Pattern(squares)
        slots = chosen.slots_of(i)
        least = [pattern.least(c) for c in range(len(slots))]
        assert len(set(least)) == chosen.describe(i)["slots"] == len(set(slots.tolist()))
        assert (slots == slots[least]).all()


def test_symmetric_boards_score_the_same_and_colours_do_not_matter():
    tables = filled(_core.PatternSet.standard())
    boards, sides = random_boards(50)
    scores = tables.evaluate(boards, sides)
    square = boards.reshape(-1, 8, 8)
    for base in (square, square.transpose(0, 2, 1)):
        for turns in range(4):
            image = np.ascontiguousarray(np.rot90(base, turns, (1, 2)).reshape(-1, 64))
            assert (tables.evaluate(image, sides) == scores).all()
    swapped = np.where(boards == 0, 0, 3 - boards).astype(np.uint8)
    assert (tables.evaluate(swapped, (3 - sides).astype(np.uint8)) == scores).all()
    bits = np.uint64(1) << np.arange(64, dtype=np.uint64)
    own = ((boards == sides[:, None]) * bits).sum(1, dtype=np.uint64)
    opp = (((boards != sides[:, None]) & (boards > 0)) * bits).sum(1, dtype=np.uint64)
    assert (tables.evaluate_words(np.stack([own, opp], 1)) == scores).all()


def test_arrays_of_tables():
    tables = filled(_core.PatternSet.parse(SMALL))
    everything = tables.all()
    assert everything.shape == (30, tables.set.entries)
    assert not everything.flags.writeable
    other = _core.PatternTables(tables.set)
    assert (other.all() == 32768).all()
    other.load(everything)
    twin_tables = other.copy()
    other.load(np.full_like(everything, 32768))
    assert (twin_tables.all() == everything).all()
    del tables
    assert everything.sum() > 0  # the view keeps its tables alive


def test_contents_of_the_start():
    tables = _core.PatternTables()
    centre = tables.set.describe(12)
    contents = tables.contents(1 << 28 | 1 << 35, 1 << 27 | 1 << 36)
    # c3 d3 e3 f3 c4 d4 e4 f4: d4 is the other's (2), e4 the mover's (1).
    assert contents[centre["first_instance"]] == 2 * 3**5 + 1 * 3**6
    assert contents.shape == (56,)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda t: _core.PatternSet([]), "A pattern set needs at least one pattern."),
        (lambda t: _core.PatternSet([("x", [])]), "Pattern 'x' has no squares."),
        (lambda t: _core.PatternSet([("x", [3, 3])]), "Pattern 'x' has d1 twice."),
        (
            lambda t: _core.PatternSet([("x", [64])]),
            "Pattern 'x' has square 64, which is not on the board (0 = a1 to 63 = h8).",
        ),
        (
            lambda t: _core.PatternSet([("x", list(range(11)))]),
            "Pattern 'x' has 11 squares; at most 10 are possible.",
        ),
        (
            lambda t: _core.PatternSet([("row", [0, 1]), ("column", [0, 8])]),
            "Pattern 'column' covers the same squares as pattern 'row'.",
        ),
        (
            lambda t: _core.PatternSet.parse("a: a1\nb: a1 i1"),
            "Line 2 of the pattern set: pattern 'b' has 'i1', which is no square; "
            "squares are a1 to h8.",
        ),
        (
            lambda t: _core.PatternSet.parse("a1 b1"),
            "Line 1 of the pattern set is not of the form 'name: a1 b1 c1'.",
        ),
        (lambda t: t.weight(14, 0, 0), "There is no pattern 14; the set has patterns 0 to 13."),
        (lambda t: t.weights(0, 30), "There is no stage 30; stages are 0 to 29."),
        (
            lambda t: t.weight(13, 0, 2187),
            "Pattern 13 has no index 2187; its indices are 0 to 2186.",
        ),
        (
            lambda t: t.load(np.zeros((29, 481_140), np.uint16)),
            "Tables have 30 rows, one a stage, not 29.",
        ),
        (
            lambda t: t.load(np.zeros((30, 5), np.uint16)),
            "These tables have 14434200 weights, not 150.",
        ),
        (
            lambda t: t.evaluate(np.zeros((1, 63), np.uint8), np.ones(1, np.uint8)),
            "A board has 64 cells, not 63.",
        ),
        (
            lambda t: t.evaluate(np.zeros((2, 64), np.uint8), np.ones(1, np.uint8)),
            "Boards have 64 cells each: 1 of them have 64 cells, not 128.",
        ),
        (
            lambda t: t.evaluate(np.full((1, 64), 3, np.uint8), np.ones(1, np.uint8)),
            "Board 0 has 3 on a1; a cell is 0 (empty), 1 (black) or 2 (white).",
        ),
        (
            lambda t: t.evaluate(np.zeros((1, 64), np.uint8), np.zeros(1, np.uint8)),
            "Board 0 has 0 as the side to move, which is 1 (black) or 2 (white).",
        ),
        (
            lambda t: t.evaluate_words(np.array([[6, 4]], np.uint64)),
            "Board 0 has two discs on c1.",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    tables = _core.PatternTables()
    with pytest.raises(GameError, match=f"^{re.escape(sentence)}$"):
        call(tables)
