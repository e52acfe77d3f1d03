"""What the keys send to a run, with a sentence on what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from ludus.errors import LudusError
from ludus.monitor.view import RunView
from ludus.runs import send_command

SENT = {
    "pause": "pause sent: the trainer commits and ends; r goes on",
    "resume": "resume sent: the trainer goes on",
    "stop": "stop sent: the trainer commits and ends",
    "save": "save sent: a commit and a checkpoint that stays",
}


@dataclass(frozen=True)
class Answer:
    """What is told to the user.

    Attributes:
        text: a sentence.
        good: whether it went as asked.
    """

    text: str
    good: bool = True


def send(view: RunView, name: str) -> Answer:
    """Leave a command in ``control/``; whatever fails becomes a sentence.

    Args:
        view: the run as last seen.
        name: ``pause``, ``resume``, ``stop`` or ``save``.
    """
    if view.summary is None:
        return Answer(f"there is no run yet, so there is nothing to {name}", good=False)
    if not view.alive:
        return Answer(f"nobody trains this run now, so there is nothing to {name}", good=False)
    try:
        send_command(view.path, name)
    except (LudusError, OSError) as error:
        return Answer(f"{name} could not be sent: {error}", good=False)
    return Answer(SENT[name])


def send_settings(view: RunView, changes: dict[str, str]) -> Answer:
    """Send settings that may change to the trainer, each as a command."""
    try:
        for key, value in changes.items():
            send_command(view.path, "set", key=key, value=value)
    except (LudusError, OSError) as error:
        return Answer(f"settings could not be sent: {error}", good=False)
    many = f"{len(changes)} settings" if len(changes) != 1 else "a setting"
    return Answer(f"{many} sent to the trainer")
