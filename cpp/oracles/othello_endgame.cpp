#include "oracles/othello_endgame.h"

#include <algorithm>

#include "oracles/othello_last.h"
#include "oracles/othello_stability.h"

namespace ludus::othello {
namespace {

// Empty squares from which on ... each measured on the positions of benchmarks/othello_search.py.
constexpr int kDeepFrom = 7;      // moves are sorted and results kept
constexpr int kFarFrom = 11;      // they are kept in the large table
constexpr int kRepliesFrom = 11;  // known replies are looked up before any is searched
constexpr uint64_t kCorners = 0x8100000000000081ULL;

uint64_t odd_quadrants(uint64_t empty) {
  uint64_t odd = 0;
  for (const int corner : {0, 7, 56, 63}) {
    const uint64_t quadrant = last::kSquareTable.quadrant[corner];
    if ((count_bits(empty & quadrant) & 1) != 0) odd |= quadrant;
  }
  return odd;
}

// Empty squares beside discs of `own`: where the other side may some day be able to move.
int frontier(uint64_t own, uint64_t opp) {
  const uint64_t files =
      own | (own << 1 & 0xFEFEFEFEFEFEFEFEULL) | (own >> 1 & 0x7F7F7F7F7F7F7F7FULL);
  return count_bits((files | files << 8 | files >> 8) & ~(own | opp));
}

// How good a move looks that leaves this position: few replies, none of them in corners, and an
// odd quadrant to have put the disc in.
int promise(const Board& reply, int square, uint64_t odd) {
  const uint64_t replies = legal_moves(reply);
  const uint64_t put = 1ULL << square;
  return -16 * (count_bits(replies) + count_bits(replies & kCorners)) -
         5 * frontier(reply.opp, reply.own) + ((odd & put) != 0 ? 8 : 0) +
         ((kCorners & put) != 0 ? 16 : 0);
}

}  // namespace

SearchTable& EndgameSolver::table_for(int empty) { return empty < kFarFrom ? near_ : table_; }

int EndgameSolver::shallow(uint64_t own, uint64_t opp, int alpha, uint64_t odd, int empty) {
  if (empty == 4) return last::solve_few<4>(own, opp, alpha, odd, work_.nodes);
  ++work_.nodes;
  const uint64_t moves = legal_moves(own, opp);
  if (moves == 0) {
    if (legal_moves(opp, own) == 0) return final_score({own, opp});
    return -shallow(opp, own, -alpha - 1, odd, empty);
  }
  const uint64_t near_odd = moves & odd;
  const uint64_t near_even = moves & ~odd;
  int best = last::kNone;
  for (const uint64_t group :
       {near_odd & kCorners, near_odd & ~kCorners, near_even & kCorners, near_even & ~kCorners})
    for (uint64_t rest = group; rest != 0; rest &= rest - 1) {
      const int square = first_bit(rest);
      const uint64_t turned = flips(own, opp, square);
      const int score = -shallow(opp ^ turned, own ^ turned ^ (1ULL << square), -alpha - 1,
                                 odd ^ last::kSquareTable.quadrant[square], empty - 1);
      if (score > alpha) return score;
      if (score > best) best = score;
    }
  return best;
}

// Whether the table proves that the reply leaves more than alpha.
bool EndgameSolver::known_reply(const Board& reply, int alpha, int empty, int& score) {
  TableEntry known;
  if (!table_for(empty - 1).probe(SearchTable::key(reply), known) || known.depth != empty - 1 ||
      known.certainty != kCertain)
    return false;
  score = -known.upper / kPoint;
  return score > alpha;
}

int EndgameSolver::deep(uint64_t own, uint64_t opp, int alpha, int empty) {
  if (empty < 4) return last::solve_rest({own, opp}, alpha, work_.nodes);
  if (empty < kDeepFrom) return shallow(own, opp, alpha, odd_quadrants(~(own | opp)), empty);
  ++work_.nodes;
  work_.check();
  SearchTable& table = table_for(empty);
  const uint64_t key = SearchTable::key({own, opp});
  table.prefetch(key);
  if (64 - 2 * count_bits(opp) <= alpha) {
    const int most = 64 - 2 * count_bits(stable_discs(opp, own));
    if (most <= alpha) return most;
  }
  uint64_t moves = legal_moves(own, opp);
  if (moves == 0) {
    if (legal_moves(opp, own) == 0) return final_score({own, opp});
    return -deep(opp, own, -alpha - 1, empty);
  }
  TableEntry known;
  ++work_.counts.probes;
  if (table.probe(key, known)) {
    ++work_.counts.hits;
    if (known.depth == empty && known.certainty == kCertain) {
      if (known.lower > alpha * kPoint) return known.lower / kPoint;
      if (known.upper <= alpha * kPoint) return known.upper / kPoint;
    }
  }
  Move list[34];
  int count = 0;
  for (; moves != 0; moves &= moves - 1) {
    Move& move = list[count++];
    move.square = first_bit(moves);
    move.turned = flips(own, opp, move.square);
    if (move.turned == opp) return 64;
    if (empty >= kRepliesFrom)
      table_for(empty - 1).prefetch(
          SearchTable::key(after_move({own, opp}, move.square, move.turned)));
  }
  const uint64_t odd = odd_quadrants(~(own | opp));
  for (int i = 0; i < count; ++i) {
    Move& move = list[i];
    const Board reply = after_move({own, opp}, move.square, move.turned);
    int score;
    if (empty >= kRepliesFrom && known_reply(reply, alpha, empty, score)) return score;
    move.value = move.square == known.move     ? 1 << 20
                 : move.square == known.second ? 1 << 19
                                               : promise(reply, move.square, odd);
  }
  int best = last::kNone;
  int best_move = kNoMove;
  for (int i = 0; i < count; ++i) {
    std::swap(list[i], *std::max_element(list + i, list + count, [](const Move& a, const Move& b) {
                return a.value < b.value;
              }));
    const Board reply = after_move({own, opp}, list[i].square, list[i].turned);
    const int score = -deep(reply.own, reply.opp, -alpha - 1, empty - 1);
    if (score > best) {
      best = score;
      best_move = list[i].square;
      if (score > alpha) break;
    }
  }
  TableEntry entry;
  (best > alpha ? entry.lower : entry.upper) = static_cast<int16_t>(best * kPoint);
  entry.move = static_cast<uint8_t>(best_move);
  entry.depth = static_cast<uint8_t>(empty);
  ++work_.counts.stores;
  work_.counts.evictions += table.store(key, entry);
  return best;
}

// Null windows that close in on the score (MTD(f); Plaat, Schaeffer, Pijls, de Bruin: "Best-first
// fixed-depth minimax algorithms", Artificial Intelligence 87, 1996).
int EndgameSolver::solve(const Board& board, int alpha, int beta) {
  int lower = alpha;
  int upper = beta;
  int score = std::clamp(0, alpha + 1, beta);
  while (lower < upper) {
    const int bound = std::clamp(score, lower + 1, upper) - 1;
    score = null_window(board, bound);
    (score > bound ? lower : upper) = score;
  }
  return score;
}

}  // namespace ludus::othello
