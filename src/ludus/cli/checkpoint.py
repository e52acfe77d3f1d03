"""``ludus checkpoint list | show | verify | extract``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ludus.cli.output import megabytes, note, print_json, say, table
from ludus.cli.status import RUN_OPTION, chosen_run

File = Annotated[Path, typer.Argument(help="A .ckpt file.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Checkpoints of runs.", no_args_is_help=True)
    group.command("list")(list_all)
    group.command("show")(show)
    group.command("verify")(verify)
    group.command("extract")(extract)
    app.add_typer(group, name="checkpoint")


def _require_file(path: Path) -> Path:
    from ludus.errors import RunError

    if not path.is_file():
        raise RunError(f"there is no checkpoint {path}; see: ludus checkpoint list")
    return path


def list_all(
    argument: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
    ] = None,
    run: Annotated[Path | None, RUN_OPTION] = None,
    json: Json = False,
) -> None:
    """List a run's checkpoints, oldest first."""
    from dataclasses import asdict

    from ludus.runs import list_checkpoints

    path = chosen_run(run, argument)
    found = list_checkpoints(path)
    if json:
        print_json([asdict(entry) for entry in found])
        return
    if not found:
        note(f"{path} has no checkpoint yet")
        return
    rows = [
        (
            entry.sequence,
            entry.unit,
            entry.where,
            megabytes(entry.size),
            str(path / entry.path),
            entry.error or "",
        )
        for entry in found
    ]
    say(table(("number", "iteration", "kind", "size", "file", ""), rows))


def _document(header: Any) -> dict[str, Any]:
    from dataclasses import asdict, is_dataclass

    document = asdict(header) if is_dataclass(header) and not isinstance(header, type) else {}
    return {
        key: value.hex() if isinstance(value, bytes) else value for key, value in document.items()
    }


def show(file: File, json: Json = False) -> None:
    """Show what a checkpoint says about itself; the weights are not read."""
    from ludus.runs import read_header

    header = read_header(_require_file(file))
    if json:
        print_json(_document(header))
        return
    meta = header.meta
    saved = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(meta.get("saved_ms", 0) / 1000))
    rows = [(key, meta[key]) for key in sorted(meta) if not isinstance(meta[key], dict)]
    say(str(file))
    say(f"  {'saved':<14}{saved}")
    for key, value in rows:
        say(f"  {key:<14}{value}")
    for key, value in sorted((meta.get("counters") or {}).items()):
        say(f"  {key:<14}{value:,}")


def verify(
    files: Annotated[list[Path], typer.Argument(help=".ckpt files.")], json: Json = False
) -> int:
    """Read checkpoints whole and compare their checksums."""
    from ludus.errors import RunError
    from ludus.runs import verify_checkpoint

    results: list[dict[str, Any]] = []
    for file in files:
        try:
            verify_checkpoint(_require_file(file))
            results.append({"file": str(file), "ok": True, "error": None})
        except RunError as error:
            results.append({"file": str(file), "ok": False, "error": str(error)})
    if json:
        print_json(results)
    else:
        for result in results:
            if result["ok"]:
                say(f"{result['file']}: whole")
            else:
                note(f"ludus: {result['error']}")
    return 0 if all(result["ok"] for result in results) else 2


def extract(
    file: File,
    target: Annotated[
        Path | None, typer.Argument(help="Where to; the same name as .safetensors by default.")
    ] = None,
) -> None:
    """Write a checkpoint's arrays as a plain safetensors file."""
    from ludus.errors import RunError
    from ludus.runs import extract_checkpoint

    where = target or file.with_suffix(".safetensors")
    if where.exists():
        raise RunError(f"{where} exists: name another target")
    extract_checkpoint(_require_file(file), where)
    say(str(where))
