#include "games/othello.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include "base/errors.h"
#include "base/random.h"

namespace ludus::othello {

namespace {

constexpr float kMarginScale = 16.0F;  // discs; a quarter of the board is a clear win

const State& as_state(const void* state) { return *static_cast<const State*>(state); }
State& as_state(void* state) { return *static_cast<State*>(state); }

GameInfo make_info() {
  GameInfo info;
  info.name = "othello";
  info.num_seats = 2;
  info.num_actions = kActions;
  info.max_legal = kMaxMoves;
  info.max_plies = kMaxPlies;
  info.state_size = static_cast<int>(sizeof(State));
  info.observation_size = kObservation;
  info.observation_shape = {kPlanes, 8, 8};
  info.decision_kinds = {"move"};
  info.rules_id = "othello_v1";
  info.encoder_id = "othello_v1";
  info.action_space_id = "othello_squares_pass_v1";
  info.ended_are_leaves = true;
  info.margin_scale = kMarginScale;
  return info;
}

std::string square_name(int square) {
  return {static_cast<char>('a' + square % 8), static_cast<char>('1' + square / 8)};
}

// The moves of the seat to move, and whether the game has ended.
void look(State& state) {
  const Board board = board_of(state);
  state.moves = legal_moves(board);
  state.over = state.moves == 0 && legal_moves(after_pass(board)) == 0;
}

class Othello final : public Game {
 public:
  const GameInfo& info() const override { return info_; }
  void initial(void* state) const override { as_state(state) = initial_; }

  void validate(const void* raw) const override {
    const State& s = as_state(raw);
    const State right = make_state(s.discs[0], s.discs[1], s.seat);
    if (std::memcmp(&right, &s, sizeof(State)) != 0)
      throw InputError(
          "These bytes are no Othello position: the legal moves that they list are not those of "
          "their board.");
  }

  NodeKind kind(const void* s) const override {
    return as_state(s).over != 0 ? NodeKind::terminal : NodeKind::decision;
  }
  int seat(const void* s) const override { return as_state(s).seat; }
  int decision_kind(const void*) const override { return 0; }

  int legal(const void* s, int32_t* out) const override { return list(as_state(s), out); }
  int search_actions(const void* s, uint16_t* out) const override { return list(as_state(s), out); }
  int canonical(const void*, int action) const override { return action; }
  void apply(void* s, int action) const override { othello::apply(as_state(s), action); }
  bool is_legal(const void* s, int action) const override {
    return othello::is_legal(as_state(s), action);
  }

  int outcomes(const void*, int32_t*, double*) const override { return 0; }
  void apply_outcome(void*, int) const override {}
  int outcome_at(const void*, double) const override { return 0; }
  int draw(const void*, uint64_t) const override { return 0; }

  void returns(const void* raw, float* by_seat) const override {
    const int score = black_score(as_state(raw));
    by_seat[0] = static_cast<float>((score > 0) - (score < 0));
    by_seat[1] = -by_seat[0];
  }
  void margins(const void* raw, float* by_seat) const override {
    by_seat[0] = std::tanh(static_cast<float>(black_score(as_state(raw))) / kMarginScale);
    by_seat[1] = -by_seat[0];
  }
  void scores(const void* raw, float* by_seat) const override {
    const State& s = as_state(raw);
    if (s.over != 0) {
      const auto score = static_cast<float>(black_score(s));
      by_seat[0] = (kSquares + score) / 2;
      by_seat[1] = (kSquares - score) / 2;
      return;
    }
    for (size_t seat = 0; seat < 2; ++seat)
      by_seat[seat] = static_cast<float>(count_bits(s.discs[seat]));
  }

  // Planes of 8 x 8 squares, 0 or 1, from the view of `viewer`: own discs, the other's discs,
  // squares where the viewer could put a disc if it were to move, where the other could, and one
  // plane that is 1 everywhere while the viewer is to move (a convolution finds the rim by it).
  void observe(const void* raw, int viewer, float* out) const override {
    const State& s = as_state(raw);
    const auto own = static_cast<size_t>(viewer);
    const Board seen{s.discs[own], s.discs[own ^ 1U]};
    const uint64_t planes[kPlanes] = {seen.own, seen.opp, legal_moves(seen),
                                      legal_moves(after_pass(seen)),
                                      s.seat == own ? ~uint64_t{0} : 0};
    for (const uint64_t plane : planes)
      for (int square = 0; square < kSquares; ++square)
        *out++ = static_cast<float>(plane >> square & 1U);
  }

  uint64_t key(const void* raw) const override {
    const State& s = as_state(raw);
    return mix64(mix64(s.discs[0] ^ s.seat) ^ s.discs[1]);
  }

  std::optional<uint64_t> count_leaves(const void* s, int depth) const override {
    return perft(board_of(as_state(s)), depth);
  }

 private:
  template <class T>
  static int list(const State& s, T* out) {
    if (s.moves == 0) {
      out[0] = kPass;
      return 1;
    }
    int count = 0;
    for (uint64_t left = s.moves; left != 0; left &= left - 1)
      out[count++] = static_cast<T>(first_bit(left));
    return count;
  }
  static int black_score(const State& s) { return final_score({s.discs[0], s.discs[1]}); }

  GameInfo info_ = make_info();
  State initial_ = make_state(kStart.own, kStart.opp, 0);
};

}  // namespace

State make_state(uint64_t black, uint64_t white, int seat) {
  const std::string none = "This is no Othello position: ";
  if ((black & white) != 0)
    throw InputError(none + square_name(first_bit(black & white)) +
                     " holds both a black and a white disc.");
  if (const uint64_t missing = kCentre & ~(black | white); missing != 0)
    throw InputError(none + square_name(first_bit(missing)) +
                     " is empty, but the four squares of the centre never are.");
  if (seat != 0 && seat != 1)
    throw InputError(none + "the seat to move is " + std::to_string(seat) +
                     "; it must be 0 (black) or 1 (white).");
  State state{};
  state.discs = {black, white};
  state.seat = static_cast<uint8_t>(seat);
  look(state);
  return state;
}

void apply(State& state, int action) {
  if (action != kPass) {
    const size_t own = state.seat;
    const uint64_t turned = flips(state.discs[own], state.discs[own ^ 1U], action);
    state.discs[own] ^= turned | uint64_t{1} << action;
    state.discs[own ^ 1U] ^= turned;
  }
  state.seat ^= 1U;
  look(state);
}

std::shared_ptr<const Game> make_game() {
  static const auto game = std::make_shared<const Othello>();
  return game;
}

}  // namespace ludus::othello
