"""``ludus alerts``: rules in force, what is active, the figures there are, and a test alert."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.output import note, print_json, printable, say, table
from ludus.cli.status import RUN_OPTION, chosen_run

if TYPE_CHECKING:
    from ludus.training.alerts.rules import Listed
    from ludus.training.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("alerts")(alerts)


def alerts(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[test] [RUN]",
            help="Run directory; after the word test, send a test alert by its settings.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[Path | None, RUN_OPTION] = None,
    figures: Annotated[
        bool, typer.Option("--figures", help="List the figures that rules may name.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> int:
    """List a run's alert rules and what is active, or send a test alert."""
    from ludus.errors import UserError

    named = list(words or ())
    test = bool(named) and named[0] == "test"
    if test:
        named.pop(0)
    if len(named) > 1:
        raise UserError(f"one run at a time: {' '.join(named)}")
    argument = Path(named[0]) if named else None
    if test:
        return _send_test(chosen_run(run, argument), json=json)
    if figures:
        _show_figures(_status_of(run, argument), json=json)
        return 0
    _show_rules(run, argument, json=json)
    return 0


def _path(run: Path | None, argument: Path | None) -> Path | None:
    """The run that is meant; None when none is named and there is none below ``runs/``."""
    from ludus.runs import list_runs

    if run is None and argument is None and not list_runs("runs"):
        return None
    return chosen_run(run, argument)


def _status_of(run: Path | None, argument: Path | None) -> Mapping[str, Any]:
    from ludus.runs import read_status

    path = _path(run, argument)
    return {} if path is None else read_status(path) or {}


def _settings_of(path: Path | None) -> Settings:
    from ludus.runs import Run
    from ludus.training.request import current_settings
    from ludus.training.settings import Settings

    return Settings() if path is None else current_settings(Run.open(path, write=False))


def _show_figures(status: Mapping[str, Any], *, json: bool) -> None:
    from ludus.training.catalogue import CATALOGUE

    values = status.get("figures") or {}
    if json:
        print_json(
            [
                {
                    "name": one.name,
                    "kind": one.kind,
                    "about": one.about,
                    "value": values.get(one.name),
                }
                for one in CATALOGUE
            ]
        )
        return
    rows = [(one.name, one.kind, _value(values.get(one.name)), one.about) for one in CATALOGUE]
    say(table(("figure", "kind", "now", "what"), rows))


def _show_rules(run: Path | None, argument: Path | None, *, json: bool) -> None:
    from ludus.runs import read_status
    from ludus.training.alerts.rules import listed

    path = _path(run, argument)
    settings = _settings_of(path)
    status = {} if path is None else read_status(path) or {}
    values = status.get("figures") or {}
    active = [one for one in status.get("alerts") or () if isinstance(one, Mapping)]
    found = listed(settings)
    ways = settings.alerts
    if json:
        print_json(
            {
                "run": None if path is None else str(path),
                "rules": [
                    {
                        **one.rule.model_dump(mode="json"),
                        "origin": one.origin,
                        "off": one.off,
                        "about": one.about,
                        "value": values.get(one.rule.metric),
                    }
                    for one in found
                ],
                "active": active,
                "command": list(ways.command),
                "webhook": ways.webhook is not None,
            }
        )
        return
    if path is None:
        note("there is no run below runs/: these are the rules that a run would have")
    else:
        say(f"{path}: {_active_text(active)}")
    for one in active:
        say(f"  {one.get('severity')!s:<8} {printable(one.get('message'))}, {_since(one)}")
    rows = [_row(one, values, {str(one.get("name")) for one in active}) for one in found]
    say(table(("rule", "metric", "now", "limit", "for", "severity", "action", "state"), rows))
    out = [
        *(["command " + printable(ways.command[0])] if ways.command else []),
        *(["webhook"] if ways.webhook is not None else []),
    ]
    say(f"out of the machine: {' and '.join(out) if out else 'off'}")


def _active_text(active: list[Mapping[str, Any]]) -> str:
    if not active:
        return "no alert is active"
    return f"{len(active)} alert{'s are' if len(active) > 1 else ' is'} active"


def _since(alert: Mapping[str, Any]) -> str:
    """``for 3 min 20 s``, by the clock."""
    from ludus.runs import duration_text

    since = alert.get("since_ms")
    if not isinstance(since, int | float):
        return "since an earlier process"
    return f"for {duration_text(max(0.0, time.time() - since / 1000))}"


def _row(one: Listed, values: Mapping[str, Any], active: set[str]) -> tuple[object, ...]:
    rule = one.rule
    state = "off" if one.off else "ACTIVE" if rule.name in active else one.origin
    sign = ">" if rule.condition == "above" else "<"
    return (
        rule.name,
        rule.metric,
        _value(values.get(rule.metric)),
        f"{sign} {rule.limit:.6g}",
        f"{rule.for_seconds:g} s" if rule.for_seconds else "",
        rule.severity,
        rule.action,
        state,
    )


def _value(value: object) -> str:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.6g}" if known else "-"


def _send_test(path: Path, *, json: bool) -> int:
    """Send a test alert once by each way that the run's settings name.

    Returns: exit code, 1 when a way did not work.

    Raises:
        UserError: the settings name no way.
    """
    import platform

    from ludus.errors import UserError
    from ludus.training.alerts.delivery import Target, send_now

    target = Target.of(_settings_of(path).alerts.model_dump(mode="json"))
    if target.off:
        raise UserError(
            f"alerts of {path} do not leave the machine: start it with --set alerts.command=[...] "
            "or --set alerts.webhook=https://..."
        )
    document = {
        "run": str(path.absolute()),
        "host": platform.node(),
        "event": "alert",
        "name": "test",
        "severity": "warning",
        "metric": None,
        "value": None,
        "condition": None,
        "limit": None,
        "action": "tell",
        "message": f"a test alert of {path}",
        "ts_ms": time.time_ns() // 1_000_000,
    }
    found = send_now(target, document)
    if json:
        print_json({"sent": found})
    else:
        for way, reason in found.items():
            say(f"{way}: {'worked' if reason is None else printable(reason)}")
    return 1 if any(reason is not None for reason in found.values()) else 0
