"""How actions and deals of Blob are written and read."""

from __future__ import annotations

from ludus import _core
from ludus.errors import GameError
from ludus.games.blob_cards import (
    BID,
    CARDS,
    MOST_CARDS,
    SUIT_NAMES,
    TRUMPS,
    Table,
    card_text,
    cards_of,
    find_card,
    find_rank,
    hand_text,
    suit_of,
)


def action_text(state: _core.State, action: int) -> str:
    """``bid 2`` or ``Qs``.

    Raises:
        GameError: the action is illegal here.
    """
    _require_legal(state, action)
    return f"bid {action - BID}" if action >= BID else card_text(action)


def parse_action(state: _core.State, text: str) -> int:
    """An action as people write it.

    A bid is ``bid 2`` or ``2``, a card ``Qs``, ``QS``, ``♠Q``, ``10h``, ``queen of spades``,
    or its rank alone where only one legal card has it. ``#`` before a number means the action of
    that number.

    Raises:
        GameError: the text is no action, or one that is illegal here.
    """
    if state.kind != "decision":
        raise GameError(_nothing(state))
    words = text.lower().split()
    bidding = Table.of(state).phase == "bid"
    word = "".join(words[1:] if words[:1] in (["bid"], ["play"]) else words)
    if word.startswith("#") and _is_number(word[1:]):
        action = int(word[1:])
    elif words[:1] == ["bid"] or (bidding and _is_number(word)):
        if not _is_number(word):
            raise GameError(f"{text.strip()!r} is no bid; write 'bid 2' or '2'")
        action = BID + int(word)
    else:
        action = _parse_card(state, text, words, bidding)
    _require_legal(state, action)
    return action


def _is_number(word: str) -> bool:
    return word.isdecimal() and word.isascii() and len(word) <= 3


def _parse_card(state: _core.State, text: str, words: list[str], bidding: bool) -> int:
    name = " ".join(words[1:] if words[:1] == ["play"] else words)
    card = find_card(name)
    if card is not None:
        return card
    rank = find_rank(name)
    same = [card for card in state.legal().tolist() if card < CARDS and card % 13 == rank]
    if not bidding and len(same) == 1:
        return int(same[0])
    if not bidding and same:
        raise GameError(
            f"{text.strip()!r} may mean {' or '.join(map(card_text, same))}; write the suit too"
        )
    what = "a bid such as '2'" if bidding else "a card such as 'Qs' (the queen of spades)"
    raise GameError(f"{text.strip()!r} is no action; write {what}")


def _nothing(state: _core.State) -> str:
    over = state.kind == "terminal"
    return f"{'the game is over' if over else 'cards are about to be dealt'}; nothing to decide"


def _require_legal(state: _core.State, action: int) -> None:
    if why := illegal(state, action):
        raise GameError(why)


def illegal(state: _core.State, action: int) -> str | None:
    """Why an action is illegal, in a sentence; None if it is legal."""
    if state.kind != "decision":
        return _nothing(state)
    if action in state.legal().tolist():
        return None
    t = Table.of(state)
    if t.phase == "bid":
        if action < BID:
            return f"it is time to bid, not to play a card; bids are 0 to {t.cards}"
        if action - BID > t.cards:
            return f"a bid of {action - BID} is too high: there are {t.cards} tricks"
        return (
            f"the dealer may not bid {action - BID} here: the bids would sum to {t.cards}, the "
            "number of tricks"
        )
    if BID <= action <= BID + MOST_CARDS:
        return "the bids are made; play a card such as 'Qs'"
    if not 0 <= action < CARDS:
        return f"action {action} does not exist; actions are 0..{BID + MOST_CARDS}"
    if not t.hands[t.seat] >> action & 1:
        return f"seat {t.seat} does not hold {card_text(action)}"
    led = SUIT_NAMES[suit_of(t.trick[0])]
    return f"{card_text(action)} is illegal: {led} were led and must be followed"


def event_text(state: _core.State, outcome: int) -> str:
    """A deal with all hands: ``4x3h dealer 1: AsKs9s/5h2hJd/Th4c3d/QhKcAd``.

    It is for records, and shows what people at the table do not see.
    """
    after = state.copy()
    after.apply_outcome(outcome)
    t = Table.of(after)
    hands = "/".join(hand_text(cards_of(hand)) for hand in t.hands)
    return f"{t.players}x{t.cards}{TRUMPS[t.trump]} dealer {t.dealer}: {hands}"
