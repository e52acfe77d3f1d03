"""Files of ``models/``: which one a name means."""

from __future__ import annotations

from pathlib import Path

from ludus.errors import RunError

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
