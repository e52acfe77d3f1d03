"""Prints the tables of docs/arena.md: statistics of the arena on simulated games of known truth.

``python -m tools.statistics_tables [--trials N] [--seed S]``; a thousand trials take some minutes.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from ludus.arena import stats
from ludus.arena.pairings import Floats, ResultTable
from ludus.arena.ratings import elo_difference, expected_score, rate
from ludus.arena.schedule import next_pairing

SCORES = np.array(stats.PAIR_SCORES)
YATZY = np.array([0.22, 0.02, 0.52, 0.02, 0.22])  # pairs of two Yatzy players of equal strength
INDEPENDENT = np.array([0.25, 0.0, 0.5, 0.0, 0.25])
DRAWISH = np.array([0.02, 0.18, 0.6, 0.18, 0.02])


def tilted(shares: Floats, mean: float) -> Floats:
    """The distribution of that mean that is nearest to ``shares`` (exponential tilting)."""
    low, high = -60.0, 60.0
    weights = shares
    for _ in range(100):
        tilt = 0.5 * (low + high)
        weights = shares * np.exp(tilt * (SCORES - 0.5))
        weights = weights / weights.sum()
        low, high = (tilt, high) if weights @ SCORES < mean else (low, tilt)
    return weights


def pairs_of(shares: Floats, mean: float, count: int, random: np.random.Generator) -> Floats:
    """Scores of simulated pairs."""
    return random.choice(SCORES, count, p=tilted(shares, mean))


def sprt_row(
    name: str, test: stats.Sprt, shares: Floats, truth: float, cap: int, trials: int, seed: int
) -> str:
    """A line: how often each verdict came, and what the win rate at the stop was."""
    random = np.random.default_rng(seed)
    verdicts = {"H0": 0, "H1": 0, None: 0}
    lengths, rates, covered = [], [], 0
    for _ in range(trials):
        scores = pairs_of(shares, truth, cap, random)
        verdict, pairs, _ = stats.sprt_walk(test, scores.tolist())
        verdicts[verdict] += 1
        found = stats.pair_rate(scores[:pairs])
        lengths.append(pairs)
        rates.append(found.rate)
        covered += found.low <= truth <= found.high
    return (
        f"| {name} | {truth:.2%} | {verdicts['H0'] / trials:.1%} | {verdicts['H1'] / trials:.1%} "
        f"| {verdicts[None] / trials:.1%} | {np.mean(lengths):.0f} | {np.mean(rates):.2%} "
        f"| {covered / trials:.1%} |"
    )


def sprt_tables(trials: int, seed: int) -> None:
    """Error rates of sequential tests."""
    print(
        "| test | true win rate | H0 | H1 | cap | pairs | win rate at stop | 95 % interval |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    wide = stats.Sprt(expected_score(0), expected_score(40))
    for name, shares in (
        ("0 / 40 Elo", YATZY),
        ("0 / 40 Elo, independent games", INDEPENDENT),
        ("0 / 40 Elo, many draws", DRAWISH),
    ):
        for truth in (wide.null, wide.alternative):
            print(sprt_row(name, wide, shares, truth, 5000, trials, seed), flush=True)
    strict = stats.Sprt(expected_score(0), expected_score(40), 0.01, 0.10)
    for truth in (strict.null, strict.alternative):
        print(
            sprt_row("0 / 40 Elo, 1 % and 10 %", strict, YATZY, truth, 5000, trials, seed),
            flush=True,
        )
    for truth in (0.47, 0.485, 0.495, 0.505, 0.515, 0.53):
        row = sprt_row("gate, cap 1,000", stats.Sprt(), YATZY, truth, 1000, trials // 4, seed)
        print(row, flush=True)


def coverage(
    pairs: int,
    shares: Floats,
    trials: int,
    seed: int,
    *,
    shared: bool = False,
    adaptive: bool = False,
) -> str:
    """How often a 95 % interval of a difference of ratings holds the truth, and other figures."""
    random = np.random.default_rng(seed)
    hits = total = 0
    fits, spreads = [], []
    for _ in range(trials):
        truth = random.normal(0.0, 120.0, 6)
        names = [f"p{i}" for i in range(6)]
        table = ResultTable(names)
        luck = random.random(pairs)

        def play(
            i: int,
            j: int,
            key: str | None,
            draw: Floats,
            at: ResultTable = table,
            strengths: Floats = truth,
            who: list[str] = names,
        ) -> None:
            shape = tilted(shares, expected_score(float(strengths[i] - strengths[j])))
            scores = SCORES[np.searchsorted(np.cumsum(shape)[:-1], draw, side="right")]
            at.add_pairs(who[i], who[j], scores, seeds=key)

        if adaptive:
            for _ in range(15):
                chosen = next_pairing(table, names, 2 * pairs)
                assert chosen is not None
                play(names.index(chosen[0]), names.index(chosen[1]), None, random.random(pairs))
        else:
            for i in range(6):
                for j in range(i + 1, 6):
                    if j == i + 1 or random.random() < 0.6:
                        play(
                            i, j, "s" if shared else None, luck if shared else random.random(pairs)
                        )
        ratings = rate(table)
        if ratings.fit["p"] is not None:
            fits.append(ratings.fit["p"] < 0.05)
        for i in range(6):
            for j in range(i):
                gap, error = ratings.difference(names[i], names[j])
                if math.isfinite(error):
                    total += 1
                    hits += abs(gap - float(truth[i] - truth[j])) <= 1.96 * error
                    spreads.append(error)
    held, error = f"{hits / total:.1%} of {total}", np.median(spreads)
    return f"{held} | {error:.0f} | {np.mean(fits):.1%} of {trials}"


def coverage_table(trials: int, seed: int) -> None:
    """Intervals of ratings."""
    print(
        "\n| pairs a pairing | pairs like | 95 % interval holds | median error | 5 % test of fit |"
    )
    print("|---|---|---|---|---|")
    for pairs in (8, 32, 200):
        for name, shares in (("Yatzy", YATZY), ("many draws", DRAWISH)):
            print(f"| {pairs} | {name} | {coverage(pairs, shares, trials, seed)} |", flush=True)
    print(f"| 32 | Yatzy, same seeds | {coverage(32, YATZY, trials, seed, shared=True)} |")
    adaptive = coverage(32, YATZY, trials // 4, seed, adaptive=True)
    print(f"| 32 | Yatzy, ladder's choice | {adaptive} |", flush=True)


def bound_table(trials: int, seed: int) -> None:
    """One-sided bounds of players that won everything, at the strength where they fail most."""
    print(
        "\n| pairs | true difference | games of a pair | all won | bound above the truth |\n"
        "|---|---|---|---|---|"
    )
    random = np.random.default_rng(seed)
    for pairs in (8, 32):
        score = 0.049 ** (1.0 / pairs)
        for name, alike in (("independent", False), ("always alike", True)):
            won = failed = 0
            for _ in range(trials):
                games = random.random((pairs, 2)) < score
                games[:, 1] = games[:, 0] if alike else games[:, 1]
                table = ResultTable()
                table.add_pairs("a", "b", games.mean(axis=1))
                bound = rate(table, anchor="b").bound("a")
                if bound is not None:
                    won += 1
                    failed += bound - 1000.0 > elo_difference(score)
            print(
                f"| {pairs} | {elo_difference(score):.0f} | {name} | {won / trials:.1%} "
                f"| {failed / trials:.1%} |",
                flush=True,
            )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{options.trials} trials, seed {options.seed}; 40 Elo = {expected_score(40):.3%}, "
          f"51.5 % = {elo_difference(0.515):.1f} Elo")  # fmt: skip
    sprt_tables(options.trials, options.seed)
    coverage_table(options.trials, options.seed)
    bound_table(options.trials, options.seed)


if __name__ == "__main__":
    main()
