"""The one logging facility: structured lines with time, level and component, to console and file.

``get_logger("runs").warning("could not remove it", event="removal_failed", path=path)`` is a line
for people (``2026-11-20T10:11:12.123Z warning runs: could not remove it path=...``) or one JSON
object, as :func:`configure` says. Measured numbers belong into ``logs/metrics.ndjson`` and what
happened to a run into ``logs/events.ndjson``; this is for whoever looks for a fault.
"""

from ludus.logs.facility import (
    Level,
    Logger,
    close,
    configure,
    get_logger,
    log_error_to_stderr,
    log_info_to_stderr,
    log_warning_to_stderr,
    set_json_output,
    set_level,
    to_file,
)
from ludus.logs.run_log import LOGS_KEPT, new_log, redirect_stderr

__all__ = [
    "LOGS_KEPT",
    "Level",
    "Logger",
    "close",
    "configure",
    "get_logger",
    "log_error_to_stderr",
    "log_info_to_stderr",
    "log_warning_to_stderr",
    "new_log",
    "redirect_stderr",
    "set_json_output",
    "set_level",
    "to_file",
]
