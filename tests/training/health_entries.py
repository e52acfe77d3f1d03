"""Iterations of a run as its records have them, for the tests of learning health."""

GAMES = 1024


def entry(number, **changes):
    """An iteration of a run that learns nothing and suffers nothing."""
    figures = {
        "value_error_variance": 0.5,
        "score_variance": 900.0,
        "policy_entropy": 1.5,
        "confident_share": 0.7,
        "mean_plies": 80.0,
        "loss_total": 2.0,
        "distinct_positions": 0.95,
        "win_rate": None,
        "elo": None,
        **changes,
    }
    evaluate = None
    if figures["win_rate"] is not None:
        rate = figures["win_rate"]
        evaluate = {
            "simulations": None,
            "finished_ms": 1000 * number,
            "seconds": 10.0,
            "model": {"unit": number, "sha256": str(number)},
            "results": {
                "random": {
                    "win_rate": rate,
                    "win_rate_low": rate - 0.05,
                    "win_rate_high": rate + 0.05,
                    "player": {"key": "random"},
                },
                "previous": {"win_rate": 0.9, "player": {"unit": number - 1}},
                "solitaire": {"mean": 100 + number, "std": 40.0, "games": 400},
            },
        }
        if figures["elo"] is not None:
            evaluate["rating"] = {
                "elo": figures["elo"],
                "elo_se": 15.0,
                "standing": "rated",
                "change": figures.get("change"),
                "change_se": figures.get("change_se"),
            }
    return {
        "iteration": number,
        "finished_ms": 1000 * number + 900,
        "selfplay": {
            "games": GAMES,
            "seconds": 60.0,
            "mean_score": 100.0 + number,
            "budgets": [4],
            **{
                name: figures[name]
                for name in (
                    "value_error_variance",
                    "score_variance",
                    "policy_entropy",
                    "confident_share",
                    "mean_plies",
                )
            },
        },
        "train": {"loss_total": figures["loss_total"], "seconds": 30.0},
        "gate": {"seconds": 20.0},
        "audit": {"distinct_positions": figures["distinct_positions"]},
        **({} if evaluate is None else {"evaluate": evaluate}),
    }


def noisy(rng, number, **changes):
    """An iteration with the noise that runs of Yatzy had; every fifth is evaluated."""
    return entry(
        number,
        **{
            "value_error_variance": 0.5 * (1 + 0.03 * rng.normal()),
            "policy_entropy": 1.5 + 0.05 * rng.normal(),
            "mean_plies": 80 + 0.3 * rng.normal(),
            "loss_total": 2 + 0.02 * rng.normal(),
            "distinct_positions": 0.95 + 0.01 * rng.normal(),
            "win_rate": rng.normal(0.6, 0.03) if number % 5 == 4 else None,
            **changes,
        },
    )
