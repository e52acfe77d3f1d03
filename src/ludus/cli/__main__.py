"""``python -m ludus.cli``."""

from ludus.cli.main import run

if __name__ == "__main__":
    run()
