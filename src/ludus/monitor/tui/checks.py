"""What is looked at before a start from the form: as ``ludus train --check`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ludus.monitor.tui.draft import Draft
    from ludus.training.preflight import Check


def checks_of(draft: Draft) -> list[Check]:
    """The checks of the command that the draft stands for. Imports torch.

    Args:
        draft: saved already.
    """
    from ludus.training.preflight import look_before
    from ludus.training.request import TrainRequest

    config = draft.file if draft.changes else None
    return look_before(
        lambda: TrainRequest.make(
            None if draft.exists else draft.recipe,
            game=draft.game,
            run=draft.path,
            preset=None if draft.exists else draft.preset,
            config=config,
        )
    )
