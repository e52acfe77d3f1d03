"""``ludus seeds make | list | show``: stored seed sets, by name."""

from __future__ import annotations

from typing import Annotated

import typer

from ludus.cli.output import note, print_json, say, table
from ludus.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Stored seed sets for matches and gates.", no_args_is_help=True)
    group.command("make")(make)
    group.command("list")(list_sets)
    group.command("show")(show)
    app.add_typer(group, name="seeds")


def make(
    name: Annotated[str, typer.Argument(help="Name; the file is seeds/NAME.json.")],
    pairs: Annotated[int, typer.Option("--pairs", help="Seeds, one for each pair.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="All of them follow from it.")] = 1,
    purpose: Annotated[
        str, typer.Option("--purpose", help="Sets of two purposes share no seed.")
    ] = "arena",
) -> int:
    """Store a seed set under a name. A name never changes its seeds."""
    from ludus.arena import SeedSet
    from ludus.arena.seeds import LARGEST, stored_path

    if not 1 <= pairs <= LARGEST:
        raise UserError(f"--pairs {pairs} must lie in 1..{LARGEST}")
    path = stored_path(name)
    made = SeedSet.generate(seed, pairs, purpose=purpose)
    made.write(path)
    note(f"{made.id}, SHA-256 {made.hash}")
    say(str(path))
    return 0


def list_sets(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """List the seed sets stored in seeds/."""
    from ludus.arena import SeedSet
    from ludus.arena.seeds import FOLDER

    found = []
    for path in sorted(FOLDER.glob("*.json")) if FOLDER.is_dir() else []:
        one = SeedSet.read(path)
        found.append({"name": path.stem, "id": one.id, "seeds": len(one), "sha256": one.hash})
    if as_json:
        print_json(found)
    elif not found:
        note(f"{FOLDER}/ stores no seed set; make one with: ludus seeds make NAME")
    else:
        rows = [(one["name"], one["seeds"], one["id"], one["sha256"]) for one in found]
        say(table(("name", "seeds", "id", "sha256"), rows))
    return 0


def show(
    name: Annotated[str, typer.Argument(help="Name, file, or id such as arena-1-500.")],
) -> int:
    """Print a seed set as JSON, in order."""
    from ludus.arena import find_seed_set

    print_json(find_seed_set(name).as_json())
    return 0
