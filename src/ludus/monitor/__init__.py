"""Readers of run directories: the view, the terminal, reports and exporters.

None of them reaches into a trainer: they need the directory alone, and may come and go.
"""
