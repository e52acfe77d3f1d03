"""Looking into a run: positions, search roots, weights, recorded games, anomalies, tables.

Everything here gives plain JSON; :mod:`ludus.cli.inspect` draws it. Runs are opened for reading
only, and files go through the readers that verify them.
"""
