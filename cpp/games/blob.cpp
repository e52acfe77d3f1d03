#include "games/blob.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/errors.h"

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }

const State& at(const void* state) { return *static_cast<const State*>(state); }
State& at(void* state) { return *static_cast<State*>(state); }

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
    info_.encoder_id = "blob-seat-256-open-620-v1";
    info_.action_space_id = "blob-66-v1";
    info_.has_chance = true;
    info_.has_hidden = true;
    info_.hidden_things = kCards;
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
  void validate(const void* state) const override { blob::validate(at(state), options_); }

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
  void observe(const void* state, int seat, float* out) const override {
    blob::observe(at(state), seat, options_.dealer_bound, out);
  }
  void observe_open(const void* state, int seat, float* out) const override {
    blob::observe_open(at(state), seat, options_.dealer_bound, out);
  }

  int sample_world(const void* state, int seat, Stream& stream, void* world) const override {
    return blob::sample_world(at(state), seat, stream, at(world));
  }
  double world_evidence(const void* world, int seat) const override {
    return blob::world_evidence(at(world), seat, options_.dealer_bound);
  }
  void holders(const void* state, int seat, uint8_t* by_thing) const override {
    blob::holders(at(state), seat, by_thing);
  }
  void possible_holders(const void* state, int seat, uint8_t* by_thing,
                        uint8_t* by_holder) const override {
    blob::possible_holders(at(state), seat, by_thing, by_holder);
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
  for (int plane = 0; plane < 3; ++plane)
    if ((s.seat >> plane & 1) != 0) s.by[index(plane)] |= bit;
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
  s.by.fill(0);
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

}  // namespace

std::shared_ptr<const Game> make_game(const std::string& options) {
  return std::make_shared<BlobGame>(Options::parse(options));
}

}  // namespace ludus::blob
