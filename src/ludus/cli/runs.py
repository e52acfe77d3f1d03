"""``ludus runs [list | delete | clean]``: the runs below a folder, and taking them off the disk."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ludus.cli.output import megabytes, note, print_json, say, table
from ludus.cli.status import summary_document

if TYPE_CHECKING:
    from ludus.runs import RunSummary

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")]


class _ListByDefault(TyperGroup):
    """``ludus runs FOLDER`` means ``ludus runs list FOLDER``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in where none is named."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(cls=_ListByDefault, help="List runs, delete them, clean them up.")
    group.command("list")(list_all)
    group.command("delete")(delete)
    group.command("clean")(clean)
    app.add_typer(group, name="runs")


def list_all(
    root: Annotated[Path, typer.Argument(help="Folder of runs.")] = Path("runs"),
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Size on disk by part of the run.")
    ] = False,
    json: Json = False,
) -> None:
    """List the runs in a folder; this is what `ludus runs` does by itself."""
    from ludus.runs import half_deleted, list_runs, part_sizes

    found = list_runs(root)
    parts = [part_sizes(one.path) for one in found]
    if json:
        print_json(
            [
                {
                    **summary_document(one),
                    "iteration": (one.status or {}).get("iteration"),
                    "rating": (one.status or {}).get("rating"),
                    "bytes": sum(size.values()),
                    "sizes": size,
                }
                for one, size in zip(found, parts, strict=True)
            ]
        )
        return
    if not found:
        note(f"there is no run in {root}")
    elif sizes:
        say(_sizes_table(found, parts))
    else:
        say(_runs_table(found, parts))
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if half_deleted(path):
            note(f"{path} is half deleted; finish with: ludus runs delete {path}")


def _runs_table(found: list[RunSummary], parts: list[dict[str, int]]) -> str:
    from ludus.runs import duration_text
    from ludus.training.view import rating_text

    rows = [
        (
            str(one.path),
            one.recipe or "?",
            one.state,
            (one.status or {}).get("iteration", "?"),
            one.counters.get("selfplay_games", 0),
            rating_text((one.status or {}).get("rating")) or "",
            duration_text(one.elapsed_seconds),
            megabytes(sum(size.values())),
            time.strftime("%Y-%m-%d %H:%M", time.localtime((one.committed_ms or 0) / 1000)),
        )
        for one, size in zip(found, parts, strict=True)
    ]
    head = ("run", "recipe", "state", "iteration", "games", "Elo", "worked", "size", "last commit")
    return table(head, rows)


def _sizes_table(found: list[RunSummary], parts: list[dict[str, int]]) -> str:
    names = list(parts[0])
    rows = [
        (str(one.path), *(megabytes(size[name]) for name in names), megabytes(sum(size.values())))
        for one, size in zip(found, parts, strict=True)
    ]
    if len(rows) > 1:
        total = [sum(size[name] for size in parts) for name in names]
        rows.append(("together", *(megabytes(size) for size in total), megabytes(sum(total))))
    return table(("run", *names, "all"), rows)


def _agreed(question: str, yes: bool) -> bool:
    """Ask, unless told not to.

    Raises:
        UserError: nobody is there to answer.
    """
    from ludus.errors import UserError

    if yes:
        return True
    if not sys.stdin.isatty():
        raise UserError(f"{question} Nobody can be asked here: say --yes")
    return typer.confirm(question, err=True)


def _refuse_used(path: Path) -> None:
    from ludus.errors import RunLockedError
    from ludus.runs import lock_holder

    holder = lock_holder(path)
    if holder is not None:
        raise RunLockedError(
            f"the run {path} is in use by {holder}; stop it first: ludus stop --run {path}"
        )


def delete(
    run: RunArgument,
    yes: Yes = False,
    keep_checkpoints: Annotated[
        bool, typer.Option("--keep-checkpoints", help="Leave checkpoints/permanent.")
    ] = False,
) -> None:
    """Delete a run for good, or finish a deletion that was interrupted."""
    from ludus.runs import delete_run, describe_run, half_deleted, part_sizes, require_deletable

    path = require_deletable(run)
    _refuse_used(path)
    size = megabytes(sum(part_sizes(path).values()))
    if half_deleted(path):
        what = f"{path} is half deleted"
    else:
        one = describe_run(path)
        games = one.counters.get("selfplay_games", 0)
        what = f"{path} ({one.recipe or 'recipe unknown'}, {games:,} games, {one.state})"
    if not _agreed(f"Delete {what}, {size}, for good?", yes):
        note("nothing was deleted")
        return
    done = delete_run(path, keep_checkpoints=keep_checkpoints)
    say(f"deleted {path}: {megabytes(done.bytes)} in {done.files} files are free")
    if done.kept:
        more = len(done.kept) - 5
        shown = ", ".join(done.kept[:5]) + (f" and {more} more" if more > 0 else "")
        note(f"left in {path}: {shown}")


def clean(
    run: RunArgument,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove what a run does not need: quarantine, older reports, checkpoints of the cache.

    The newest checkpoint and that of the champion stay, and so do permanent ones, the newest
    report, replay, models and logs.
    """
    from ludus.monitor.folders import report_folders
    from ludus.runs import find_waste, remove_waste, require_run

    path = require_run(run)
    old = [folder.name for folder in report_folders(path / "reports")[:-1]]
    waste = find_waste(path, old)
    if json and not (yes or dry_run):
        from ludus.errors import UserError

        raise UserError("--json asks nothing: say --yes or --dry-run beside it")
    if not json:
        _tell_waste(path, waste)
    if waste and not dry_run:
        _refuse_used(path)
        if not _agreed(f"Remove these {len(waste)} from {path}?", yes):
            note("nothing was removed")
            return
        done = remove_waste(path, waste)
        if not json:
            say(f"{megabytes(done.bytes)} in {done.files} files are free")
    if json:
        from dataclasses import asdict

        print_json({"removed": not dry_run, "waste": [asdict(one) for one in waste]})


def _tell_waste(path: Path, waste: list[Any]) -> None:
    if not waste:
        say(f"there is nothing to clean in {path}")
        return
    by_part: dict[str, list[int]] = {}
    for one in waste:
        by_part.setdefault(one.part, []).append(one.bytes)
    rows = [(part, len(sizes), megabytes(sum(sizes))) for part, sizes in by_part.items()]
    say(table(("part", "entries", "size"), rows))
