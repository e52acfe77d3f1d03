"""A learner of three small patterns, for tests that want trained tables at once."""

from pathlib import Path

from ludus.learners.td import TdLearner
from ludus.learners.td_options import TdOptions

TEXT = "edge: a1 b1 c1 d1 e1 f1 g1 h1\ncorner: a1 b1 c1 a2 b2 a3\ndiagonal: a1 b2 c3 d4"


def few_patterns(folder: Path, **options) -> TdLearner:
    """The learner, without a game."""
    patterns = folder / "few.txt"
    patterns.write_text(TEXT)
    asked = dict(
        patterns=str(patterns),
        trace_lambda=0.3,
        learning_rate=lambda game: 0.1,
        beta1=0.9,
        beta2=0.999,
        adam_epsilon=1e-8,
        error_clip=32.0,
        batch_games=64,
        epsilon=lambda game: 0.1,
    )
    return TdLearner(TdOptions(**(asked | options)), seed=3)
