"""Runs that a guard holds, driven in this process."""

import threading
import time

from tests.training.tiny import SETTINGS, train

from ludus.games import loader
from ludus.runs import read_ndjson, read_status, send_command
from ludus.training.birth import open_session
from ludus.training.loop import Ending, Loop
from ludus.training.messages import Sender
from ludus.training.request import TrainRequest

OWN = [text for text in SETTINGS if not text.startswith("search.budget_by_kind")]


def events(path, name, log="events"):
    records, bad = read_ndjson(path / "logs" / f"{log}.ndjson")
    assert bad == 0
    return [record for record in records if record["event"] == name]


def guard(status, name):
    """The state of a guard in a status document."""
    (found,) = [entry for entry in status["guards"] if entry["name"] == name]
    return found


def hold_and_resume(path, look, *more, command="resume", **options) -> Ending:
    """Train until a guard holds the run, look at its status, then send a command to it."""

    def watch() -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            status = read_status(path) if path.exists() else None
            if status is not None and status["state"] == "paused" and status["pid"]:
                try:
                    look(status)
                finally:
                    send_command(path, command)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        return train(path, *more, **options)
    finally:
        thread.join()


def train_own(game, path, *, fresh_rules=False, **options) -> Ending:
    """One iteration of a game of one's own."""
    if fresh_rules:
        loader._from_file.cache_clear()  # as in another process
    asked = TrainRequest.make(
        game=game,
        run=path,
        environment={},
        iterations=1,
        assignments=() if (path / "manifests").is_dir() else [*OWN, "evaluation.every=0"],
        **options,
    )
    session = open_session(asked, lambda text: None)
    with session.run:
        return Loop(session, asked, Sender(None), lambda: False).run()
