"""Commands to a run: what the loop does about a pause, a stop, a save or a changed setting.

The file of a command goes when a commit holds what it asked for. So a trainer that is killed at
any moment and restarted by its supervisor obeys each command, and obeys it once.
"""

from __future__ import annotations

from collections.abc import Callable

from ludus.errors import UserError
from ludus.runs import Command, DurabilityError, SaveError
from ludus.training.birth import tell_idle_options
from ludus.training.changing import set_by_command
from ludus.training.checkpointing import save_checkpoint, saved_for
from ludus.training.messages import Sender
from ludus.training.phases import Leave
from ludus.training.session import Session
from ludus.training.states import left_by

_SENTENCE = 400
"""Characters of a refusal."""


class Commands:
    """Obeys the commands that come by the control files, between units.

    Attributes:
        resumed: whether a resume came; whoever waits for one clears it first.
    """

    def __init__(
        self,
        session: Session,
        sender: Sender,
        commit: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            session: of the run.
            sender: to the supervisor.
            commit: makes all progress durable, or raises.
        """
        self._session = session
        self._sender = sender
        self._commit = commit
        self.resumed = False

    def obey_all(self) -> None:
        """Obey what has come, in order.

        Raises:
            Leave: a pause or a stop.
        """
        for command in self._session.run.control.poll():
            self._obey(command)

    def pause_if_asked(self, check_limits: Callable[[], None]) -> None:
        """A pause at the end of the iteration, also where that end fell into a restart.

        Args:
            check_limits: raises Leave where the run is done anyhow.

        Raises:
            Leave: the pause, or that there is nothing left to pause.
        """
        session = self._session
        if session.pausing is None or session.pausing >= session.iteration:
            return
        try:
            check_limits()
        except Leave as leave:
            reason = f"{leave.reason}: there is nothing left to pause"
            raise Leave(leave.state, reason) from None
        raise Leave(left_by("pause"), f"iteration {session.iteration} is done")

    def _obey(self, command: Command) -> None:
        session = self._session
        run = session.run
        try:
            if command.name == "save":
                self._commit()  # the record of the command goes with the commit after it
            run.events.append_if_possible(
                "command", command=command.name, args=dict(command.args), source=command.source
            )
            self._do(command)
        except DurabilityError:
            raise
        except (UserError, SaveError) as error:
            message = _sentence(error)
            run.events.append_if_possible(
                "command_refused", command=command.name, message=message, source=command.source
            )
            self._sender.send("note", text=f"refused: {message}")
        if command not in session.obeyed:
            session.obeyed.append(command)
        if command.name != "save":
            run.cadence.hasten()

    def _do(self, command: Command) -> None:
        session = self._session
        if command.name == "pause" and command.args.get("at") == "iteration":
            session.pausing = session.iteration
            self._sender.send("note", text="pausing at the end of this iteration")
        elif command.name in ("pause", "stop"):
            session.obeyed.append(command)
            reason = "asked to pause" if command.name == "pause" else "stopped"
            raise Leave(left_by("pause" if command.name == "pause" else "stop"), reason)
        elif command.name == "resume":
            session.pausing = None
            self.resumed = True
        elif command.name == "save":
            self._save(command)
        elif command.name == "set":
            self._set(f"{command.args['key']}={command.args['value']}")

    def _save(self, command: Command) -> None:
        """``ludus save``: a checkpoint of the commit just made, which stays.

        Raises:
            UserError: nothing can be committed now.
            SaveError, DurabilityError: the disk refused.
        """
        session = self._session
        found = saved_for(session, command.source)
        if found is None:
            path = save_checkpoint(session, permanent=True, command=command.source)
            session.obeyed.append(command)
            self._commit()
        else:
            path = found.path
        self._sender.send("note", text=f"saved {session.run.path / path}")

    def _set(self, assignment: str) -> None:
        """Change a setting that may change.

        Raises:
            UserError: it may not, or the value is refused.
        """
        tell_idle_options(self._session, set_by_command(self._session, assignment))


def _sentence(error: Exception) -> str:
    """One line of bounded length: a command may hold anything."""
    text = " ".join(str(error).split())
    return text if len(text) <= _SENTENCE else f"{text[: _SENTENCE - 3]}..."
