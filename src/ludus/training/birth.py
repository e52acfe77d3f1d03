"""How the trainer makes a new run, or opens one: backend, fingerprint, first network."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from ludus.errors import ConfigError, UserError
from ludus.games import GameEntry, get_game
from ludus.players import parse_player
from ludus.runs import Run, SchemaIds
from ludus.training import fingerprint
from ludus.training.book import ErrorBook
from ludus.training.changing import apply_changes, change, follow, save_policy
from ludus.training.evaluating import PREVIOUS
from ludus.training.idle_options import GameFacts, idle_options
from ludus.training.keys import Given
from ludus.training.kinds import learner_of, session_class
from ludus.training.layers import load_recipe
from ludus.training.plays import game_of_run, recorded_game
from ludus.training.provenance import git_hash
from ludus.training.request import TrainRequest, current_settings
from ludus.training.session import Session
from ludus.training.settings import Settings


def open_session(request: TrainRequest, note: Callable[[str], None]) -> Session:
    """Make the run of a request or open it, ready to work; the caller closes ``session.run``.

    Raises:
        UserError: a run in use, foreign or damaged, other schema ids, or numbers that would come
            out differently here and were not accepted.
    """
    path = Path(request.path)
    session = _create(request, path) if request.create else _open(request, path, note)
    session.limits = {"iterations": request.iterations, "games": request.games}
    session.note = note
    # Only of this job: what an earlier one was told has no meaning for a new start.
    if not request.restarts or session.run.manifest.written_ms < request.asked_ms:
        session.left = None
        session.pausing = session.iteration if request.pause_at == "iteration" else None
    follow(session)
    given = {key: Given(value, "command line") for key, value in request.changes.items()}
    change(session, given, source="command")
    tell_idle_options(session, request.explicit)
    return session


def tell_idle_options(session: Session, explicit: Collection[str]) -> None:
    """Note and record the options that were given and do nothing.

    Args:
        session: of the run, with its settings in force.
        explicit: dotted keys that were given.
    """
    for sentence in idle_options(session.settings, GameFacts.of(session.entry), explicit):
        session.run.events.append("idle_option", message=sentence)
        session.note(f"note: {sentence}")


def require_opponents(settings: Settings, entry: GameEntry) -> None:
    """Refuse opponents of evaluations that are no players.

    Raises:
        UserError: naming the first that is none.
    """
    for opponent in settings.evaluation.opponents:
        if opponent not in ("first", PREVIOUS):
            parse_player(opponent, entry)


def _create(request: TrainRequest, path: Path) -> Session:
    recipe = load_recipe(request.recipe)
    entry = get_game(request.game)
    rules = entry.rules
    settings = Settings.model_validate(request.settings)
    require_opponents(settings, entry)  # refused now, not at the first evaluation
    kind = session_class(recipe.learner)
    settings = apply_changes(settings, kind.fixed(settings, rules))
    resolved = {
        **settings.model_dump(mode="json"),
        "recipe": recipe.name,
        "preset": request.preset,
        "game": entry.source,
        "game_name": entry.name,
        "learner": recipe.learner,
        "environment": kind.fingerprint(settings, rules),
    }
    weights = None
    if request.init_from:
        resolved["init_from"] = request.init_from
        weights = kind.weights_of(request.init_from, settings, rules)
    run = Run.create(
        path,
        recipe=recipe.name,
        asked=request.asked.encode("utf-8", "surrogateescape"),
        resolved=resolved,
        seed=settings.run.seed,
        schema=SchemaIds(
            feature_schema_id=rules.encoder_id,
            action_space_id=rules.action_space_id,
            ruleset_id=rules.rules_id,
        ),
        git_hash=git_hash(),
        policy=save_policy(settings),
    )
    try:
        session = kind(run, entry, settings, 1)
        session.begin(weights)
    except BaseException:
        run.close()
        raise
    return session


def _open(request: TrainRequest, path: Path, note: Callable[[str], None]) -> Session:
    restarted = bool(request.restarts)
    run = Run.open(path, write=True, keep_commands=restarted)
    try:
        settings = current_settings(run)
        for notice in run.notices:
            note(notice)
        entry = game_of_run(run, request.game or None)
        kind = session_class(learner_of(run))
        kind.require_here(run, settings)
        accepted = _environment(run, settings, entry.rules, request.accept_change, note)
        session = kind(run, entry, settings, 1)
        if run.fresh:
            source = run.config.get("init_from")
            session.begin(kind.weights_of(source, settings, entry.rules) if source else None)
        else:
            session.book = ErrorBook.from_json(run.manifest.progress.get("guards"))
            session.restore()
        run.control.settle(run.manifest.progress.get("obeyed") or ())
        session.environment = accepted
        if request.game and request.game != recorded_game(run):
            session.game = request.game
            run.events.append("game_moved", now=request.game)
            note(f"{path} plays {request.game} from now on")
        changed = git_hash()
        if changed != run.manifest.git_hash:
            run.events.append("code_changed", before=run.manifest.git_hash, now=changed)
    except BaseException:
        run.close()
        raise
    return session


def changes_of_environment(
    run: Run, settings: Settings, rules: Any
) -> tuple[list[str], dict[str, Any]]:
    """What is not as it was where a run was made, as far as numbers can depend on it.

    Args:
        run: the run.
        settings: of it.
        rules: of its game.

    Returns: a text for each difference, and the fingerprint of here and now.

    Raises:
        ConfigError: the run does not say where it was made.
    """
    stored = run.manifest.progress.get("environment") or run.config.get("environment")
    if not isinstance(stored, dict):
        raise ConfigError(f"{run.path}/config.resolved.yaml does not say where the run was made")
    now = session_class(learner_of(run)).fingerprint(settings, rules)
    return fingerprint.differences(stored, now), now


def _environment(
    run: Run, settings: Settings, rules: Any, accept: bool, note: Callable[[str], None]
) -> dict[str, Any] | None:
    """Numbers must come out as where the run was made, or the change is accepted and recorded.

    Returns: the environment that was accepted instead of that of the run's birth, if any.

    Raises:
        UserError: they do not, and the run is deterministic.
    """
    earlier = run.manifest.progress.get("environment")
    found, now = changes_of_environment(run, settings, rules)
    if not found:
        return earlier
    text = "; ".join(found)
    if settings.run.deterministic and not accept:
        raise UserError(
            f"numbers would come out differently than where the run {run.path} was made: {text}; "
            "go on there, or here with --accept-change"
        )
    run.events.append("environment_changed", accepted=accept, differences=found, now=now)
    note(f"going on although the environment changed: {text}")
    return now
