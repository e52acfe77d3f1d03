#include "games/blob.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/errors.h"

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }

// First setup index of each number of players, and behind it the end.
constexpr std::array<int, kMaxPlayers + 2> first_setups() {
  std::array<int, kMaxPlayers + 2> first{};
  for (int players = kMinPlayers; players <= kMaxPlayers; ++players)
    first[index(players + 1)] = first[index(players)] + players * most_cards(players) * kTrumps;
  return first;
}
constexpr auto kFirstSetup = first_setups();
static_assert(kFirstSetup[kMaxPlayers + 1] == kSetups);

const State& at(const void* state) { return *static_cast<const State*>(state); }
State& at(void* state) { return *static_cast<State*>(state); }

int next_seat(const State& state, int seat) { return seat + 1 == state.players ? 0 : seat + 1; }

// The bit after the last of `count` draws from the weights at quantile u.
template <size_t N>
int pick(const std::array<double, N>& weights, int highest, double u) {
  double total = 0.0;
  for (int i = 0; i <= highest; ++i) total += weights[index(i)];
  double rest = u * total;
  int last = 0;
  for (int i = 0; i <= highest; ++i) {
    if (weights[index(i)] <= 0.0) continue;
    last = i;
    rest -= weights[index(i)];
    if (rest < 0.0) break;
  }
  return last;
}

class BlobGame final : public Game {
 public:
  explicit BlobGame(Options options) : options_(std::move(options)) {
    info_.name = "blob";
    info_.num_seats = kMaxPlayers;
    info_.num_actions = kActions;
    info_.max_legal = kMaxCards + 1;
    info_.max_outcomes = kDeals;
    info_.state_size = sizeof(State);
    info_.observation_size = kObservation;
    info_.observation_shape = {kObservation};
    info_.decision_kinds = {"bid", "play"};
    info_.rules_id = options_.dealer_bound ? "blob-v1" : "blob-v1-free-dealer";
    info_.encoder_id = "blob-seat-256-v1";
    info_.action_space_id = "blob-66-v1";
    info_.has_chance = true;
    info_.has_hidden = true;
    info_.sampled_chance = true;
    info_.max_plies = 0;
    for (int players = kMinPlayers; players <= kMaxPlayers; ++players) {
      if (options_.players[index(players)] <= 0.0) continue;
      int plies = 0;
      if (options_.games) {
        for (const int cards : rounds_of(players, options_.highest)) plies += players * (cards + 1);
      } else {
        for (int cards = 1; cards <= most_cards(players); ++cards)
          if (options_.cards[index(cards)] > 0.0) plies = players * (cards + 1);
      }
      info_.max_plies = std::max(info_.max_plies, plies);
    }
  }

  const GameInfo& info() const override { return info_; }

  void initial(void* state) const override {
    State& s = at(state);
    std::memset(&s, 0, sizeof(State));
    s.bids.fill(kNoBid);
  }
  void validate(const void* state) const override;

  NodeKind kind(const void* state) const override {
    switch (at(state).phase) {
      case Phase::deal:
        return NodeKind::chance;
      case Phase::over:
        return NodeKind::terminal;
      default:
        return NodeKind::decision;
    }
  }
  int players(const void* state) const override {
    const int players = at(state).players;
    return players > 0 ? players : kMaxPlayers;
  }
  int seat(const void* state) const override { return at(state).seat; }
  int decision_kind(const void* state) const override {
    return at(state).phase == Phase::play ? 1 : 0;
  }

  int legal(const void* state, int32_t* out) const override { return list(at(state), out); }
  int search_actions(const void* state, uint16_t* out) const override {
    return list(at(state), out);
  }
  int canonical(const void* /*state*/, int action) const override { return action; }
  bool is_legal(const void* state, int action) const override {
    const State& s = at(state);
    if (s.phase == Phase::play)
      return action >= 0 && action < kCards && (playable(s) >> action & 1) != 0;
    if (s.phase != Phase::bid) return false;
    const int bid = action - kBidBase;
    return bid >= 0 && bid <= s.cards && bid != forbidden_bid(s, options_.dealer_bound);
  }
  void apply(void* state, int action) const override {
    State& s = at(state);
    if (s.phase == Phase::bid)
      apply_bid(s, action - kBidBase);
    else
      apply_card(s, action);
  }

  int outcomes(const void*, int32_t*, double*) const override { return 0; }
  bool is_outcome(const void* state, int outcome) const override;
  void apply_outcome(void* state, int outcome) const override;
  int outcome_at(const void*, double) const override {
    throw InputError("The deal of Blob has no quantiles: it only samples.");
  }
  int draw(const void* state, uint64_t episode_seed) const override;

  void returns(const void* state, float* by_seat) const override;
  void margins(const void* state, float* by_seat) const override { stage_margins(state, by_seat); }
  void stage_returns(const void* state, float* by_seat) const override {
    const State& s = at(state);
    for (int seat = 0; seat < kMaxPlayers; ++seat)
      by_seat[seat] =
          seat < s.players ? static_cast<float>(round_points(s, seat)) / kScoreScale - 1.0F : 0.0F;
  }
  void stage_margins(const void* state, float* by_seat) const override {
    const State& s = at(state);
    for (int seat = 0; seat < kMaxPlayers; ++seat)
      by_seat[seat] = seat >= s.players                           ? 0.0F
                      : s.won[index(seat)] == s.bids[index(seat)] ? 1.0F
                                                                  : -1.0F;
  }
  void scores(const void* state, float* by_seat) const override {
    const State& s = at(state);
    for (int seat = 0; seat < kMaxPlayers; ++seat) by_seat[seat] = s.total[index(seat)];
  }
  void observe(const void* state, int seat, float* out) const override;

  int sample_world(const void* state, int seat, Stream& stream, void* world) const override {
    return blob::sample_world(at(state), seat, stream, at(world));
  }
  uint64_t private_key(const void* state, int seat) const override {
    return at(state).hands[index(seat)];
  }
  uint64_t key(const void* state) const override {
    uint64_t words[sizeof(State) / 8];
    std::memcpy(words, state, sizeof(State));
    uint64_t hash = 0;
    for (const uint64_t word : words) hash = mix64(hash ^ word);
    return hash;
  }

 private:
  template <class Out>
  int list(const State& s, Out* out) const {
    int count = 0;
    if (s.phase == Phase::play) {
      for (Cards left = playable(s); left != 0; left &= left - 1)
        out[count++] = static_cast<Out>(std::countr_zero(left));
      return count;
    }
    if (s.phase != Phase::bid) return 0;
    const int forbidden = forbidden_bid(s, options_.dealer_bound);
    for (int bid = 0; bid <= s.cards; ++bid)
      if (bid != forbidden) out[count++] = static_cast<Out>(kBidBase + bid);
    return count;
  }
  static void apply_bid(State& s, int bid);
  void apply_card(State& s, int card) const;
  void end_round(State& s) const;
  // Setup of the coming round, by the seed where the options leave a choice.
  Setup coming(const State& s, Stream& stream) const;
  bool offered(const State& s, const Setup& setup) const;

  GameInfo info_;
  Options options_;
};

void BlobGame::apply_bid(State& s, int bid) {
  s.bids[s.seat] = static_cast<int8_t>(bid);
  const bool last = s.seat == s.dealer;
  s.seat = static_cast<uint8_t>(next_seat(s, s.seat));  // the dealer's left leads the first trick
  if (!last) return;
  s.leader = s.seat;
  s.phase = Phase::play;
}

void BlobGame::apply_card(State& s, int card) const {
  const Cards bit = Cards{1} << card;
  s.hands[s.seat] &= ~bit;
  s.seen |= bit;
  if (s.trick_size > 0 && suit_of(card) != suit_of(s.trick[0]))
    s.voids[s.seat] |= static_cast<uint8_t>(1U << suit_of(s.trick[0]));
  s.trick[s.trick_size++] = static_cast<uint8_t>(card);
  if (s.trick_size < s.players) {
    s.seat = static_cast<uint8_t>(next_seat(s, s.seat));
    return;
  }
  const int winner = winning_seat(s);
  ++s.won[index(winner)];
  s.leader = s.seat = static_cast<uint8_t>(winner);
  s.trick.fill(0);
  s.trick_size = 0;
  if (s.hands[0] == 0) end_round(s);
}

void BlobGame::end_round(State& s) const {
  for (int seat = 0; seat < s.players; ++seat)
    s.total[index(seat)] = static_cast<int16_t>(s.total[index(seat)] + round_points(s, seat));
  s.phase = Phase::over;
  if (!options_.games) return;
  if (s.round + 1U < rounds_of(s.players, options_.highest).size()) {
    ++s.round;
    s.phase = Phase::deal;
    s.seat = static_cast<uint8_t>(next_seat(s, s.dealer));  // who deals
  }
}

Setup BlobGame::coming(const State& s, Stream& stream) const {
  Setup setup{};
  setup.players = s.players > 0 ? s.players : pick(options_.players, kMaxPlayers, stream.uniform());
  if (options_.games) {
    setup.cards = rounds_of(setup.players, options_.highest)[s.round];
    setup.trump = options_.trumps[s.round % options_.trumps.size()];
    setup.dealer = s.players > 0
                       ? s.seat
                       : static_cast<int>(stream.below(static_cast<uint32_t>(setup.players)));
    return setup;
  }
  setup.cards = pick(options_.cards, most_cards(setup.players), stream.uniform());
  setup.trump = options_.trumps[stream.below(static_cast<uint32_t>(options_.trumps.size()))];
  setup.dealer = static_cast<int>(stream.below(static_cast<uint32_t>(setup.players)));
  return setup;
}

bool BlobGame::offered(const State& s, const Setup& setup) const {
  if (s.players > 0 ? setup.players != s.players : options_.players[index(setup.players)] <= 0.0)
    return false;
  if (!options_.games)
    return options_.cards[index(setup.cards)] > 0.0 &&
           std::find(options_.trumps.begin(), options_.trumps.end(), setup.trump) !=
               options_.trumps.end();
  return setup.cards == rounds_of(setup.players, options_.highest)[s.round] &&
         setup.trump == options_.trumps[s.round % options_.trumps.size()] &&
         (s.players == 0 || setup.dealer == s.seat);
}

bool BlobGame::is_outcome(const void* state, int outcome) const {
  return outcome >= 0 && outcome < kDeals && offered(at(state), setup_at(outcome % kSetups));
}

int BlobGame::draw(const void* state, uint64_t episode_seed) const {
  const State& s = at(state);
  Stream stream(episode_seed, Purpose::chance, 0, s.round);
  const int setup = setup_index(coming(s, stream));
  return deal_number(setup, static_cast<int>(stream.below(kShuffles)));
}

void BlobGame::apply_outcome(void* state, int outcome) const {
  State& s = at(state);
  const Setup setup = setup_at(outcome % kSetups);
  s.hands = deal_hands(outcome);
  s.seen = 0;
  s.bids.fill(kNoBid);
  s.won.fill(0);
  s.voids.fill(0);
  s.players = static_cast<uint8_t>(setup.players);
  s.cards = static_cast<uint8_t>(setup.cards);
  s.dealer = static_cast<uint8_t>(setup.dealer);
  s.trump = static_cast<uint8_t>(setup.trump);
  s.leader = s.seat = static_cast<uint8_t>(next_seat(s, setup.dealer));
  s.phase = Phase::bid;
}

void BlobGame::returns(const void* state, float* by_seat) const {
  if (!options_.games) return stage_returns(state, by_seat);
  // The share of the other seats that one has left behind, ties half, from -1 to 1.
  const State& s = at(state);
  for (int seat = 0; seat < kMaxPlayers; ++seat) {
    by_seat[seat] = 0.0F;
    if (seat >= s.players) continue;
    for (int other = 0; other < s.players; ++other) {
      const int ahead = s.total[index(seat)] - s.total[index(other)];
      by_seat[seat] += static_cast<float>((ahead > 0) - (ahead < 0));
    }
    by_seat[seat] /= static_cast<float>(s.players - 1);
  }
}

// All of the observing seat's view: seats are relative to it, itself first.
//   0 hand, 52 cards played, 104 cards of the trick by order (1/8 the first), 156 bids,
//   164 tricks taken, 172 tricks still wanted, 180 suits that seats lack (4 each), 212 seats behind
//   the dealer, 220 players, 226 trump, 231 the dealer's forbidden bid, 245 bidding, 246 cards
//   dealt, 247 tricks done, 248 leader of the trick.
void BlobGame::observe(const void* state, int seat, float* out) const {
  const State& s = at(state);
  std::memset(out, 0, kObservation * sizeof(float));
  if (s.players == 0) return;
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
    const int forbidden = seat == s.dealer ? forbidden_bid(s, options_.dealer_bound) : kNoBid;
    if (forbidden != kNoBid) out[231 + forbidden] = 1.0F;
    out[245] = 1.0F;
  }
  out[246] = static_cast<float>(s.cards) * 0.125F;
  out[247] = static_cast<float>(done) * 0.125F;
}

void BlobGame::validate(const void* state) const {
  const State& s = at(state);
  auto require = [](bool sound, const char* what) {
    if (!sound) throw InputError(std::string("These bytes are no position of Blob: ") + what + ".");
  };
  if (s.players == 0) {
    State fresh;
    initial(&fresh);
    require(std::memcmp(&fresh, &s, sizeof(State)) == 0, "no players, but something has happened");
    return;
  }
  require(s.players >= kMinPlayers && s.players <= kMaxPlayers, "players must be 3 to 8");
  require(s.cards >= 1 && s.cards <= most_cards(s.players), "so many cards cannot be dealt");
  require(s.dealer < s.players && s.leader < s.players && s.seat < s.players,
          "a seat beyond the players");
  require(s.trump < kTrumps && s.phase <= Phase::over && s.trick_size < s.players,
          "an unknown trump or phase");
  require(
      s.round == 0 || (options_.games && s.round < rounds_of(s.players, options_.highest).size()),
      "a round that the game does not have");
  require((s.seen & ~kAllCards) == 0, "a card beyond the deck");
  Cards held = 0;
  int bids = 0;
  int won = 0;
  for (int seat = 0; seat < kMaxPlayers; ++seat) {
    const auto i = index(seat);
    if (seat >= s.players) {
      require(s.hands[i] == 0 && s.total[i] == 0 && s.bids[i] == kNoBid && s.won[i] == 0 &&
                  s.voids[i] == 0 && (seat >= s.trick_size || s.trick_size <= s.players),
              "a seat beyond the players has something");
      continue;
    }
    require((s.hands[i] & (held | s.seen | ~kAllCards)) == 0, "a card in two places");
    held |= s.hands[i];
    require(s.bids[i] >= kNoBid && s.bids[i] <= s.cards, "a bid that cannot be made");
    require(s.voids[i] < 16, "an unknown suit");
    bids += s.bids[i] != kNoBid;
    won += s.won[i];
    for (int suit = 0; suit < kSuits; ++suit)
      require((s.voids[i] >> suit & 1) == 0 || (s.hands[i] & suit_cards(suit)) == 0,
              "a seat holds a suit that it lacks");
  }
  const bool between = s.phase == Phase::deal || s.phase == Phase::over;
  require(between || (s.phase == Phase::bid ? bids < s.players : bids == s.players),
          "the bids do not fit the phase");
  Cards trick = 0;
  for (int i = 0; i < s.trick_size; ++i) {
    const Cards bit = Cards{1} << (s.trick[index(i)] & 63);
    require(s.trick[index(i)] < kCards && (s.seen & bit) != 0 && (trick & bit) == 0,
            "the trick has a card that was not played");
    trick |= bit;
  }
  for (int i = s.trick_size; i < kMaxPlayers; ++i)
    require(s.trick[index(i)] == 0, "the trick has too many cards");
  const int played = std::popcount(s.seen);
  require(won * s.players + s.trick_size == played, "the cards played do not fit the tricks");
  require(!between || won == s.cards, "the round is not over");
  if (s.phase == Phase::bid)
    require(s.seat == (s.dealer + 1 + bids) % s.players, "it is another seat's bid");
  if (s.phase == Phase::play)
    require(s.seat == (s.leader + s.trick_size) % s.players, "it is another seat's turn");
  for (int seat = 0; seat < s.players; ++seat) {
    const int behind = (seat - s.leader + s.players) % s.players;
    const int expected = s.cards - won - (behind < s.trick_size ? 1 : 0);
    require(std::popcount(s.hands[index(seat)]) == expected, "a hand has the wrong size");
  }
  for (const uint8_t byte : s.unused) require(byte == 0, "something beside the position");
}

}  // namespace

int setup_index(const Setup& setup) {
  const int cards = most_cards(setup.players);
  return kFirstSetup[index(setup.players)] +
         ((setup.dealer * cards + setup.cards - 1) * kTrumps + setup.trump);
}

Setup setup_at(int setup) {
  int players = kMinPlayers;
  while (setup >= kFirstSetup[index(players + 1)]) ++players;
  int rest = setup - kFirstSetup[index(players)];
  const int trump = rest % kTrumps;
  rest /= kTrumps;
  const int cards = most_cards(players);
  return {players, rest % cards + 1, rest / cards, trump};
}

std::array<Cards, kMaxPlayers> deal_hands(int deal) {
  const Setup setup = setup_at(deal % kSetups);
  Stream stream(static_cast<uint64_t>(deal), Purpose::chance);
  std::array<uint8_t, kCards> deck;
  for (int card = 0; card < kCards; ++card) deck[index(card)] = static_cast<uint8_t>(card);
  std::array<Cards, kMaxPlayers> hands{};
  // The front of a shuffled deck (Fisher and Yates, as by Durstenfeld 1964).
  int next = 0;
  for (int seat = 0; seat < setup.players; ++seat)
    for (int i = 0; i < setup.cards; ++i, ++next) {
      const auto other =
          next + static_cast<int>(stream.below(static_cast<uint32_t>(kCards - next)));
      std::swap(deck[index(next)], deck[index(other)]);
      hands[index(seat)] |= Cards{1} << deck[index(next)];
    }
  return hands;
}

std::vector<int> rounds_of(int players, int highest) {
  const int top = std::min(highest, most_cards(players));
  std::vector<int> cards;
  for (int c = top; c > 1; --c) cards.push_back(c);
  for (int i = 0; i < players; ++i) cards.push_back(1);
  for (int c = 2; c <= top; ++c) cards.push_back(c);
  return cards;
}

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

std::shared_ptr<const Game> make_game(const std::string& options) {
  return std::make_shared<BlobGame>(Options::parse(options));
}

}  // namespace ludus::blob
