"""The durability suite: experiments that try to make a run lose something, and count.

``./ludus test durability`` runs all of it and prints the table; see ``docs/reliability.md``.
"""
