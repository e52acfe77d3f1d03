"""The terminal monitor. Nothing of it is imported by any other command.

Panels are functions from a view to lines of text; the screen and ``--once`` draw the same lines.
"""
