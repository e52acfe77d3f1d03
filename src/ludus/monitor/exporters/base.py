"""What a sink is: takes the records of a run somewhere else."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from ludus import reading
from ludus.errors import LudusError, RunError, UserError
from ludus.runs import describe_run

SINKS = ("tensorboard", "wandb", "braintrust")
"""Names of the sinks."""

ENVELOPE = frozenset(("event", "ts_ms", "run_id", "v", "git_hash", "config_hash", "step"))
_MOST_NAMES = 2000
_DEEPEST = 3
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_CONFIG_LIMIT = 1 << 17


class SinkError(LudusError):
    """A sink that cannot take any more, in one sentence."""


class MissingLibraryError(UserError):
    """A sink's library is not installed; the sentence says how to."""


@dataclass(frozen=True)
class RunFacts:
    """What a sink is told of a run when it opens.

    Attributes:
        path: the run directory.
        name: of that directory.
        run_id: of the run.
        recipe: its name.
        seed: of the run.
        config: settings at birth by dotted key; empty if they cannot be read.
    """

    path: Path
    name: str
    run_id: str
    recipe: str
    seed: int
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> RunFacts:
        """Facts of a run directory.

        Raises:
            RunError: it is none, or cannot be read.
        """
        summary = describe_run(path)
        if summary.id is None:
            raise RunError(f"{path} cannot be read: {summary.error}")
        return cls(
            path=summary.path,
            name=summary.path.resolve().name,
            run_id=summary.id,
            recipe=str(summary.recipe),
            seed=int(summary.seed or 0),
            config=_config(summary.path),
        )


def _config(path: Path) -> dict[str, Any]:
    try:
        data = reading.read_regular(path / "config.resolved.yaml", _CONFIG_LIMIT)
        tree = reading.parse_yaml(data, _CONFIG_LIMIT)
    except (OSError, ValueError):
        return {}
    found: dict[str, Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping) and value and len(prefix) < 200:
            for key, item in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), item)
        else:
            found[prefix] = value

    walk("", tree if isinstance(tree, Mapping) else {})
    found.pop("", None)
    return found


class Sink(Protocol):
    """Takes records of one run somewhere. Called from one thread; may be slow, may raise.

    Attributes:
        rewrites: whether what was written can be taken back. If so, :meth:`rewind` is called and
            all records come again after a resume cut the run's log; else only records beyond what
            was sent come.
        takes_artifacts: whether :meth:`checkpoint` does anything.
    """

    rewrites: bool
    takes_artifacts: bool

    def open(self, facts: RunFacts, mark: Mapping[str, Any]) -> bool:
        """Begin, or go on where `mark`, the last answer of :meth:`flush`, says (empty at first).

        Returns: whether that could be done; if not, it is empty and all records must come again.

        Raises:
            MissingLibraryError: the library is not installed.
            UserError: the service refuses (no login, for instance).
        """
        ...

    def record(self, log: str, record: Mapping[str, Any]) -> None:
        """Take one record of a log (``metrics``)."""
        ...

    def figures(self, figures: Mapping[str, float | None], step: int, ts_ms: int) -> None:
        """Take the figures of the catalogue as they were at `ts_ms`; `step` is seconds worked."""
        ...

    def checkpoint(self, path: Path, aliases: Sequence[str]) -> None:
        """Take a checkpoint."""
        ...

    def rewind(self) -> None:
        """Forget all records: they come again."""
        ...

    def flush(self) -> dict[str, Any]:
        """Hand over what was taken; returns a mark (JSON) to go on from."""
        ...

    def close(self) -> None:
        """End. May be called twice."""
        ...


def scalars(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a record, named ``<record>/<field>``, nested ones ``<record>/<a>/<b>``.

    True and false are 1 and 0. Lists, texts and the envelope are left out; characters that tools
    do not agree on become ``_``.
    """
    event = safe_name(record.get("event"))
    fields = {key: value for key, value in record.items() if key not in ENVELOPE}
    for count, (name, value) in enumerate(_walk(fields, _DEEPEST)):
        if count >= _MOST_NAMES:
            return
        yield f"{event}/{name}", value


def _walk(fields: Mapping[str, Any], depth: int) -> Iterator[tuple[str, float]]:
    for key, value in fields.items():
        if isinstance(value, bool | int | float):
            try:
                yield safe_name(key), float(value)
            except OverflowError:  # an integer that no tool could show
                continue
        elif isinstance(value, Mapping) and depth > 1:
            for name, number in _walk(value, depth - 1):
                yield f"{safe_name(key)}/{name}", number


def safe_name(name: object) -> str:
    """A name that every tool takes: letters, digits, ``_ . -``, at most 100 characters."""
    return _UNSAFE.sub("_", str(name))[:100] or "_"


def step_of(record: Mapping[str, Any]) -> int:
    """The record's own clock; 0 where it is missing."""
    step = record.get("step")
    return int(step) if isinstance(step, int | float) and abs(step) < 2**62 else 0


def library(name: str, extra: str | None = None) -> ModuleType:
    """The library of a sink, imported now.

    Raises:
        MissingLibraryError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        wanted = extra or name.partition(".")[0]
        raise MissingLibraryError(
            f"{wanted} is not installed ({error}): install it with ./ludus setup {wanted}"
        ) from None


def make_sink(
    name: str, target: Path, *, project: str | None = None, client: Any | None = None
) -> Sink:
    """A sink by name.

    Args:
        name: one of :data:`SINKS`.
        target: folder for what it writes on this machine; must exist.
        project: of W&B and Braintrust; ``ludus`` by default.
        client: stands for the library of W&B or Braintrust; the real one by default.

    Raises:
        UserError: there is no such sink.
    """
    if name == "tensorboard":
        from ludus.monitor.exporters.tensorboard import TensorboardSink

        return TensorboardSink(target)
    if name == "wandb":
        from ludus.monitor.exporters.wandb import WandbSink

        return WandbSink(target, project=project, client=client)
    if name == "braintrust":
        from ludus.monitor.exporters.braintrust import BraintrustSink

        return BraintrustSink(target, project=project, client=client)
    raise UserError(f"there is no sink {name!r} (sinks: {', '.join(SINKS)})")
