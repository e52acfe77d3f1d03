#include "games/othello_players.h"

#include <array>

#include "base/random.h"

namespace ludus::othello {

namespace {

constexpr uint64_t kCorners = 0x8100000000000081ULL;
constexpr uint64_t kRim = 0xFF818181818181FFULL;

// A weight in hundredths and the squares that have it; the squares of a weight are counted at once.
struct Weight {
  int hundredths;
  uint64_t squares;
};
constexpr std::array<Weight, 6> kWeights = {{
    {100, 0x8100000000000081ULL},
    {-25, 0x42C300000000C342ULL},
    {10, 0x2400810000810024ULL},
    {5, 0x1800248181240018ULL},
    {2, 0x0000182424180000ULL},
    {1, 0x003C425A5A423C00ULL},
}};
constexpr bool cover_the_board() {
  uint64_t seen = 0;
  for (const Weight& weight : kWeights) {
    if ((seen & weight.squares) != 0) return false;
    seen |= weight.squares;
  }
  return seen == ~uint64_t{0};
}
static_assert(cover_the_board());

// One of the set bits, all alike.
int any_of(uint64_t bits, uint64_t key) {
  const auto count = static_cast<uint64_t>(count_bits(bits));
  // The upper half of a 64-bit word times the count: the bias is below 2^-26.
  auto skip = static_cast<int>((mix64(key) >> 32) * count >> 32);
  for (; skip > 0; --skip) bits &= bits - 1;
  return first_bit(bits);
}

// The eight neighbours.
constexpr uint64_t around(uint64_t bits) {
  constexpr uint64_t kNotA = 0xFEFEFEFEFEFEFEFEULL;
  constexpr uint64_t kNotH = 0x7F7F7F7F7F7F7F7FULL;
  const uint64_t row = bits | (bits << 1 & kNotA) | (bits >> 1 & kNotH);
  return (row | row << 8 | row >> 8) & ~bits;
}

}  // namespace

int corners_move(const Board& board, uint64_t key) {
  const uint64_t moves = legal_moves(board);
  if (moves == 0) return kPass;
  const uint64_t risky = around(kCorners & board.empty());
  const std::array<uint64_t, 5> ranks = {kCorners, kRim & ~risky, ~risky, kRim & risky, risky};
  for (const uint64_t squares : ranks)
    if ((moves & squares) != 0) return any_of(moves & squares, key);
  return kPass;
}

int positional_score(const Board& board) {
  int score = 0;
  for (const Weight& weight : kWeights)
    score += weight.hundredths *
             (count_bits(board.own & weight.squares) - count_bits(board.opp & weight.squares));
  return score;
}

int weights_move(const Board& board, uint64_t key) {
  uint64_t best = 0;
  int highest = 0;
  for (uint64_t left = legal_moves(board); left != 0; left &= left - 1) {
    const int square = first_bit(left);
    const Board next = after_move(board, square, flips(board.own, board.opp, square));
    const int score = -positional_score(next);
    if (best == 0 || score > highest) {
      best = 0;
      highest = score;
    }
    if (score == highest) best |= uint64_t{1} << square;
  }
  return best == 0 ? kPass : any_of(best, key);
}

}  // namespace ludus::othello
