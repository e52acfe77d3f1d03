#include "patterns/othello_worker.h"

#include <algorithm>
#include <span>

#include "base/random.h"

namespace ludus::patterns {

using othello::Board;
using othello::count_bits;
using othello::flips;
using othello::kCertain;
using othello::kNoMove;
using othello::legal_moves;
using othello::SearchTable;
using othello::TableEntry;

namespace {

// To the end: so many empty squares are left to the endgame solver.
constexpr int kSolverFrom = 13;
// Moves are ordered by searches of one and two plies where the search is at least so deep, or has
// so many empty squares on its way to the end.
constexpr int kOnePly = 8;
constexpr int kTwoPlies = 12;
constexpr int kOnePlyToEnd = 16;
constexpr int kTwoPliesToEnd = 19;
// Replies that the table answers are looked up from this depth on, before any is searched.
constexpr int kRepliesFrom = 6;
// What a reply of the other side costs a move in the order, in 1/256 disc. Towards the end few
// replies make small trees, whatever the score.
constexpr int kReply = 128;
constexpr int kReplyToEnd = 768;
constexpr uint64_t kCorners = 0x8100000000000081ULL;

int discs_down(int score) { return score >= 0 ? score / kDisc : -((kDisc - 1 - score) / kDisc); }
int discs_up(int score) { return -discs_down(-score); }

int ply_of_order(int depth, int empty) {
  if (depth >= empty) return empty >= kTwoPliesToEnd ? 2 : empty >= kOnePlyToEnd ? 1 : 0;
  return depth >= kTwoPlies ? 2 : depth >= kOnePly ? 1 : 0;
}

}  // namespace

const Move& Moves::pick(int i) {
  const std::span<Move> rest(list.data() + i, static_cast<size_t>(count - i));
  std::swap(rest[0], *std::max_element(rest.begin(), rest.end(), [](const Move& a, const Move& b) {
              return a.value < b.value;
            }));
  return rest[0];
}

bool Worker::look_up(uint64_t key, TableEntry& known) {
  ++work.counts.probes;
  const bool hit = table_.probe(key, known);
  work.counts.hits += hit ? 1 : 0;
  return hit;
}

void Worker::store(uint64_t key, int lower, int upper, int move, int depth) {
  TableEntry entry;
  entry.lower = static_cast<int16_t>(lower);
  entry.upper = static_cast<int16_t>(upper);
  entry.move = static_cast<uint8_t>(move);
  entry.depth = static_cast<uint8_t>(depth);
  entry.certainty = static_cast<uint8_t>(certainty_);
  ++work.counts.stores;
  work.counts.evictions += table_.store(key, entry) ? 1 : 0;
}

int Worker::last_ply(const Node& node, int alpha, int empty) {
  const uint64_t moves = legal_moves(node.board);
  if (moves == 0) {
    if (legal_moves(othello::after_pass(node.board)) == 0) return final_score(node.board) * kDisc;
    return -last_ply(after_pass(node), alpha == kInfinite ? alpha : -alpha - 1, empty);
  }
  const int stage = stage_of(othello::kSquares + 1 - empty);
  int best = -kInfinite;
  for (const uint64_t group : {moves & kCorners, moves & ~kCorners})
    for (uint64_t rest = group; rest != 0; rest &= rest - 1) {
      const int square = othello::first_bit(rest);
      const uint64_t turned = flips(node.board.own, node.board.opp, square);
      ++work.nodes;
      if (turned == node.board.opp) return kWin;
      IndexVector view;
      tables_.rules().view_after(node.indices, square, turned, view);
      const int score = -clamp(tables_.evaluate(view, stage));
      if (score > best) {
        best = score;
        if (score > alpha) return score;
      }
    }
  return best;
}

void Worker::order(const Node& node, uint64_t moves, int depth, int empty, Moves& into) {
  const bool to_end = depth >= empty;
  const int plies = ply_of_order(depth, empty);
  const int stage = stage_of(othello::kSquares + 1 - empty);
  for (; moves != 0; moves &= moves - 1) {
    const int square = othello::first_bit(moves);
    const uint64_t turned = flips(node.board.own, node.board.opp, square);
    Move& move = into.add(square, turned);
    if (turned == node.board.opp) {
      move.value = kInfinite;
      continue;
    }
    if (plies == 0) {
      IndexVector view;
      tables_.rules().view_after(node.indices, square, turned, view);
      ++work.nodes;
      move.value = -tables_.evaluate(view, stage);
    } else {
      const Node next = after(node, square, turned);
      Line line;
      move.value = plies == 1 ? -last_ply(next, kInfinite, empty - 1)
                              : -search(next, -kWin, kWin, plies, line);
    }
    const uint64_t replies = legal_moves(othello::after_move(node.board, square, turned));
    move.value -= to_end ? kReplyToEnd * (count_bits(replies) + count_bits(replies & kCorners))
                         : kReply * count_bits(replies);
    if (noise_ != 0) move.value += static_cast<int>(mix64(noise_ + move.turned) % kDisc);
  }
}

bool Worker::known_reply(const Board& board, uint64_t moves, int alpha, int depth, int& score) {
  std::array<uint64_t, 34> keys;
  size_t count = 0;
  for (; moves != 0; moves &= moves - 1) {
    const int square = othello::first_bit(moves);
    const uint64_t turned = flips(board.own, board.opp, square);
    keys[count] = SearchTable::key(othello::after_move(board, square, turned));
    table_.prefetch(keys[count++]);
  }
  TableEntry known;
  for (const uint64_t key : std::span(keys.data(), count))
    if (table_.probe(key, known) && known.depth >= depth - 1 && known.certainty >= certainty_ &&
        -known.upper > alpha) {
      score = -known.upper;
      return true;
    }
  return false;
}

bool Worker::cut(const Node& node, int alpha, int depth, int empty, int& bound) {
  const int shallow = ProbCut::shallow_of(depth);
  const int margin = probcut_.margin(certainty_, empty, depth);
  const int hope = probcut_.hope(empty, depth);
  const int guess = evaluate(node, empty);
  const int high = alpha + margin;
  if (guess + hope > high && high < kWin && null_window(node, high, shallow, empty) > high) {
    bound = alpha + 1;
    return true;
  }
  const int low = alpha - margin;
  if (guess - hope <= low && low >= -kWin && null_window(node, low, shallow, empty) <= low) {
    bound = alpha;
    return true;
  }
  return false;
}

int Worker::null_window(const Node& node, int alpha, int depth, int empty) {
  if (depth >= empty && empty <= kSolverFrom)
    return solver.null_window(node.board, discs_down(alpha)) * kDisc;
  if (depth == 0) return evaluate(node, empty);
  if (depth == 1) {
    ++work.nodes;
    return last_ply(node, alpha, empty);
  }
  ++work.nodes;
  work.check();
  const uint64_t key = SearchTable::key(node.board);
  table_.prefetch(key);
  uint64_t moves = legal_moves(node.board);
  if (moves == 0) {
    if (legal_moves(othello::after_pass(node.board)) == 0) return final_score(node.board) * kDisc;
    return -null_window(after_pass(node), -alpha - 1, depth, empty);
  }
  TableEntry known;
  if (look_up(key, known) && known.depth >= depth && known.certainty >= certainty_) {
    if (known.lower > alpha) return known.lower;
    if (known.upper <= alpha) return known.upper;
  }
  int best;
  if (depth >= kRepliesFrom && known_reply(node.board, moves, alpha, depth, best)) return best;
  if (certainty_ < kCertain && depth >= ProbCut::kLeast && cut(node, alpha, depth, empty, best))
    return best;

  best = -kInfinite;
  int best_move = kNoMove;
  const auto proves = [&](int square, uint64_t turned) {
    const int score = turned == node.board.opp ? kWin
                                               : -null_window(after(node, square, turned),
                                                              -alpha - 1, depth - 1, empty - 1);
    if (score > best) {
      best = score;
      best_move = square;
    }
    return score > alpha;
  };
  bool done = false;
  for (const int square : {known.move, known.second})
    if (!done && square < othello::kSquares && (moves >> square & 1) != 0) {
      moves ^= 1ULL << square;
      done = proves(square, flips(node.board.own, node.board.opp, square));
    }
  if (!done && moves != 0) {
    Moves list;
    order(node, moves, depth, empty, list);
    for (int i = 0; i < list.count && !done; ++i) {
      const Move& move = list.pick(i);
      done = proves(move.square, move.turned);
    }
  }
  store(key, best > alpha ? best : -kWin, best > alpha ? kWin : best, best_move, depth);
  return best;
}

int Worker::search(const Node& node, int alpha, int beta, int depth, Line& line) {
  line.length = 0;
  const int empty = othello::empties(node.board);
  if (depth >= empty && empty <= kSolverFrom) {
    const int lower = std::max(discs_down(alpha), -64);
    return solver.solve(node.board, lower, std::max(std::min(discs_up(beta), 64), lower + 1)) *
           kDisc;
  }
  if (depth == 0) return evaluate(node, empty);
  ++work.nodes;
  work.check();
  const uint64_t moves = legal_moves(node.board);
  Line rest;
  if (moves == 0) {
    if (legal_moves(othello::after_pass(node.board)) == 0) return final_score(node.board) * kDisc;
    const int score = -search(after_pass(node), -beta, -alpha, depth, rest);
    if (score > alpha) line.set(othello::kPass, rest, score);
    return score;
  }
  const uint64_t key = SearchTable::key(node.board);
  TableEntry known;
  look_up(key, known);
  Moves list;
  order(node, moves, depth, empty, list);
  for (Move& move : std::span(list.list.data(), static_cast<size_t>(list.count)))
    if (move.square == known.move)
      move.value = 3 * kInfinite;
    else if (move.square == known.second)
      move.value = 2 * kInfinite;
  int best = -kInfinite;
  int best_move = kNoMove;
  for (int i = 0; i < list.count; ++i) {
    const Move move = list.pick(i);
    const int lower = std::max(alpha, best);
    rest.length = 0;
    int score = kWin;
    if (move.turned != node.board.opp) {
      const Node next = after(node, move.square, move.turned);
      if (i > 0) score = -null_window(next, -lower - 1, depth - 1, empty - 1);
      if (i == 0 || (score > lower && score < beta))
        score = -search(next, -beta, -lower, depth - 1, rest);
    }
    if (score > best) {
      best = score;
      best_move = move.square;
      if (score > alpha) line.set(move.square, rest, score);
      if (best >= beta) break;
    }
  }
  store(key, best > alpha ? best : -kWin, best < beta ? best : kWin, best_move, depth);
  return best;
}

void Worker::finish_line(Board board, int score, int moves, Line& line) {
  for (; moves > 0; --moves) {
    uint64_t squares = legal_moves(board);
    if (squares == 0) {
      board = othello::after_pass(board);
      score = -score;
      squares = legal_moves(board);
      if (squares == 0) return;
      line.actions[static_cast<size_t>(line.length++)] = othello::kPass;
    }
    const auto played = [&](int square) {
      return othello::after_move(board, square, flips(board.own, board.opp, square));
    };
    const auto is_best = [&](int square) {
      return solver.null_window(played(square), -score) <= -score;
    };
    TableEntry known;  // the table's move is most often a best one
    table_.probe(SearchTable::key(board), known);
    int best = known.move;
    if (best >= othello::kSquares || (squares >> best & 1) == 0 || !is_best(best)) {
      // The last one needs no proof.
      while ((squares & (squares - 1)) != 0 && !is_best(othello::first_bit(squares)))
        squares &= squares - 1;
      best = othello::first_bit(squares);
    }
    line.actions[static_cast<size_t>(line.length++)] = static_cast<uint8_t>(best);
    board = played(best);
    score = -score;
  }
}

}  // namespace ludus::patterns
