"""Commands to a run: what the loop does about a pause, a stop, a save or a changed setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ludus.errors import UserError
from ludus.evaluators import core_count
from ludus.runs import Command, DurabilityError, SaveError
from ludus.training.birth import apply_changes, tell_idle_options
from ludus.training.gating import save_checkpoint
from ludus.training.keys import known_keys
from ludus.training.layers import parse_assignment
from ludus.training.messages import Sender
from ludus.training.phases import Leave
from ludus.training.session import Session


class Commands:
    """Obeys the commands that come by the control files, between units.

    Attributes:
        pause_at_iteration: whether to pause at the end of the iteration.
        resumed: whether a resume came; whoever waits for one clears it first.
    """

    def __init__(
        self,
        session: Session,
        sender: Sender,
        commit: Callable[[], None],
        *,
        pause_at_iteration: bool = False,
    ) -> None:
        """Prepare.

        Args:
            session: of the run.
            sender: to the supervisor.
            commit: makes all progress durable, or raises.
            pause_at_iteration: as asked at the start.
        """
        self._session = session
        self._sender = sender
        self._commit = commit
        self.pause_at_iteration = pause_at_iteration
        self.resumed = False

    def obey_all(self) -> None:
        """Obey what has come, in order.

        Raises:
            Leave: a pause or a stop.
        """
        for command in self._session.run.control.poll():
            self._obey(command)

    def _obey(self, command: Command) -> None:
        session = self._session
        run = session.run
        run.events.append_if_possible("command", command=command.name, args=dict(command.args))
        try:
            if command.name == "pause":
                if command.args.get("at") == "iteration":
                    self.pause_at_iteration = True
                    self._sender.send("note", text="pausing at the end of this iteration")
                else:
                    raise Leave("paused", "asked to pause")
            elif command.name == "stop":
                raise Leave("idle", "stopped")
            elif command.name == "resume":
                self.pause_at_iteration = False
                self.resumed = True
            elif command.name == "save":
                self._commit()
                path = save_checkpoint(session, permanent=True)
                self._commit()
                self._sender.send("note", text=f"saved {run.path / path}")
            elif command.name == "set":
                self._set(str(command.args["key"]), command.args["value"])
        except DurabilityError:
            raise
        except (UserError, SaveError) as error:
            run.events.append_if_possible("command_refused", message=str(error))
            self._sender.send("note", text=f"refused: {error}")
        finally:
            run.control.done(command)

    def _set(self, key: str, value: Any) -> None:
        """Change a setting that may change.

        Raises:
            UserError: it may not, or the value is refused.
        """
        session = self._session
        given = parse_assignment(f"{key}={value}", "SET")
        may_change = known_keys()
        for name, wanted in given.items():
            if not may_change.get(name, False):
                raise UserError(f"setting {name} is fixed for the life of a run")
            session.settings = apply_changes(session.settings, {name: wanted.value})
            session.changed[name] = wanted.value
            session.run.events.append("setting_changed", key=name, value=wanted.value, source="set")
            self._sender.send("note", text=f"{name} is {wanted.value} from now on")
        tell_idle_options(session, given)
        session.run.cadence.seconds = session.settings.run.commit_seconds
        session.lanes = session.settings.runtime.lanes or core_count()  # from the next phase on
