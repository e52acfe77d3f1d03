"""Two sets of weights side by side: which tensors changed most, and what else differs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import RunError, UserError
from ludus.evaluators.tables import DISC, NEUTRAL
from ludus.games.pattern_tables import tables_of
from ludus.monitor.inspect.table_changes import compare_tables
from ludus.runs import Run, is_run, read_checkpoint
from ludus.runs.models import model_file, read_model

Tensors = Mapping[str, npt.NDArray[Any]]

_NO_WEIGHTS = ("counters", "iteration")
"""Arrays of a checkpoint that are no weights."""


@dataclass(frozen=True)
class Stored:
    """Weights from a file, verified, with what was written beside them.

    Attributes:
        what: as it was asked for.
        checkpoint: whether it is a checkpoint, whose tensors have a part (``champion/...``).
        tensors: by name.
        settings: flat ``section.key`` -> value; empty where the file has none.
        counters: by name.
        facts: other small facts: run id, unit, hashes, the network.
        tables: what describes pattern tables; None where the weights are a network's.
    """

    what: str
    checkpoint: bool
    tensors: Tensors
    settings: Mapping[str, Any]
    counters: Mapping[str, Any]
    facts: Mapping[str, Any]
    tables: Mapping[str, Any] | None = None

    def part(self, name: str) -> Stored:
        """One part of a checkpoint, its tensors without the part's name.

        Raises:
            UserError: there is none of that name.
        """
        prefix = f"{name}/"
        kept = {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix)
        }
        if not kept:
            parts = sorted({key.partition("/")[0] for key in self.tensors if "/" in key})
            raise UserError(
                f"{self.what} has no part {name!r}; it has {', '.join(parts) or 'no parts'}"
            )
        return replace(self, checkpoint=False, tensors=kept)

    def as_tables(self) -> _core.PatternTables | None:
        """Pattern tables, where these are whole ones."""
        if self.tables is None or "weights" not in self.tensors:
            return None
        return tables_of(self.tensors, self.tables)

    def in_discs(self) -> Stored:
        """Weights of pattern tables in discs, so that norms and changes mean something."""
        weights = self.tensors.get("weights")
        if self.tables is None or weights is None:
            return self
        discs = (weights.astype(np.float32) - NEUTRAL) / np.float32(DISC)
        return replace(self, tensors={**self.tensors, "weights": discs})


def load_stored(what: str) -> Stored:
    """Weights by name.

    Args:
        what: a checkpoint (.ckpt), a model (.safetensors), a run directory (its champion), or
            ``RUN:MODEL`` with champion, candidate, first or the number of a unit.

    Raises:
        RunError: there is none; also its subclasses for damaged or foreign files.
    """
    path = Path(what)
    if path.is_file() and path.suffix == ".ckpt":
        tensors, header = read_checkpoint(path)
        return _of_checkpoint(what, tensors, header.meta)
    if path.is_file():
        return _of_model(what, path)
    if is_run(path):
        return _of_run(what, path, "champion")
    run, colon, model = what.rpartition(":")
    if colon and is_run(Path(run)):
        return _of_run(what, Path(run), model)
    raise RunError(
        f"{what} is no checkpoint, model or run: give a .ckpt or .safetensors file, a run "
        "directory, or RUN:champion, RUN:candidate, RUN:first or RUN:NUMBER"
    )


def _of_checkpoint(what: str, tensors: Tensors, meta: Mapping[str, Any]) -> Stored:
    inner = meta.get("meta") if isinstance(meta.get("meta"), dict) else {}
    assert isinstance(inner, dict)
    facts = {key: value for key, value in meta.items() if not isinstance(value, dict | list)}
    facts |= {key: value for key, value in inner.items() if not isinstance(value, dict | list)}
    kept = {name: array for name, array in tensors.items() if name not in _NO_WEIGHTS}
    counters = meta.get("counters")
    return Stored(
        what,
        True,
        kept,
        dict(flat(inner.get("settings") or {})),
        counters if isinstance(counters, dict) else {},
        facts,
        inner.get("tables"),
    )


def _of_model(what: str, path: Path) -> Stored:
    return _with_facts(what, *read_model(path))


def _of_run(what: str, run: Path, model: str) -> Stored:
    opened = Run.open(run, write=False)
    if model in ("champion", "candidate"):
        ref = opened.manifest.objects.get(model)
        if ref is None:
            raise RunError(f"run {run} has no {model} yet; let it finish its first iteration")
        tensors, meta = opened.get_object(ref)
        return _with_facts(what, tensors, meta)
    return _of_model(what, model_file(opened.path, model))


def _with_facts(what: str, tensors: Tensors, meta: Mapping[str, Any]) -> Stored:
    tables = meta if "patterns" in meta else None
    facts = {key: value for key, value in meta.items() if key != "patterns"}
    return Stored(what, False, tensors, {}, {}, dict(flat(facts)), tables)


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as ``section.key``, value."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def compare(first: str, second: str, *, part: str | None = None, top: int = 10) -> dict[str, Any]:
    """What changed from the first weights to the second.

    Args:
        first: see :func:`load_stored`.
        second: likewise.
        part: of checkpoints: ``champion``, ``candidate``, ``weights``, ``average``, ``adam``;
            by default everything, or the champion where the other one is no checkpoint or both
            hold pattern tables.
        top: entries that are listed of the tensors that changed.

    Returns: JSON: ``tensors`` with the greatest relative change first (name, elements, norm before
        and after, change, relative, cosine, mean_abs, max_abs, finite, ``largest`` entries),
        ``unchanged``, ``only_first``, ``only_second``, ``other_shape``, ``settings``,
        ``counters``, ``facts`` that differ, ``total`` over all tensors; ``tables``: of pattern
        tables, whose weights are in discs here, what
        :func:`~ludus.monitor.inspect.table_changes.compare_tables` says, of others None.

    Raises:
        RunError, UserError: see :func:`load_stored` and :meth:`Stored.part`.
    """
    one, two = load_stored(first), load_stored(second)
    learners = one.tables is not None and two.tables is not None and one.checkpoint
    wanted = part or ("champion" if learners or one.checkpoint != two.checkpoint else None)
    if wanted is not None:
        one = one.part(wanted) if one.checkpoint else one
        two = two.part(wanted) if two.checkpoint else two
    tables = _tables(one, two, top)
    one, two = one.in_discs(), two.in_discs()
    both = [name for name in one.tensors if name in two.tensors]
    other = [name for name in both if one.tensors[name].shape != two.tensors[name].shape]
    same_shape = [name for name in both if name not in other]
    rows = [tensor_change(name, one.tensors[name], two.tensors[name], top) for name in same_shape]
    changed = [row for row in rows if not row["equal"]]
    changed.sort(key=lambda row: (row["finite"], -row["relative"]))
    return {
        "first": {"what": first, "part": wanted, **dict(one.facts)},
        "second": {"what": second, "part": wanted, **dict(two.facts)},
        "total": _total(one.tensors, two.tensors, same_shape),
        "tensors": changed,
        "unchanged": [row["name"] for row in rows if row["equal"]],
        "only_first": sorted(set(one.tensors) - set(two.tensors)),
        "only_second": sorted(set(two.tensors) - set(one.tensors)),
        "other_shape": [
            {
                "name": name,
                "first": list(one.tensors[name].shape),
                "second": list(two.tensors[name].shape),
            }
            for name in other
        ],
        "settings": _differences(one.settings, two.settings),
        "counters": _differences(one.counters, two.counters),
        "facts": _differences(one.facts, two.facts),
        "tables": tables,
    }


def _tables(one: Stored, two: Stored, top: int) -> dict[str, Any] | None:
    before, after = one.as_tables(), two.as_tables()
    if before is None or after is None or before.set.digest != after.set.digest:
        return None
    return compare_tables(before, after, top)


def tensor_change(
    name: str, before: npt.NDArray[Any], after: npt.NDArray[Any], top: int = 0
) -> dict[str, Any]:
    """How a tensor changed; both have the same shape."""
    a, b = before.astype(np.float64).reshape(-1), after.astype(np.float64).reshape(-1)
    finite = bool(np.isfinite(a).all() and np.isfinite(b).all())
    difference = b - a
    size = np.abs(difference)
    norms = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    change = float(np.linalg.norm(difference))
    scale = norms[0] * norms[1]
    # Whatever is not finite counts as the greatest change.
    order = np.argsort(-np.nan_to_num(size, nan=math.inf), kind="stable")[:top]
    return {
        "name": name,
        "shape": list(before.shape),
        "elements": int(a.size),
        "equal": before.dtype == after.dtype and bool(np.array_equal(before, after)),
        "finite": finite,
        "norm_first": norms[0],
        "norm_second": norms[1],
        "change": change,
        "relative": change / norms[0] if norms[0] > 0 else (0.0 if change == 0 else math.inf),
        "cosine": float(a @ b) / scale if scale > 0 else None,
        "mean_abs": float(size.mean()) if a.size else 0.0,
        "max_abs": float(size.max()) if a.size else 0.0,
        "largest": [
            {
                "index": [int(i) for i in np.unravel_index(place, before.shape)],
                "first": float(a[place]),
                "second": float(b[place]),
            }
            for place in order.tolist()
        ],
    }


def _total(one: Tensors, two: Tensors, names: list[str]) -> dict[str, Any]:
    if not names:
        return {"tensors": 0, "elements": 0, "relative": None, "cosine": None}
    a = np.concatenate([one[name].astype(np.float64).reshape(-1) for name in names])
    b = np.concatenate([two[name].astype(np.float64).reshape(-1) for name in names])
    row = tensor_change("all", a, b)
    return {
        "tensors": len(names),
        **{key: row[key] for key in ("elements", "change", "relative", "cosine", "finite")},
    }


def _differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "first": one.get(key), "second": two.get(key)}
        for key in sorted(set(one) | set(two))
        if one.get(key) != two.get(key)
    ]
