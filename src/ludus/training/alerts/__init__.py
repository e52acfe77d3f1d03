"""Alerts: rules are data, an engine without a clock looks at them, and they leave the machine.

``settings`` and ``rules`` are light (the supervisor and every command read them), ``engine`` is
pure, ``delivery`` works in the supervisor's process. What the loop asks is the guard ``alerts``
(:mod:`ludus.training.guards.alerts`).
"""
