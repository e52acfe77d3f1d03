"""Compares variants of a recipe that have the same time to learn.

    python tools/ablation.py tools/ablation_yatzy.yaml OUT --minutes 10 --seeds 1 2 --pairs 500

Every variant is trained once for each seed, in a folder of its own, by the real training code on
one lane, until its trainer has used up its minutes of processor time: not wall time, so that
neighbours and other jobs disturb little. Then its champion meets the champion of the variant
``base`` of the same seed, and fixed opponents, over seed pairs, in evaluation settings: all
champions play with the search of ``base``, so that what is compared is what was learned.

Each result is a file in ``OUT/results``. Interrupt it when you like: the same command goes on, a
training in its middle. ``--table`` prints what there is so far.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from ludus.errors import LudusError, UserError

BASE = "base"
_INTERRUPTED = 130


@dataclass(frozen=True)
class Plan:
    """What is compared, and how long.

    Attributes:
        recipe: name of the recipe.
        minutes: processor time of a training.
        pairs: seed pairs of a match.
        against: player specifications that every champion meets.
        common: settings of all variants, as ``key=value``.
        variants: settings of each variant by name; ``base`` is among them.
    """

    recipe: str
    minutes: float
    pairs: int
    against: tuple[str, ...]
    common: tuple[str, ...]
    variants: Mapping[str, tuple[str, ...]]


def read_variants(path: Path) -> dict[str, Any]:
    """The file of variants with its names replaced: ``$name=value`` sets all keys of ``names``.

    Raises:
        UserError: no such file, or one of another form.
    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict) or not isinstance(data.get("variants"), dict):
        raise UserError(f"{path} must hold recipe, names, common and variants")
    names: dict[str, list[str]] = data.get("names") or {}

    def settings(where: str, given: object) -> tuple[str, ...]:
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            raise UserError(f"{path}: {where} must be a list of key=value")
        found: list[str] = []
        for text in given:
            key, _, value = text.partition("=")
            if key.startswith("$") and key[1:] not in names:
                raise UserError(f"{path}: {where} has {key}, which is not among names")
            keys = names[key[1:]] if key.startswith("$") else [key]
            found += [f"{one}={value}" for one in keys]
        return tuple(found)

    variants = {str(name): settings(str(name), given) for name, given in data["variants"].items()}
    if BASE not in variants:
        raise UserError(f"{path} has no variant {BASE!r} to compare with")
    bad = [name for name in variants if not name.replace("-", "").replace("_", "").isalnum()]
    if bad:
        raise UserError(f"{path}: the name {bad[0]!r} must be of letters, digits, - and _")
    return {
        "recipe": str(data.get("recipe", "")),
        "common": settings("common", data.get("common") or []),
        "variants": variants,
    }


def check_settings(plan: Plan) -> None:
    """Refuse variants whose settings are refused, before anything is trained.

    Raises:
        UserError: with the name of the variant.
    """
    from ludus.training.layers import Asked, load_recipe, resolve

    recipe = load_recipe(plan.recipe)
    for name, settings in plan.variants.items():
        try:
            resolve(recipe, Asked(assignments=[*plan.common, *settings]))
        except UserError as error:
            raise UserError(f"variant {name}: {error}") from None


def agree(out: Path, plan: Plan) -> None:
    """Take up the folder of results, or begin it.

    Raises:
        UserError: it holds results of another comparison; further variants are welcome.
    """
    path = out / "plan.json"
    now = json.loads(json.dumps(asdict(plan)))
    if path.exists():
        before = json.loads(path.read_text("utf-8"))
        variants = {**before["variants"], **now["variants"]}
        for key in ("recipe", "minutes", "pairs", "common"):
            if before[key] != now[key]:
                raise UserError(f"{out} was begun with {key} = {before[key]}, not {now[key]}")
        for name, settings in before["variants"].items():
            if variants[name] != settings:
                raise UserError(f"{out} has results of variant {name} with {settings}")
        now["variants"] = variants
    (out / "results").mkdir(parents=True, exist_ok=True)
    write_json(path, now)


def write_json(path: Path, document: object) -> None:
    """Replace a file in one step."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    new.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """A file of results, or None if there is none yet."""
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else None


# ---- jobs, each in a process of its own


class Stop:
    """Whether the end was asked for, by Ctrl-C or SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def train(job: Mapping[str, Any], stop: Stop) -> dict[str, Any] | None:
    """Train until the processor time is used up; None if interrupted before."""
    from ludus.runs import Run
    from ludus.training.birth import open_session
    from ludus.training.loop import Loop
    from ludus.training.messages import Sender
    from ludus.training.request import TrainRequest

    path, clock = Path(job["run"]), Path(job["result"]).with_suffix(".clock.json")
    request = TrainRequest.make(
        job["recipe"], run=path, seed=job["seed"], assignments=job["settings"], environment={}
    )
    # Time before the last commit counts, time after it is as lost as the work.
    spent = float((read_json(clock) or {"seconds": 0.0})["seconds"])
    budget = 60.0 * float(job["minutes"])
    session = open_session(request, lambda text: None)
    began = time.process_time()  # loading the program is not learning
    committed = session.run.manifest.sequence

    def used_up() -> bool:
        nonlocal committed
        seconds = spent + time.process_time() - began
        if session.run.manifest.sequence != committed:
            committed = session.run.manifest.sequence
            write_json(clock, {"seconds": seconds})
        return stop.asked or seconds >= budget

    with session.run:
        if spent < budget:
            Loop(session, request, Sender(None), used_up).run()
    seconds = spent + time.process_time() - began
    write_json(clock, {"seconds": seconds})
    if seconds < budget:
        return None
    run = Run.open(path, write=False)
    return {
        "cpu_seconds": seconds,
        "games": run.manifest.counters.get("selfplay_games", 0),
        "steps": run.manifest.counters.get("train_step", 0),
        "iterations": int(run.manifest.progress["iteration"]),
        "promotions": sum(bool(entry.get("promoted")) for entry in run.iterations),
        "champion": run.manifest.objects["champion"].sha256,
    }


def match(job: Mapping[str, Any], stop: Stop) -> dict[str, Any] | None:
    """A champion against another one or a fixed opponent; None if interrupted."""
    from ludus.arena import Match, MatchSettings, SeedSet
    from ludus.games import get_game
    from ludus.players import Player, SearchPlayer, parse_player
    from ludus.players.search import search_player, settings_of_run
    from ludus.runs import Run

    base = Run.open(job["base"], write=False)
    entry = get_game(str(base.config["game"]))
    search = settings_of_run(base.config, entry.rules)

    def champion(run: str, name: str) -> SearchPlayer:
        overrides = dict(search)
        if not Run.open(run, write=False).config["model"]["margin_head"]:
            overrides["margin_weight"] = 0.0  # it has no margin to weigh
        return search_player(entry.rules, run, overrides=overrides, name=name)

    other: Player = (
        champion(job["base"], BASE)
        if job["against"] == BASE
        else parse_player(job["against"], entry)
    )
    played = Match(
        entry.rules,
        champion(job["run"], job["variant"]),
        other,
        SeedSet.generate(int(job["seed"]), int(job["pairs"]), purpose="ablation"),
        MatchSettings(lanes=1, rows=128),
    )
    with played:
        while played.advance(0.5):
            if stop.asked:
                return None
        return played.result().as_json()


def work(text: str) -> int:
    """One job, described as JSON; its result is a file."""
    from ludus.training.trainer import die_with_parent

    die_with_parent()
    job = json.loads(text)
    import torch

    torch.set_num_threads(1)
    stop = Stop()
    try:
        result = (train if job["kind"] == "train" else match)(job, stop)
    except (LudusError, OSError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if result is None:
        return _INTERRUPTED
    write_json(Path(job["result"]), result)
    # Lanes may still run: there is nothing left to clean up.
    sys.stderr.flush()
    os._exit(0)


# ---- the whole


def run_job(job: Mapping[str, Any]) -> str:
    """Run a job to its end; the answer says what went wrong, an empty text nothing."""
    if Path(job["result"]).exists():
        return ""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    environment.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--job", json.dumps(job)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    if done.returncode == _INTERRUPTED:
        return "interrupted"
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"ended with code {done.returncode}"


def jobs_of(plan: Plan, out: Path, variant: str, seed: int) -> list[dict[str, Any]]:
    """The training of a variant and its matches, in order."""
    run = out / "runs" / f"{variant}-{seed}"
    job = {"variant": variant, "seed": seed, "run": str(run)}
    jobs: list[dict[str, Any]] = [
        {
            **job,
            "kind": "train",
            "recipe": plan.recipe,
            "minutes": plan.minutes,
            "settings": [*plan.common, *plan.variants[variant]],
            "result": str(out / "results" / f"{variant}-{seed}.train.json"),
        }
    ]
    opponents = [*([] if variant == BASE else [BASE]), *plan.against]
    for against in opponents:
        name = "".join(letter if letter.isalnum() else "-" for letter in against)
        jobs.append(
            {
                **job,
                "kind": "match",
                "against": against,
                "base": str(out / "runs" / f"{BASE}-{seed}"),
                "pairs": plan.pairs,
                "result": str(out / "results" / f"{variant}-{seed}.match-{name}.json"),
            }
        )
    return jobs


def compare(plan: Plan, out: Path, seeds: Sequence[int], at_once: int) -> int:
    """Train and play all that is missing; returns how many jobs failed."""
    failures = 0
    for seed in seeds:
        rows = [jobs_of(plan, out, variant, seed) for variant in plan.variants]
        for stage in ([row[0] for row in rows], [job for row in rows for job in row[1:]]):
            ready = [
                job
                for job in stage
                if job["kind"] == "train"
                # Half-learned champions meet nobody.
                or all(
                    (out / "results" / f"{name}-{seed}.train.json").exists()
                    for name in (job["variant"], BASE)
                )
            ]
            with ThreadPoolExecutor(at_once) as pool:
                waiting = {pool.submit(run_job, job): job for job in ready}
                try:
                    for future in as_completed(waiting):
                        job, problem = waiting[future], future.result()
                        failures += bool(problem)
                        what = job["kind"] + (f" {job['against']}" if "against" in job else "")
                        name = f"{job['variant']}, seed {seed}, {what}"
                        print(f"{name}: {problem or 'done'}", file=sys.stderr, flush=True)
                except KeyboardInterrupt:
                    # Jobs got the signal too: they commit and end.
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
    return failures


def table(plan: Plan, out: Path, seeds: Sequence[int]) -> str:
    """Markdown of all results so far."""
    head = ["variant", "changed", "games", "promotions", *[f"vs base, seed {s}" for s in seeds]]
    head += ["vs base, all"] if len(seeds) > 1 else []
    head += [f"{title} {name}" for name in plan.against for title in ("vs", "points against")]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for variant, settings in plan.variants.items():
        found = [
            [read_json(Path(job["result"])) for job in jobs_of(plan, out, variant, s)]
            for s in seeds
        ]
        trained = [row[0] for row in found if row[0] is not None]
        cells = [variant, ", ".join(f"`{text}`" for text in settings) or "-"]
        cells += [_mean_of(trained, "games"), _mean_of(trained, "promotions")]
        first = 1 if variant == BASE else 2
        versus = [None if variant == BASE else row[1] for row in found]
        cells += [_share([result]) for result in versus]
        cells += [_share(versus)] if len(seeds) > 1 else []
        for column in range(len(plan.against)):
            results = [row[first + column] for row in found]
            cells.append(_share(results))
            points = [float(r["mean_scores"][0]) for r in results if r is not None]
            cells.append(f"{sum(points) / len(points):.1f}" if points else "-")
        lines.append(f"| {' | '.join(cells)} |")
    about = (
        f"Recipe `{plan.recipe}`, {plan.minutes:g} minutes of processor time a training, "
        f"{plan.pairs} seed pairs a match, 95 % intervals of the matches (they do not hold how "
        "trainings of other seeds would differ)."
    )
    common = ", ".join(f"`{text}`" for text in plan.common) or "nothing"
    return "\n".join([about, f"Set for all: {common}.", "", *lines])


def _mean_of(results: Sequence[Mapping[str, Any]], key: str) -> str:
    numbers = [float(result[key]) for result in results]
    return f"{sum(numbers) / len(numbers):,.0f}" if numbers else "-"


def _share(results: Sequence[Mapping[str, Any] | None]) -> str:
    """Win rate with its interval; of several matches their mean, as far as they are played."""
    known = [result for result in results if result is not None]
    if not known:
        return "-"
    if len(known) == 1:
        low, high = known[0]["win_rate_low"], known[0]["win_rate_high"]
        return f"{known[0]['win_rate']:.1%} [{low:.1%}, {high:.1%}]"
    rate = sum(float(result["win_rate"]) for result in known) / len(known)
    error = math.sqrt(sum(float(result["win_rate_se"]) ** 2 for result in known)) / len(known)
    return f"{rate:.1%} [{max(0.0, rate - 1.96 * error):.1%}, {min(1.0, rate + 1.96 * error):.1%}]"


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    if len(arguments) == 2 and arguments[0] == "--job":
        return work(arguments[1])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("variants", type=Path, help="YAML: recipe, names, common, variants")
    parser.add_argument("out", type=Path, help="folder of runs and results")
    parser.add_argument("--minutes", type=float, default=10.0, help="processor time of a training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--pairs", type=int, default=500, help="seed pairs of a match")
    parser.add_argument("--against", nargs="*", default=["greedy"], help="further opponents")
    parser.add_argument("--jobs", type=int, default=1, help="jobs at once")
    parser.add_argument("--only", nargs="+", default=[], help="these variants, and base")
    parser.add_argument("--set", action="append", default=[], help="key=value for all variants")
    parser.add_argument("--table", action="store_true", help="only print what there is")
    asked = parser.parse_args(arguments)
    try:
        if asked.minutes <= 0 or asked.pairs < 1 or asked.jobs < 1:
            raise UserError("--minutes, --pairs and --jobs must be above 0")
        found = read_variants(asked.variants)
        unknown = [name for name in asked.only if name not in found["variants"]]
        if unknown:
            raise UserError(f"there is no variant {unknown[0]!r} in {asked.variants}")
        chosen = {
            name: settings
            for name, settings in found["variants"].items()
            if not asked.only or name in (BASE, *asked.only)
        }
        common = (*found["common"], *asked.set)
        plan = Plan(
            found["recipe"], asked.minutes, asked.pairs, tuple(asked.against), common, chosen
        )
        failures = 0
        if not asked.table:
            check_settings(plan)
            agree(asked.out, plan)
            failures = compare(plan, asked.out, asked.seeds, asked.jobs)
        text = table(plan, asked.out, asked.seeds)
        print(text)
        if not asked.table:
            (asked.out / "table.md").write_text(text + "\n", "utf-8")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return _INTERRUPTED
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
