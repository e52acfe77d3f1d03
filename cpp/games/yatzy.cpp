#include "games/yatzy.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/errors.h"
#include "base/softmax.h"

namespace ludus::yatzy {

namespace {

constexpr float kMarginScale =
    60.0F;  // about the spread of the difference between two good players

// Highest score of each category, for scaling observations.
constexpr std::array<float, kCategories> kBestScore = {5,  10, 15, 20, 25, 30, 12, 22,
                                                       18, 24, 15, 20, 28, 30, 50};

const State& as_state(const void* state) { return *static_cast<const State*>(state); }
State& as_state(void* state) { return *static_cast<State*>(state); }

GameInfo make_info() {
  GameInfo info;
  info.name = "yatzy";
  info.num_seats = 2;
  info.num_actions = kActions;
  info.max_legal = 48;  // 31 keeps and 15 marks, and room for the copies of search_actions()
  info.max_plies = 2 * kCategories * 3;
  info.max_outcomes = kClasses;
  info.state_size = static_cast<int>(sizeof(State));
  info.observation_size = kObservation;
  info.observation_shape = {kObservation};
  info.decision_kinds = {"reroll", "mark"};
  info.rules_id = "swedish_scandinavian_v1";
  info.encoder_id = "yatzy_v1";
  info.action_space_id = "oracle_keepmask_v1";
  info.has_chance = true;
  info.margin_scale = kMarginScale;
  return info;
}

void roll_next_turn(State& state) {
  state.seat ^= 1U;
  state.kept = 0;
  state.dice = 0;
  state.rerolls = 2;
  state.phase = state.free[state.seat] == 0 ? Phase::terminal : Phase::chance;
}

// 0.0 or 1.0 for eight bits of a mask: bit 0 first, or bit `top` first.
FloatLanes bits_ascending(uint32_t mask) {
  const IntLanes index = {0, 1, 2, 3, 4, 5, 6, 7};
  return __builtin_convertvector((static_cast<int32_t>(mask) >> index) & 1, FloatLanes);
}
FloatLanes bits_descending(uint32_t mask, int top) {
  const IntLanes index = {0, 1, 2, 3, 4, 5, 6, 7};
  // Below bit 0 there is nothing: the shift of the doubled mask finds its zero.
  const IntLanes shift = top + 1 - index;
  return __builtin_convertvector((static_cast<int32_t>(mask << 1) >> (shift > 0 ? shift : 0)) & 1,
                                 FloatLanes);
}
FloatLanes load_bytes(const uint8_t* from) {
  typedef uint8_t ByteLanes __attribute__((vector_size(kLanes)));
  ByteLanes bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  return __builtin_convertvector(bytes, FloatLanes);
}
void store_lanes(float* to, FloatLanes lanes) { std::memcpy(to, &lanes, sizeof(lanes)); }

class Yatzy final : public Game {
 public:
  Yatzy() {
    for (size_t c = 0; c < kClasses; ++c)
      for (size_t face = 0; face < 6; ++face)
        for (size_t n = 0; n < tables.counts[kFullKept + c][face]; ++n)
          dice_bits_[c] |= 1U << (kDice * face + n);
    for (size_t mask = 0; mask < faces_sum_.size(); ++mask)
      for (int face = 1; face <= kUpperCategories; ++face)
        if (mask >> (kUpperCategories - face) & 1U) faces_sum_[mask] += face;
    for (int i = 0; i <= 2 * kListed; ++i) {
      const auto difference = static_cast<float>(i - kListed);
      tanh_20_[static_cast<size_t>(i)] = std::tanh(difference / 20.0F);
      tanh_60_[static_cast<size_t>(i)] = std::tanh(difference / 60.0F);
    }
  }
  const GameInfo& info() const override { return info_; }
  void initial(void* state) const override { as_state(state) = initial_state(); }

  void validate(const void* raw) const override {
    const State& s = as_state(raw);
    const bool fits = s.seat < 2 && s.rerolls <= 2 && s.dice < kClasses && s.kept < kKept &&
                      s.phase <= Phase::terminal && (s.free[0] | s.free[1]) <= kAllFree &&
                      s.upper[0] <= kUpperGoal && s.upper[1] <= kUpperGoal;
    if (!fits) throw InputError("These bytes are no Yatzy position.");
  }

  NodeKind kind(const void* s) const override { return static_cast<NodeKind>(as_state(s).phase); }
  int seat(const void* s) const override { return as_state(s).seat; }
  int decision_kind(const void* s) const override { return as_state(s).rerolls > 0 ? 0 : 1; }

  int legal(const void* raw, int32_t* out) const override {
    const State& s = as_state(raw);
    int count = 0;
    if (s.rerolls > 0)
      for (; count < 31; ++count) out[count] = count;
    const auto& high = tables.marks_high[s.free[s.seat] >> 7];
    const auto& low = tables.marks_low[s.free[s.seat] & 0x7F];
    for (size_t i = 0; i < high.size() && high[i] != 0; ++i) out[count++] = high[i];
    for (size_t i = 0; i < low.size() && low[i] != 0; ++i) out[count++] = low[i];
    return count;
  }

  // Whole lists are copied, so up to eight entries behind the last one are overwritten.
  int search_actions(const void* raw, uint16_t* out) const override {
    const State& s = as_state(raw);
    int count = 0;
    if (s.rerolls > 0) {
      std::memcpy(out, tables.keeps[s.dice].data(), sizeof(tables.keeps[0]));
      count = tables.num_keeps[s.dice];
    }
    const uint16_t free = s.free[s.seat];
    std::memcpy(out + count, tables.marks_high[free >> 7].data(), sizeof(tables.marks_high[0]));
    count += __builtin_popcount(free >> 7);
    std::memcpy(out + count, tables.marks_low[free & 0x7F].data(), sizeof(tables.marks_low[0]));
    return count + __builtin_popcount(free & 0x7F);
  }

  int canonical(const void* raw, int action) const override {
    if (action >= kMarkBase) return action;
    return tables.canonical[as_state(raw).dice][static_cast<size_t>(action)];
  }

  void apply(void* s, int action) const override { yatzy::apply(as_state(s), action); }
  bool is_legal(const void* s, int action) const override {
    return yatzy::is_legal(as_state(s), action);
  }

  int outcomes(const void* raw, int32_t* ids, double* probabilities) const override {
    const State& s = as_state(raw);
    const auto rolled = static_cast<size_t>(kDice - tables.size[s.kept]);
    const int begin = tables.size_begin[rolled];
    const int count = tables.size_begin[rolled + 1] - begin;
    for (int r = 0; r < count; ++r) {
      ids[r] = tables.result[static_cast<size_t>(tables.result_begin[s.kept] + r)];
      probabilities[r] = static_cast<double>(tables.ways[static_cast<size_t>(begin + r)]) /
                         static_cast<double>(tables.power[rolled]);
    }
    return count;
  }

  void apply_outcome(void* s, int outcome) const override {
    yatzy::apply_outcome(as_state(s), outcome);
  }

  int outcome_at(const void* raw, double u) const override {
    const State& s = as_state(raw);
    const auto rolled = static_cast<size_t>(kDice - tables.size[s.kept]);
    const auto cell = static_cast<size_t>(u * tables.power[rolled]);
    const size_t rank = tables.by_quantile[rolled][cell];
    return tables.result[static_cast<size_t>(tables.result_begin[s.kept]) + rank];
  }

  // Keyed by (episode seed, seat, round, roll index); a roll's k dice are the first k values of
  // that event, so which of two equal dice is rerolled cannot matter.
  int draw(const void* raw, uint64_t episode_seed) const override {
    const State& s = as_state(raw);
    const auto roll = static_cast<uint32_t>(2 - s.rerolls);
    Stream stream(episode_seed, Purpose::chance, 0, static_cast<uint32_t>(round_of(s)),
                  3U * s.seat + roll);
    const auto rolled = static_cast<size_t>(kDice - tables.size[s.kept]);
    size_t order = 0;
    for (size_t i = 0; i < rolled; ++i)
      order += stream.below(6) * static_cast<size_t>(tables.power[i]);
    const size_t rank = tables.by_order[rolled][order];
    return tables.result[static_cast<size_t>(tables.result_begin[s.kept]) + rank];
  }

  void returns(const void* raw, float* by_seat) const override {
    const State& s = as_state(raw);
    by_seat[0] = static_cast<float>((s.total[0] > s.total[1]) - (s.total[0] < s.total[1]));
    by_seat[1] = -by_seat[0];
  }

  void margins(const void* raw, float* by_seat) const override {
    const State& s = as_state(raw);
    by_seat[0] = std::tanh(static_cast<float>(s.total[0] - s.total[1]) / kMarginScale);
    by_seat[1] = -by_seat[0];
  }

  void scores(const void* raw, float* by_seat) const override {
    for (size_t seat = 0; seat < 2; ++seat) by_seat[seat] = as_state(raw).total[seat];
  }

  // Layout, from the view of `seat` (0/1 unless said): dice count of face f at least n (30),
  // rerolls left 0, 1, 2 (3), own free categories (15), the other's (15), points of the dice in
  // each own free category over the category's best (15), own and the other's upper total / 63,
  // bonus earned, upper total above three a face / 20, upper reach short of 63 / 63 (8), own and
  // the other's total / 300, difference / 100, tanh(difference / 20), tanh(difference / 60) (5),
  // own and the other's free categories / 15 (2), seat to move is the viewer (1), viewer's
  // seat (1), one spare zero. Dice and rerolls are those on the table.
  void observe(const void* raw, int viewer, float* out) const override {
    const State& s = as_state(raw);
    const auto own = static_cast<size_t>(viewer);
    const size_t other = own ^ 1U;
    const bool rolled = s.phase == Phase::decision;
    // Rows are written eight at a time and one after the other: what a row writes too much the next
    // one writes over.
    const uint64_t dice = rolled ? dice_bits_[s.dice] : 0U;
    const uint64_t ones = dice | uint64_t{1} << (30 + s.rerolls);
    for (int first = 0; first < 40; first += kLanes)
      store_lanes(out + first, bits_ascending(static_cast<uint32_t>(ones >> first)));
    float* at = out + 33;
    for (const size_t seat : {own, other}) {
      store_lanes(at, bits_descending(s.free[seat], kCategories - 1));
      store_lanes(at + kLanes, bits_descending(s.free[seat], kCategories - 1 - kLanes));
      at += kCategories;
    }
    // Two overlapping vectors: 0..7 and 7..14.
    const uint32_t scored = rolled ? s.free[own] : 0U;
    for (const int first : {0, kCategories - kLanes}) {
      const auto points = load_bytes(tables.score[s.dice].data() + first);
      store_lanes(at + first, points / load_lanes(kBestScore.data() + first) *
                                  bits_descending(scored, kCategories - 1 - first));
    }
    at += kCategories;
    for (const size_t seat : {own, other}) {
      const size_t upper_free = s.free[seat] >> (kCategories - kUpperCategories);
      const int missing = kUpperGoal - s.upper[seat] - kDice * faces_sum_[upper_free];
      const int par = 3 * (faces_sum_.back() - faces_sum_[upper_free]);
      *at++ = static_cast<float>(s.upper[seat]) / 63.0F;
      *at++ = s.upper[seat] >= kUpperGoal ? 1.0F : 0.0F;
      *at++ = static_cast<float>(s.upper[seat] - par) / 20.0F;
      *at++ = static_cast<float>(std::max(missing, 0)) / 63.0F;
    }
    const int points = s.total[own] - s.total[other];
    const auto difference = static_cast<float>(points);
    *at++ = static_cast<float>(s.total[own]) / 300.0F;
    *at++ = static_cast<float>(s.total[other]) / 300.0F;
    *at++ = difference / 100.0F;
    const bool listed = std::abs(points) <= kListed;
    const auto entry = static_cast<size_t>(listed ? points + kListed : 0);
    *at++ = listed ? tanh_20_[entry] : std::tanh(difference / 20.0F);
    *at++ = listed ? tanh_60_[entry] : std::tanh(difference / 60.0F);
    *at++ = static_cast<float>(__builtin_popcount(s.free[own])) / 15.0F;
    *at++ = static_cast<float>(__builtin_popcount(s.free[other])) / 15.0F;
    *at++ = s.seat == own ? 1.0F : 0.0F;
    *at++ = static_cast<float>(own);
    *at = 0.0F;
  }

  uint64_t key(const void* raw) const override {
    std::array<uint64_t, 2> words;
    std::memcpy(words.data(), raw, sizeof(words));
    return mix64(mix64(words[0]) ^ words[1]);
  }

 private:
  static constexpr int kListed = 400;  // differences of points whose tanh is kept

  GameInfo info_ = make_info();
  std::array<uint32_t, kClasses> dice_bits_{};  // bit 5 * face + n: more than n dice of that face
  std::array<int, 64> faces_sum_{};             // of the free upper categories, by their mask
  std::array<float, 2 * kListed + 1> tanh_20_{};
  std::array<float, 2 * kListed + 1> tanh_60_{};
};

}  // namespace

State initial_state() {
  State state{};
  state.free = {kAllFree, kAllFree};
  state.rerolls = 2;
  state.phase = Phase::chance;
  return state;
}

bool is_legal(const State& state, int action) {
  if (state.phase != Phase::decision || action < 0 || action >= kActions) return false;
  if (action < kMarkBase) return action != 31 && state.rerolls > 0;
  return (state.free[state.seat] & category_bit(action - kMarkBase)) != 0;
}

void apply(State& state, int action) {
  if (action < kMarkBase) {
    state.kept = tables.keep[state.dice][static_cast<size_t>(action)];
    state.dice = 0;
    --state.rerolls;
    state.phase = Phase::chance;
    return;
  }
  const int category = action - kMarkBase;
  const size_t seat = state.seat;
  const int points = mark_points(state.dice, category, state.upper[seat]);
  state.total[seat] = static_cast<int16_t>(state.total[seat] + points);
  if (category < kUpperCategories) {
    const int upper = state.upper[seat] + tables.score[state.dice][static_cast<size_t>(category)];
    state.upper[seat] = static_cast<uint8_t>(std::min(upper, kUpperGoal));
  }
  state.free[seat] = static_cast<uint16_t>(state.free[seat] & ~category_bit(category));
  roll_next_turn(state);
}

void apply_outcome(State& state, int dice_class) {
  state.dice = static_cast<uint8_t>(dice_class);
  state.kept = 0;
  state.phase = Phase::decision;
}

std::shared_ptr<const Game> make_game() {
  static const auto game = std::make_shared<const Yatzy>();
  return game;
}

}  // namespace ludus::yatzy
