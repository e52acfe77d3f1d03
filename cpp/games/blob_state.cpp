// What follows from a position of Blob: whose trick, what may be bid and played, what a seat sees,
// and whether bytes are a position at all.
#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "base/errors.h"
#include "games/blob.h"

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }

void require(bool sound, const char* what) {
  if (!sound) throw InputError(std::string("These bytes are no position of Blob: ") + what + ".");
}

bool offered(const Options& options, const State& s) {
  if (options.players[s.players] <= 0.0) return false;
  if (!options.games)
    return s.round == 0 && options.cards[s.cards] > 0.0 &&
           std::find(options.trumps.begin(), options.trumps.end(), s.trump) != options.trumps.end();
  // Between two rounds, `round` is the coming one and the rest is of the last.
  const std::vector<int> rounds = rounds_of(s.players, options.highest);
  const int last = s.round - (s.phase == Phase::deal ? 1 : 0);
  return s.round < rounds.size() && last >= 0 && s.cards == rounds[index(last)] &&
         s.trump == options.trumps[index(last) % options.trumps.size()] &&
         (s.phase != Phase::over || s.round + 1U == rounds.size());
}

// Each seat by itself; returns the cards held by all.
Cards check_seats(const State& s) {
  Cards held = 0;
  for (int seat = 0; seat < kMaxPlayers; ++seat) {
    const auto i = index(seat);
    if (seat >= s.players) {
      require(s.hands[i] == 0 && s.total[i] == 0 && s.bids[i] == kNoBid && s.won[i] == 0 &&
                  s.voids[i] == 0 && played_by(s, seat) == 0,
              "a seat beyond the players has something");
      continue;
    }
    require((s.hands[i] & (held | s.seen | ~kAllCards)) == 0, "a card in two places");
    held |= s.hands[i];
    require(s.bids[i] >= kNoBid && s.bids[i] <= s.cards, "a bid that cannot be made");
    require(s.won[i] <= s.cards, "more tricks than cards");
    require(s.total[i] >= 0 && s.total[i] <= (kMadePoints + kMaxCards) * (s.round + 1),
            "points that nobody can have");
    require(s.voids[i] < 16, "an unknown suit");
    for (int suit = 0; suit < kSuits; ++suit)
      require((s.voids[i] >> suit & 1) == 0 || (s.hands[i] & suit_cards(suit)) == 0,
              "a seat holds a suit that it lacks");
  }
  return held;
}

void check_bids(const State& s, bool dealer_bound) {
  const bool bidding = s.phase == Phase::bid;
  int made = 0;
  int sum = 0;
  for (int i = 0, seat = next_seat(s, s.dealer); i < s.players; ++i, seat = next_seat(s, seat)) {
    const int bid = s.bids[index(seat)];
    require(bid == kNoBid || made == i, "a seat has bid before its turn");
    made += bid != kNoBid;
    sum += std::max(bid, 0);
  }
  require(bidding ? made < s.players : made == s.players, "the bids do not fit the phase");
  require(bidding || !dealer_bound || sum != s.cards, "the bids sum to the cards");
  if (!bidding) return;
  require(s.seat == (s.dealer + 1 + made) % s.players, "it is another seat's bid");
  require(s.seen == 0 && s.leader == next_seat(s, s.dealer), "cards were played before the bids");
  for (int seat = 0; seat < s.players; ++seat)
    require(s.won[index(seat)] == 0 && s.voids[index(seat)] == 0,
            "cards were played before the bids");
}

void check_trick(const State& s) {
  Cards trick = 0;
  for (int i = 0; i < kMaxPlayers; ++i) {
    const int card = s.trick[index(i)];
    if (i >= s.trick_size) {
      require(card == 0, "the trick has too many cards");
      continue;
    }
    require(card < kCards, "a card beyond the deck");
    const Cards bit = Cards{1} << card;
    const int seat = (s.leader + i) % s.players;
    require((played_by(s, seat) & bit) != 0 && (trick & bit) == 0,
            "the trick has a card that its seat did not play");
    require(suit_of(card) == suit_of(s.trick[0]) ||
                (s.voids[index(seat)] >> suit_of(s.trick[0]) & 1) != 0,
            "a seat did not follow suit");
    trick |= bit;
  }
}

}  // namespace

int winning_seat(const State& state) {
  int best = 0;
  for (int i = 1; i < state.trick_size; ++i) {
    const int card = state.trick[index(i)];
    const int high = state.trick[index(best)];
    const bool beats = suit_of(card) == suit_of(high) ? card > high : suit_of(card) == state.trump;
    if (beats) best = i;
  }
  return (state.leader + best) % state.players;
}

int forbidden_bid(const State& state, bool dealer_bound) {
  if (!dealer_bound || state.seat != state.dealer) return kNoBid;
  int sum = 0;
  for (int seat = 0; seat < state.players; ++seat)
    if (seat != state.dealer) {
      if (state.bids[index(seat)] == kNoBid) return kNoBid;
      sum += state.bids[index(seat)];
    }
  return sum <= state.cards ? state.cards - sum : kNoBid;
}

Cards playable(const State& state) {
  const Cards hand = state.hands[state.seat];
  if (state.trick_size == 0) return hand;
  const Cards follow = hand & suit_cards(suit_of(state.trick[0]));
  return follow != 0 ? follow : hand;
}

// All of the observing seat's view: seats are relative to it, itself first.
//   0 hand, 52 cards played, 104 cards of the trick by order (1/8 the first), 156 bids,
//   164 tricks taken, 172 tricks still wanted, 180 suits that seats lack (4 each), 212 seats behind
//   the dealer, 220 players, 226 trump, 231 the dealer's forbidden bid, 245 bidding, 246 cards
//   dealt, 247 tricks done, 248 leader of the trick; 256 the hands of the others, empty unless
//   open.
void observe(const State& s, int seat, bool dealer_bound, float* out) {
  std::memset(out, 0, kObservation * sizeof(float));
  if (seat >= s.players) return;
  for (Cards left = s.hands[index(seat)]; left != 0; left &= left - 1)
    out[std::countr_zero(left)] = 1.0F;
  for (Cards left = s.seen; left != 0; left &= left - 1) out[52 + std::countr_zero(left)] = 1.0F;
  for (int i = 0; i < s.trick_size; ++i)
    out[104 + s.trick[index(i)]] = static_cast<float>(i + 1) * 0.125F;
  int done = 0;
  for (int i = 0, other = seat; i < s.players; ++i, other = next_seat(s, other)) {
    const int bid = s.bids[index(other)];
    const int won = s.won[index(other)];
    done += won;
    if (bid != kNoBid) {
      out[156 + i] = static_cast<float>(bid + 1) * 0.25F;
      out[172 + i] = static_cast<float>(bid - won) * 0.25F;
    }
    out[164 + i] = static_cast<float>(won) * 0.25F;
    for (int suit = 0; suit < kSuits; ++suit)
      out[180 + 4 * i + suit] = static_cast<float>(s.voids[index(other)] >> suit & 1);
    if (other == s.leader) out[248 + i] = 1.0F;
    if (other == s.dealer) out[212 + (i == 0 ? 0 : s.players - i)] = 1.0F;
  }
  out[220 + s.players - kMinPlayers] = 1.0F;
  out[226 + s.trump] = 1.0F;
  if (s.phase == Phase::bid) {
    const int forbidden = seat == s.dealer ? forbidden_bid(s, dealer_bound) : kNoBid;
    if (forbidden != kNoBid) out[231 + forbidden] = 1.0F;
    out[245] = 1.0F;
  }
  out[246] = static_cast<float>(s.cards) * 0.125F;
  out[247] = static_cast<float>(done) * 0.125F;
}

void observe_open(const State& s, int seat, bool dealer_bound, float* out) {
  observe(s, seat, dealer_bound, out);
  if (seat >= s.players) return;
  float* hand = out + kSeatView;
  for (int other = next_seat(s, seat); other != seat; other = next_seat(s, other), hand += kCards)
    for (Cards left = s.hands[index(other)]; left != 0; left &= left - 1)
      hand[std::countr_zero(left)] = 1.0F;
}

void validate(const State& s, const Options& options) {
  if (s.players == 0) {
    State fresh;
    std::memset(&fresh, 0, sizeof(State));
    fresh.bids.fill(kNoBid);
    require(std::memcmp(&fresh, &s, sizeof(State)) == 0, "no players, but something has happened");
    return;
  }
  require(s.players >= kMinPlayers && s.players <= kMaxPlayers, "players must be 3 to 8");
  require(s.cards >= 1 && s.cards <= most_cards(s.players), "so many cards cannot be dealt");
  require(s.dealer < s.players && s.leader < s.players && s.seat < s.players,
          "a seat beyond the players");
  require(s.trump < kTrumps && s.phase <= Phase::over && s.trick_size < s.players,
          "an unknown trump or phase");
  require(offered(options, s), "a round that the options of the game do not have");
  require((s.seen & ~kAllCards) == 0 && ((s.by[0] | s.by[1] | s.by[2]) & ~s.seen) == 0,
          "a card beyond the deck or the cards played");
  const Cards held = check_seats(s);
  check_bids(s, options.dealer_bound);
  check_trick(s);
  int won = 0;
  for (int seat = 0; seat < s.players; ++seat) won += s.won[index(seat)];
  require(won * s.players + s.trick_size == std::popcount(s.seen),
          "the cards played do not fit the tricks");
  require((won == s.cards) == (s.phase == Phase::deal || s.phase == Phase::over),
          "the tricks do not fit the phase");
  if (s.phase == Phase::play)
    require(s.seat == (s.leader + s.trick_size) % s.players &&
                (won > 0 || s.leader == next_seat(s, s.dealer)) &&
                (won == 0 || s.won[s.leader] > 0),
            "it is another seat's turn");
  if (s.phase == Phase::deal)
    require(s.seat == next_seat(s, s.dealer), "it is another seat's deal");
  for (int seat = 0; seat < s.players; ++seat) {
    const Cards hand = s.hands[index(seat)];
    const int behind = (seat - s.leader + s.players) % s.players;
    const int played = won + (behind < s.trick_size ? 1 : 0);
    require(std::popcount(hand) == s.cards - played && std::popcount(played_by(s, seat)) == played,
            "a hand has the wrong size");
    if (s.phase == Phase::over)
      require(s.total[index(seat)] >= round_points(s, seat), "points that nobody can have");
  }
  require(held == 0 || won < s.cards, "the round is not over");
  for (const uint8_t byte : s.unused) require(byte == 0, "something beside the position");
}

}  // namespace ludus::blob
