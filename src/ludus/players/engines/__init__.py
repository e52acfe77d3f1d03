"""Engines: programs that play by a text protocol, as players; and Ludus as such a program.

As players (``gtp:COMMAND``, ``nboard:COMMAND``): ``spec`` reads a specification, ``external`` is
the player, ``gtp_client`` and ``nboard_client`` speak to one engine, ``process`` and ``guard`` run
it. As an engine (``ludus engine``): ``session`` is the game in progress and the player who thinks,
``gtp_server`` and ``nboard_server`` answer commands, ``serving`` reads and writes them.
"""
