"""Options of the players that a game itself offers, from their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ludus.errors import PlayerError


def require_known(player: str, options: Mapping[str, str], known: Sequence[str]) -> None:
    """Refuse options that a player does not have.

    Args:
        player: its name, for the sentence.
        options: texts by option.
        known: options that it has.

    Raises:
        PlayerError: one is not among them.
    """
    for key in options:
        if key not in known:
            has = f"its options are {', '.join(known)}" if known else "it has none"
            raise PlayerError(f"player {player} has no option {key!r}: {has}")


def number_option(
    options: Mapping[str, str],
    name: str,
    least: float,
    most: float,
    *,
    default: float = 0.0,
    whole: bool = True,
) -> float:
    """An option's value.

    Args:
        options: texts by option.
        name: the one that is wanted.
        least: lowest value allowed.
        most: highest value allowed.
        default: where it is not given.
        whole: fractions are refused.

    Raises:
        PlayerError: no number, or out of range.
    """
    text = options.get(name)
    if text is None:
        return default
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise PlayerError(f"option {name}={text} must be a number from {least:g} to {most:g}")
    return value
