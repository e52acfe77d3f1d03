"""The command ``ludus``: gathers the commands and turns errors into one sentence.

Exit codes: 0 done or stopped, 1 failure, 2 user error, 3 paused, 130 interrupted twice.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import typer

import ludus
from ludus.errors import LudusError, UserError

COMMAND_MODULES = (
    "train",
    "status",
    "monitor",
    "runs",
    "report",
    "compare",
    "metrics",
    "sync",
    "control",
    "alerts",
    "checkpoint",
    "export",
    "replay",
    "inspect",
    "match",
    "ladder",
    "seeds",
    "evaluate",
    "play",
    "engine",
    "games",
    "players",
    "oracle",
    "bench",
    "profile",
    "doctor",
)
"""Modules of this room that register commands, in the order of the help."""


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"ludus {ludus.__version__}\n")
        raise typer.Exit(0)


def build() -> typer.Typer:
    """The application with all its commands."""
    app = typer.Typer(
        name="ludus",
        help="Train players of board, dice and card games by self-play, and measure them.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def options(
        version: bool = typer.Option(
            False, "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ) -> None:
        """Train players of board, dice and card games by self-play, and measure them."""

    for name in COMMAND_MODULES:
        importlib.import_module(f"ludus.cli.{name}").register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; those of the process by default.

    Returns: the exit code.
    """
    from typer._click.exceptions import ClickException, NoArgsIsHelpError

    try:
        result = build()(
            args=None if arguments is None else list(arguments),
            prog_name="ludus",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return result if isinstance(result, int) and not isinstance(result, bool) else 0
    except NoArgsIsHelpError as error:
        sys.stdout.write(error.format_message() + "\n")
        return 2
    except ClickException as error:
        return _refuse(_sentence(error.format_message()), 2)
    except UserError as error:
        return _refuse(str(error), 2)
    except LudusError as error:
        return _refuse(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # The reader of stdout went away (head, less): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except MemoryError:
        return _refuse("out of memory", 1)
    except Exception as error:  # noqa: BLE001 - the last stop: a bug, shown with its traceback
        if isinstance(error, ImportError) and "_core" in str(error):
            why = f"the compiled core of Ludus cannot be loaded: {error}"
            return _refuse(f"{why}; ./ludus setup builds it again", 1)
        traceback.print_exc()
        return _refuse(f"internal error: {error}", 1)


def _sentence(message: str) -> str:
    text = " ".join(message.split()).rstrip(".")
    return text + " (see --help)"


def _refuse(sentence: str, code: int) -> int:
    sys.stderr.write(f"ludus: {' '.join(sentence.split())}\n")
    return code


def run() -> None:
    """Entry point of the program."""
    # One thread an operator of torch, in every lane; see docs/data-path.md. Before any import.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
