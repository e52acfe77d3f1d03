"""Files of ``models/``: which one a name means, and what is in it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ludus.errors import CorruptError, RunError
from ludus.reading import open_regular, read_regular
from ludus.runs.jsonio import strict_json
from ludus.runs.tensors import decode, require_header

_ABOUT_LIMIT = 4 << 20

_ROLES = ("champion", "tables")
"""First parts of the names of files that hold champions."""


def model_file(run: Path, model: str) -> Path:
    """The file that a model's name means: ``first``, a unit's number, or a safetensors file.

    Raises:
        RunError: there is none; the sentence names some that there are.
    """
    models = run / "models"
    if model == "first":
        for role in _ROLES:
            found = sorted(models.glob(f"{role}-*.safetensors"))
            if found:
                return found[0]
        raise RunError(f"run {run} has no champion in {models} yet")
    if model.isdigit():
        names = [models / f"{role}-{int(model):06d}.safetensors" for role in _ROLES]
        path = next((path for path in names if path.is_file()), names[0])
    else:
        path = models / model if (models / model).is_file() else Path(model)
    if not path.is_file():
        known = ", ".join(p.name for p in sorted(models.glob("*.safetensors"))[-4:]) or "no file"
        raise RunError(
            f"run {run} has no model {model!r}: give champion, candidate, first, a unit's number "
            f"or a file ({models} holds {known})"
        )
    return path


def has_model(run: Path, model: str) -> bool:
    """Whether there is such a file, see :func:`model_file`."""
    try:
        model_file(run, model)
    except RunError:
        return False
    return True


def read_model(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and JSON of a file of weights, held against the digest in the JSON file beside it.

    A file that was taken away alone has no digest; only its layout is checked then.

    Raises:
        RunError: it cannot be read.
        CorruptError: it is damaged, or not the file that the one beside it describes.
    """
    try:
        beside = path.with_suffix(".json")
        said = (
            strict_json(read_regular(beside, _ABOUT_LIMIT), str(beside)) if beside.is_file() else {}
        )
        with open_regular(path) as file:
            require_header(file, str(path))
            data = file.read()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    digest = said.get("sha256")
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise CorruptError(f"{path} is damaged: it is not the file that {beside.name} describes")
    return decode(data, str(path))
