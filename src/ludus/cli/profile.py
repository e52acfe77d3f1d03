"""``ludus profile``: where the time of self-play or training goes, with a flame graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ludus.cli import output
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus.measure.profiling import Profile

_Recipe = Annotated[str, typer.Argument(help="Recipe, such as yatzy.")]
_Seconds = Annotated[
    float, typer.Option("--seconds", help="To watch, after a warm-up.", min=0.1, max=3600)
]
_Set = Annotated[
    list[str] | None, typer.Option("--set", help="A setting: section.key=value. Repeatable.")
]
_Preset = Annotated[str | None, typer.Option("--preset", help="Preset of the recipe.")]
_Quick = Annotated[bool, typer.Option("--quick", help="The preset quick.")]
_Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for the files; build/profile/WHAT-RECIPE by default."),
]
_Native = Annotated[
    bool, typer.Option("--native/--no-native", help="Native stacks too, where perf is installed.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print profile.json instead of the table.")]


def selfplay(
    recipe: _Recipe,
    seconds: _Seconds = 20.0,
    assignments: _Set = None,
    preset: _Preset = None,
    quick: _Quick = False,
    out: _Out = None,
    native: _Native = True,
    as_json: _Json = False,
) -> None:
    """Play as the recipe does and show where the time goes: a table by phase, a flame graph."""
    from ludus.measure.profiling import profile_selfplay

    folder = _folder(out, f"selfplay-{recipe}")
    profile = profile_selfplay(
        recipe,
        seconds=seconds,
        preset=_chosen(preset, quick),
        assignments=assignments or [],
        native=native,
        note=output.note,
    )
    _write(profile, folder, as_json)


def train(
    recipe: _Recipe,
    seconds: _Seconds = 20.0,
    assignments: _Set = None,
    preset: _Preset = None,
    quick: _Quick = False,
    out: _Out = None,
    native: _Native = True,
    as_json: _Json = False,
) -> None:
    """Learn as the recipe does and show where the time goes; with torch's profiler."""
    from ludus.measure.profiling import profile_train

    folder = _folder(out, f"train-{recipe}")
    profile = profile_train(
        recipe,
        seconds=seconds,
        preset=_chosen(preset, quick),
        assignments=assignments or [],
        native=native,
        trace=folder / "torch-trace.json",
        note=output.note,
    )
    _write(profile, folder, as_json)


def _chosen(preset: str | None, quick: bool) -> str | None:
    if quick and preset not in (None, "quick"):
        raise UserError(f"--quick is --preset quick, which contradicts --preset {preset}")
    return "quick" if quick else preset


def _folder(out: Path | None, name: str) -> Path:
    """Where the files go; made before anything is measured, so that a mistake is told at once."""
    from ludus.training.layers import load_recipe

    load_recipe(name.partition("-")[2])
    folder = out or Path("build") / "profile" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}") from None
    return folder


def _write(profile: Profile, folder: Path, as_json: bool) -> None:
    """The files of a profile, and what people read at once."""
    from ludus.measure.flame import flame_graph
    from ludus.measure.stacks import write_folded

    about = profile.as_json()
    rate, value = next(iter(profile.rates.items()))
    title = f"{profile.what} of {profile.recipe}"
    subtitle = (
        f"{profile.seconds:.0f} s on {profile.threads} thread"
        f"{'' if profile.threads == 1 else 's'}, {value:,.0f} {rate.replace('_per_', ' per ')}; "
        "width is time, callers below"
    )
    written = []
    for name, stacks in (("flame", profile.stacks), ("native", profile.native)):
        if stacks is None:
            continue
        which = "" if name == "flame" else ", native stacks"
        svg = flame_graph(stacks, title=title + which, subtitle=subtitle)
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        write_folded(folder / f"{name}.folded", stacks)
        written += [f"{name}.svg", f"{name}.folded"]
    if profile.torch_table is not None:
        (folder / "torch-table.txt").write_text(profile.torch_table, encoding="utf-8")
        written += ["torch-table.txt", "torch-trace.json"]
    text = json.dumps(output.clean(about), indent=1) + "\n"
    (folder / "profile.json").write_text(text, encoding="utf-8")
    written.append("profile.json")
    if as_json:
        output.print_json(about)
    else:
        _show(profile)
        output.say(f"in {folder}: {', '.join(written)}")
    if profile.no_native is not None:
        output.note(f"no native stacks: {profile.no_native}")


def _show(profile: Profile) -> None:
    from ludus.measure.profiling import ABOUT

    total = max(1e-9, sum(profile.phases.values()))
    rows = [
        (name, f"{seconds:.2f}", f"{seconds / total:.1%}", ABOUT.get(name, ""))
        for name, seconds in profile.phases.items()
    ]
    output.say(output.table(("phase", "seconds", "share", "what it is"), rows))
    for name, value in profile.rates.items():
        output.say(f"{value:,.0f} {name.replace('_per_', ' per ').replace('_', ' ')}")
    output.say(f"sampling took {profile.sampling:.1%} of one core")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Where the time of a recipe goes, with a flame graph.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("selfplay")(selfplay)
    group.command("train")(train)
    app.add_typer(group, name="profile")
