#include "oracles/othello_stability.h"

#include <array>
#include <cstddef>

namespace ludus::othello {
namespace {

constexpr int kEdges = 6561;  // 3^8: empty, own or opponent on each of eight cells

// Cells turned on an edge by a disc of `own` on `cell`.
int edge_flips(int own, int opp, int cell) {
  int turned = 0;
  for (const int step : {-1, 1}) {
    int run = 0;
    int at = cell + step;
    for (; at >= 0 && at < 8 && (opp >> at & 1); at += step) run |= 1 << at;
    if (at >= 0 && at < 8 && (own >> at & 1)) turned |= run;
  }
  return turned;
}

// For each edge, the occupied cells whose colour no sequence of moves changes, wherever else on the
// board those moves were legal. Solved from full edges back to empty ones.
struct EdgeTable {
  std::array<uint16_t, 256> ternary{};  // sum of 3^cell over a set of cells
  std::array<uint8_t, kEdges> kept{};   // [ternary[own] + 2 * ternary[opp]]

  EdgeTable() {
    for (int bits = 0; bits < 256; ++bits)
      for (int cell = 7; cell >= 0; --cell)
        ternary[bits] = static_cast<uint16_t>(3 * ternary[bits] + (bits >> cell & 1));
    for (int free = 0; free <= 8; ++free)
      for (int own = 0; own < 256; ++own)
        for (int opp = 0; opp < 256; ++opp)
          if ((own & opp) == 0 && 8 - __builtin_popcount(own | opp) == free)
            kept[index(own, opp)] = static_cast<uint8_t>(solve(own, opp));
  }

  size_t index(uint64_t own, uint64_t opp) const {
    return static_cast<size_t>(ternary[own]) + 2 * static_cast<size_t>(ternary[opp]);
  }

 private:
  int solve(int own, int opp) const {
    int keep = own | opp;
    for (int cell = 0; cell < 8; ++cell) {
      if ((own | opp) >> cell & 1) continue;
      const int put = 1 << cell;
      const int gained = edge_flips(own, opp, cell);
      const int lost = edge_flips(opp, own, cell);
      keep &= ~gained & kept[index(own | put | gained, opp & ~gained)];
      keep &= ~lost & kept[index(own & ~lost, opp | put | lost)];
    }
    return keep;
  }
};

const EdgeTable kEdge;

constexpr uint64_t kFileA = 0x0101010101010101ULL;
constexpr uint64_t kCentre = 0x007E7E7E7E7E7E00ULL;

uint64_t file_to_row(uint64_t bits, int file) {
  return ((bits >> file & kFileA) * 0x0102040810204080ULL) >> 56;
}
uint64_t row_to_file(uint64_t row, int file) {
  return (((row & 127) * 0x0002040810204081ULL & kFileA) | row >> 7 << 56) << file;
}

// Squares from which `steps` steps in a direction leave the board.
constexpr uint64_t leaving(int files, int ranks, int steps) {
  uint64_t out = 0;
  for (int square = 0; square < 64; ++square) {
    const int file = square % 8 + files * steps;
    const int rank = square / 8 + ranks * steps;
    if (file < 0 || file > 7 || rank < 0 || rank > 7) out |= 1ULL << square;
  }
  return out;
}

// Occupied squares without an empty one on the whole line through them.
template <int kFiles, int kRanks>
uint64_t full_lines(uint64_t occupied) {
  constexpr int kShift = kFiles + 8 * kRanks;  // > 0
  uint64_t ahead = occupied;
  ahead &= leaving(kFiles, kRanks, 1) | ahead >> kShift;
  ahead &= leaving(kFiles, kRanks, 2) | ahead >> 2 * kShift;
  ahead &= leaving(kFiles, kRanks, 4) | ahead >> 4 * kShift;
  uint64_t behind = occupied;
  behind &= leaving(-kFiles, -kRanks, 1) | behind << kShift;
  behind &= leaving(-kFiles, -kRanks, 2) | behind << 2 * kShift;
  behind &= leaving(-kFiles, -kRanks, 4) | behind << 4 * kShift;
  return ahead & behind;
}

uint64_t stable_on_edges(uint64_t own, uint64_t opp) {
  uint64_t stable = kEdge.kept[kEdge.index(own & 255, opp & 255)];
  stable |= static_cast<uint64_t>(kEdge.kept[kEdge.index(own >> 56, opp >> 56)]) << 56;
  for (const int file : {0, 7})
    stable |=
        row_to_file(kEdge.kept[kEdge.index(file_to_row(own, file), file_to_row(opp, file))], file);
  return stable & own;
}

}  // namespace

uint64_t stable_discs(uint64_t own, uint64_t opp) {
  const uint64_t occupied = own | opp;
  const uint64_t rank = full_lines<1, 0>(occupied);
  const uint64_t file = full_lines<0, 1>(occupied);
  const uint64_t rise = full_lines<1, 1>(occupied);
  const uint64_t fall = full_lines<-1, 1>(occupied);
  const uint64_t inner = own & kCentre;
  uint64_t stable = stable_on_edges(own, opp) | (rank & file & rise & fall & inner);
  for (uint64_t before = 0; stable != before;) {
    before = stable;
    // No wrap around the board: only inner squares are looked at, and their neighbours are on it.
    stable |= (rank | stable >> 1 | stable << 1) & (file | stable >> 8 | stable << 8) &
              (rise | stable >> 9 | stable << 9) & (fall | stable >> 7 | stable << 7) & inner;
  }
  return stable;
}

}  // namespace ludus::othello
