"""Blob a second time, slowly and from the text of the rules; hands are sets of (suit, rank)."""

from __future__ import annotations

SUITS, RANKS = 4, 13
NO_TRUMP = 4


def card(number):
    return number // RANKS, number % RANKS


class Round:
    """One round: the hands by seat, dealer and trump; a script of bids and cards goes in."""

    def __init__(self, hands, dealer, trump, dealer_bound=True):
        self.hands = [{card(c) for c in hand} for hand in hands]
        self.players, self.cards = len(hands), len(hands[0])
        self.dealer, self.trump, self.bound = dealer, trump, dealer_bound
        self.bids = {}
        self.tricks = []  # finished: list of (seat, card) in order
        self.table = []  # (seat, card) in order
        self.lacks = [set() for _ in hands]

    def order_from(self, seat):
        return [(seat + i) % self.players for i in range(self.players)]

    def bidding(self):
        return len(self.bids) < self.players

    def over(self):
        return len(self.tricks) == self.cards

    def to_move(self):
        if self.bidding():
            return self.order_from(self.dealer + 1)[len(self.bids)]
        return self.order_from(self.leader())[len(self.table)]

    def leader(self):
        return self.winner(self.tricks[-1]) if self.tricks else (self.dealer + 1) % self.players

    def winner(self, trick):
        led = trick[0][1][0]
        trumps = [play for play in trick if play[1][0] == self.trump]
        contenders = trumps or [play for play in trick if play[1][0] == led]
        return max(contenders, key=lambda play: play[1][1])[0]

    def won(self, seat):
        return sum(self.winner(trick) == seat for trick in self.tricks)

    def legal(self):
        """Actions: cards are 13 * suit + rank, a bid of b is 52 + b."""
        seat = self.to_move()
        if self.bidding():
            last = self.bound and seat == self.dealer
            taken = sum(self.bids.values())
            return [52 + b for b in range(self.cards + 1) if not (last and taken + b == self.cards)]
        hand = self.hands[seat]
        if self.table:
            led = self.table[0][1][0]
            hand = {c for c in hand if c[0] == led} or hand
        return sorted(suit * RANKS + rank for suit, rank in hand)

    def apply(self, action):
        seat = self.to_move()
        if self.bidding():
            self.bids[seat] = action - 52
            return
        played = card(action)
        if self.table and played[0] != self.table[0][1][0]:
            self.lacks[seat].add(self.table[0][1][0])
        self.hands[seat].remove(played)
        self.table.append((seat, played))
        if len(self.table) == self.players:
            self.tricks.append(self.table)
            self.table = []

    def points(self, seat):
        made = self.won(seat) == self.bids[seat]
        return 10 + self.bids[seat] if made else 0

    def played(self):
        return [play for trick in [*self.tricks, self.table] for play in trick]

    def observation(self, seat):
        """The numbers that differ from 0, by their place (cpp/games/blob_state.cpp)."""
        seen = {}

        def show(place, value):
            if value:
                seen[place] = value

        for suit, rank in self.hands[seat]:
            show(suit * RANKS + rank, 1)
        for _, (suit, rank) in self.played():
            show(52 + suit * RANKS + rank, 1)
        for place, (_, (suit, rank)) in enumerate(self.table):
            show(104 + suit * RANKS + rank, (place + 1) / 8)
        leader = (self.dealer + 1) % self.players if self.bidding() else self.leader()
        for i, other in enumerate(self.order_from(seat)):
            if other in self.bids:
                show(156 + i, (self.bids[other] + 1) / 4)
                show(172 + i, (self.bids[other] - self.won(other)) / 4)
            show(164 + i, self.won(other) / 4)
            for suit in self.lacks[other]:
                show(180 + 4 * i + suit, 1)
            show(248 + i, other == leader)
        show(212 + (seat - self.dealer) % self.players, 1)
        show(220 + self.players - 3, 1)
        show(226 + self.trump, 1)
        if self.bidding():
            show(245, 1)
            if self.bound and seat == self.dealer == self.to_move():
                left = self.cards - sum(self.bids.values())
                show(231 + left, left >= 0)
        show(246, self.cards / 8)
        show(247, len(self.tricks) / 8)
        return seen


class Game:
    """The rounds of a whole game: C, ..., 2, as many of 1 as players, 2, ..., C."""

    def __init__(self, players, highest, trumps):
        top = min(highest, 13, 52 // players)
        down = list(range(top, 1, -1))
        self.cards = down + [1] * players + down[::-1]
        self.trumps = [trumps[i % len(trumps)] for i in range(len(self.cards))]
        self.totals = [0] * players

    def add(self, finished):
        for seat in range(finished.players):
            self.totals[seat] += finished.points(seat)
