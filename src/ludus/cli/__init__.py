"""The command ``ludus``: one file a command, nothing heavy imported before a command runs."""
