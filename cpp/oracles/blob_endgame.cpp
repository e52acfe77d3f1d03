#include "oracles/blob_endgame.h"

#include <bit>
#include <string>

#include "base/errors.h"

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }
constexpr Cards bit(int card) { return Cards{1} << card; }
// Cards strictly between two, the lower first.
constexpr Cards between(int low, int high) { return (bit(high) - 1) & ~((bit(low) << 1) - 1); }

constexpr int kLost = 15;  // tricks wanted, of a seat that cannot make its bid
constexpr size_t kFirstSize = 1024;

int held(const State& state) {
  int cards = 0;
  for (const Cards hand : state.hands) cards += std::popcount(hand);
  return cards;
}

}  // namespace

bool Endgame::solves(const State& state) {
  return state.phase == Phase::play && held(state) <= kMostSolved;
}

void Endgame::begin(const State& state) {
  if (state.phase != Phase::play)
    throw InputError("The exact solver of Blob answers plays: this position is no card to play.");
  if (held(state) > kMostSolved)
    throw InputError("The exact solver of Blob takes positions with at most " +
                     std::to_string(kMostSolved) + " cards in all hands together; this one has " +
                     std::to_string(held(state)) + ".");
  hands_ = state.hands;
  players_ = state.players;
  trump_ = state.trump;
  seat_ = state.seat;
  size_ = state.trick_size;
  left_ = -1;
  uint32_t next = 0;
  for (int seat = 0; seat < players_; ++seat) {
    wanted_[index(seat)] = static_cast<int8_t>(state.bids[index(seat)] - state.won[index(seat)]);
    for (Cards cards = hands_[index(seat)]; cards != 0; cards &= cards - 1)
      bit_[index(std::countr_zero(cards))] = uint32_t{1} << next++;
  }
  left_ = std::popcount(hands_[index(seat_)]) - 1;
  if (size_ > 0) {
    led_ = suit_of(state.trick[0]);
    holder_ = winning_seat(state);
    top_ = state.trick[index((holder_ - state.leader + players_) % players_)];
  }
  if (keys_.empty()) {
    keys_.resize(kFirstSize);
    stamps_.resize(kFirstSize, 0);
    stored_.resize(kFirstSize);
  }
  if (++stamp_ == 0) {
    stamps_.assign(stamps_.size(), 0);
    stamp_ = 1;
  }
  used_ = 0;
}

SeatValues Endgame::values(const State& state) {
  begin(state);
  SeatValues out{};
  if (size_ == 0)
    trick(out);
  else
    play(out);
  for (int seat = 0; seat < players_; ++seat)
    out[index(seat)] *= kMadePoints + state.bids[index(seat)];
  return out;
}

std::vector<Endgame::Choice> Endgame::choices(const State& state) {
  begin(state);
  std::vector<Choice> out;
  const Cards all = legal();
  for (Cards cards = all; cards != 0; cards &= cards - 1) {
    Choice choice{std::countr_zero(cards), {}};
    after(choice.card, choice.values);
    for (int seat = 0; seat < players_; ++seat)
      choice.values[index(seat)] *= kMadePoints + state.bids[index(seat)];
    out.push_back(choice);
  }
  return out;
}

std::vector<Endgame::Mean> Endgame::over_worlds(const State& state, int worlds, uint64_t key,
                                                const std::atomic<bool>* stop) {
  if (worlds < 1) throw InputError("The mean over worlds needs at least one world.");
  std::vector<Mean> out;
  begin(state);
  for (Cards cards = legal(); cards != 0; cards &= cards - 1)
    out.push_back({std::countr_zero(cards), 0.0});
  int done = 0;
  for (; done < worlds; ++done) {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) break;
    Stream stream(key, Purpose::player, 0, static_cast<uint32_t>(done));
    State world;
    sample_world(state, state.seat, stream, world);
    const std::vector<Choice> found = choices(world);
    for (size_t i = 0; i < out.size(); ++i) out[i].points += found[i].values[state.seat];
  }
  for (Mean& mean : out) mean.points /= done > 0 ? done : 1;
  return out;
}

Cards Endgame::legal() const {
  const Cards hand = hands_[index(seat_)];
  if (size_ == 0) return hand;
  const Cards follow = hand & suit_cards(led_);
  return follow != 0 ? follow : hand;
}

// The cards from `card` upwards that are the same choice: none between them elsewhere.
Cards Endgame::same_as(int card, Cards legal, Cards blockers) const {
  Cards same = bit(card);
  int last = card;
  for (Cards more = legal & suit_cards(suit_of(card)) & ~((bit(card) << 1) - 1); more != 0;
       more &= more - 1) {
    const int next = std::countr_zero(more);
    if ((blockers & between(last, next)) != 0) break;
    same |= bit(next);
    last = next;
  }
  return same;
}

// Cards left, who leads, and what each seat wants: all that the rest of the round depends on.
uint64_t Endgame::key() const {
  uint32_t cards = 0;
  uint64_t wanted = 0;
  for (int seat = 0; seat < players_; ++seat) {
    for (Cards hand = hands_[index(seat)]; hand != 0; hand &= hand - 1)
      cards |= bit_[index(std::countr_zero(hand))];
    const int want = wanted_[index(seat)];
    wanted = wanted << 4 | static_cast<uint64_t>(want < 0 || want > left_ + 1 ? kLost : want);
  }
  return static_cast<uint64_t>(cards) << 35 | static_cast<uint64_t>(seat_) << 32 | wanted;
}

size_t Endgame::slot_of(uint64_t key) const {
  const size_t mask = keys_.size() - 1;
  size_t slot = mix64(key) & mask;
  while (stamps_[slot] == stamp_ && keys_[slot] != key) slot = (slot + 1) & mask;
  return slot;
}

void Endgame::grow() {
  std::vector<uint64_t> keys(keys_.size() * 2);
  std::vector<uint32_t> stamps(keys.size(), 0);
  std::vector<SeatValues> stored(keys.size());
  keys.swap(keys_);
  stamps.swap(stamps_);
  stored.swap(stored_);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (stamps[i] != stamp_) continue;
    const size_t slot = slot_of(keys[i]);
    keys_[slot] = keys[i];
    stamps_[slot] = stamp_;
    stored_[slot] = stored[i];
  }
}

// Chances of making the bids, between tricks.
void Endgame::trick(SeatValues& out) {
  if (left_ < 0) {
    for (int seat = 0; seat < players_; ++seat)
      out[index(seat)] = wanted_[index(seat)] == 0 ? 1.0 : 0.0;
    return;
  }
  if (left_ == 0) return play(out);  // no choices: quicker than to remember
  const uint64_t own = key();
  const size_t slot = slot_of(own);
  if (stamps_[slot] == stamp_) {
    out = stored_[slot];
    return;
  }
  play(out);
  if (2 * ++used_ > keys_.size()) grow();
  const size_t free = slot_of(own);
  keys_[free] = own;
  stamps_[free] = stamp_;
  stored_[free] = out;
}

// Chances of making the bids, with the seat to move choosing.
void Endgame::play(SeatValues& out) {
  const Cards all = legal();
  if ((all & (all - 1)) == 0) return after(std::countr_zero(all), out);
  Cards blockers = size_ > 0 ? bit(top_) : 0;
  for (int seat = 0; seat < players_; ++seat)
    if (seat != seat_) blockers |= hands_[index(seat)];
  const int mover = seat_;
  double best = -1.0;
  int ways = 0;
  for (Cards cards = all; cards != 0;) {
    const int card = std::countr_zero(cards);
    const Cards same = same_as(card, cards, blockers);
    cards &= ~same;
    const int count = std::popcount(same);
    SeatValues values;
    after(card, values);
    const double own = values[index(mover)];
    if (own > best + kTolerance) {
      best = own;
      ways = 0;
    } else if (own < best - kTolerance) {
      continue;
    }
    for (int seat = 0; seat < players_; ++seat) {
      const double sum = ways == 0 ? 0.0 : out[index(seat)];
      out[index(seat)] = sum + count * values[index(seat)];
    }
    ways += count;
  }
  for (int seat = 0; seat < players_; ++seat) out[index(seat)] /= ways;
}

// Chances of making the bids behind a card of the seat to move.
void Endgame::after(int card, SeatValues& out) {
  ++nodes_;
  const int mover = seat_;
  const int led = led_;
  const int top = top_;
  const int holder = holder_;
  hands_[index(mover)] &= ~bit(card);
  if (size_ == 0) led_ = suit_of(card);
  const bool takes =
      size_ == 0 || (suit_of(card) == suit_of(top_) ? card > top_ : suit_of(card) == trump_);
  if (takes) {
    top_ = card;
    holder_ = mover;
  }
  if (size_ + 1 < players_) {
    ++size_;
    seat_ = mover + 1 == players_ ? 0 : mover + 1;
    play(out);
    --size_;
  } else {
    const int size = size_;
    const int winner = holder_;
    size_ = 0;
    seat_ = winner;
    --wanted_[index(winner)];
    --left_;
    trick(out);
    ++left_;
    ++wanted_[index(winner)];
    size_ = size;
  }
  seat_ = mover;
  led_ = led;
  top_ = top;
  holder_ = holder;
  hands_[index(mover)] |= bit(card);
}

}  // namespace ludus::blob
