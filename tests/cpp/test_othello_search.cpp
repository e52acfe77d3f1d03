// Transposition table and search of Othello, against plain minimax.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/errors.h"
#include "base/random.h"
#include "check.h"
#include "oracles/othello_endgame.h"
#include "othello_boards.h"
#include "patterns/othello_search.h"

using namespace ludus;
using namespace ludus::patterns;
using othello::Board;

namespace {

constexpr int kBeyond = 1 << 20;

// A pass takes no depth; estimates end short of the 64 discs of a won game.
int plain_search(const PatternTables& tables, const Board& board, int depth) {
  if (board.own == 0 || board.opp == 0) return final_score(board) * kDisc;
  if (depth == 0) {
    const int score = tables.evaluate(board);
    return score > 63 * kDisc ? 63 * kDisc : score < -63 * kDisc ? -63 * kDisc : score;
  }
  uint64_t moves = legal_moves(board);
  if (moves == 0)
    return legal_moves(after_pass(board)) == 0 ? final_score(board) * kDisc
                                               : -plain_search(tables, after_pass(board), depth);
  int best = -kBeyond;
  for (; moves != 0; moves &= moves - 1) {
    const int score = -plain_search(tables, play(board, othello::first_bit(moves)), depth - 1);
    if (score > best) best = score;
  }
  return best;
}

std::shared_ptr<PatternTables> random_tables() {
  auto tables = std::make_shared<PatternTables>();
  Stream stream(6, Purpose::weights);
  for (uint16_t& weight : tables->all())
    weight = static_cast<uint16_t>(kNeutral - 300 + static_cast<int>(stream.below(601)));
  return tables;
}

void test_table() {
  using othello::SearchTable;
  using othello::TableEntry;
  SearchTable table(64);  // four places
  CHECK_EQ(table.bytes(), 64U);
  const auto entry = [](int depth, int lower, int move) {
    TableEntry made;
    made.depth = static_cast<uint8_t>(depth);
    made.lower = static_cast<int16_t>(lower);
    made.move = static_cast<uint8_t>(move);
    return made;
  };
  TableEntry found;
  CHECK(!table.probe(1, found));
  for (uint64_t key = 1; key <= 4; ++key)
    CHECK(!table.store(key, entry(static_cast<int>(key) + 4, -5, 3)));
  CHECK(table.probe(3, found));
  CHECK_EQ(found.depth, 7);
  CHECK_EQ(found.lower, -5);
  CHECK_EQ(found.upper, 64 * 256);
  CHECK_EQ(table.fill(), 1.0);
  // The least deep goes first; a less deep result of the same position does not replace a deeper.
  CHECK(table.store(5, entry(20, 0, 9)));
  CHECK(!table.probe(1, found));
  CHECK(!table.store(5, entry(2, 1, 8)));
  CHECK(table.probe(5, found));
  CHECK_EQ(found.depth, 20);
  // Bounds of the same depth are combined, and the move before is remembered.
  TableEntry upper = entry(20, -64 * 256, 11);
  upper.upper = 77;
  table.store(5, upper);
  CHECK(table.probe(5, found));
  CHECK_EQ(found.lower, 0);
  CHECK_EQ(found.upper, 77);
  CHECK_EQ(found.move, 11);
  CHECK_EQ(found.second, 9);
  // What an earlier search found is still known, and is replaced before anything newer.
  table.new_search();
  CHECK(!table.store(6, entry(1, 0, 1)));
  CHECK(table.probe(6, found) && table.probe(5, found) && !table.probe(2, found));
  for (uint64_t key = 7; key <= 9; ++key) table.store(key, entry(1, 0, 1));
  CHECK(!table.probe(5, found) && table.probe(6, found));
  table.forget();
  CHECK(!table.probe(6, found));
  CHECK_EQ(table.fill(), 0.0);
  // More searches than there are ages.
  for (int i = 0; i < 1000; ++i) {
    table.new_search();
    table.store(static_cast<uint64_t>(i), entry(5, 0, 1));
    CHECK(table.probe(static_cast<uint64_t>(i), found));
    if (i % 7 == 0) {
      table.forget();
      CHECK(!table.probe(static_cast<uint64_t>(i), found));
    }
  }
  table.resize(size_t{4} << 20);
  CHECK_EQ(table.bytes(), size_t{4} << 20);
  table.store(1, entry(3, 0, 1));
  table.resize(1 << 16);
  CHECK_EQ(table.bytes(), size_t{1} << 16);
  CHECK(!table.probe(1, found));
}

void test_without_pruning_it_is_minimax() {
  const auto tables = random_tables();
  OthelloSearch search(tables, 1 << 20);
  SearchLimits limits;
  limits.certainty = 7;
  limits.endgame = 0;
  for (uint64_t number = 0; number < 30; ++number) {
    const Board board = random_board(number, number < 20 ? 20 + static_cast<int>(number) : 6);
    limits.depth = number < 20 ? 4 : 5;
    const SearchResult result = search.search(board, limits);
    CHECK_EQ(result.score, plain_search(*tables, board, limits.depth));
    CHECK_EQ(result.depth, limits.depth);
    CHECK(!result.exact && !result.stopped);
    // The line leads to the leaf, and the leaf has the score.
    Board leaf = board;
    int sign = 1;
    for (const int action : result.line) {
      leaf = action == othello::kPass ? after_pass(leaf) : play(leaf, action);
      sign = -sign;
    }
    CHECK(leaf == result.leaf);
    CHECK_EQ(result.mirrored, sign < 0);
    CHECK_EQ(result.score, sign * plain_search(*tables, leaf, 0));
    CHECK_EQ(result.move, result.line[0]);
    CHECK_EQ(search.search(board, limits).score, result.score);
    search.forget();
    const auto actions = search.search_actions(board, limits);
    int best = -kBeyond;
    for (const SearchResult& one : actions) {
      CHECK_EQ(one.score, -plain_search(*tables, play(board, one.move), limits.depth - 1));
      best = one.score > best ? one.score : best;
    }
    CHECK_EQ(best, result.score);
  }
}

void test_exact_ends() {
  const auto tables = random_tables();
  OthelloSearch search(tables, 1 << 20);
  SearchLimits limits;
  limits.depth = 1;
  for (uint64_t number = 0; number < 40; ++number) {
    const Board board = random_board(number, 1 + static_cast<int>(number % 8));
    const SearchResult result = search.search(board, limits);
    CHECK(result.exact && result.certainty == 7);
    CHECK_EQ(result.score, plain_endgame(board) * kDisc);
    CHECK(is_over(result.leaf));
    CHECK_EQ(final_score(result.leaf) * kDisc, result.mirrored ? -result.score : result.score);
    limits.finish_line = false;
    const int move = search.search(board, limits).move;
    CHECK_EQ(-plain_endgame(play(board, move)) * kDisc, result.score);
    limits.finish_line = true;
  }
  // With the upper part of the endgame, with selective searches before the last one.
  othello::SearchTable table(1 << 22);
  othello::SearchWork work;
  othello::EndgameSolver solver(table, work);
  for (uint64_t number = 0; number < 4; ++number) {
    const Board board = random_board(100 + number, 16);
    limits.endgame = 16;
    limits.threads = 1;
    const SearchResult one = search.search(board, limits);
    CHECK_EQ(one.score, solver.solve(board) * kDisc);
    CHECK(is_over(one.leaf));
    limits.threads = 2;
    search.forget();
    const SearchResult two = search.search(board, limits);
    CHECK(two.exact);
    CHECK_EQ(two.score, one.score);
  }
  // A game that is lost with all discs still has a move.
  const Board lost{1ULL << 27, 1ULL << 26 | 1ULL << 28 | 1ULL << 56};
  limits.depth = 3;
  const SearchResult nothing = search.search(lost, limits);
  CHECK_EQ(nothing.score, -64 * kDisc);
  CHECK((legal_moves(lost) >> nothing.move & 1) != 0);
  const SearchResult over = search.search({~0ULL, 0}, limits);
  CHECK(over.exact && over.move == -1 && over.score == 64 * kDisc && over.line.empty());
}

void test_passes() {
  const auto tables = random_tables();
  OthelloSearch search(tables, 1 << 20);
  SearchLimits limits;
  limits.endgame = 0;
  limits.depth = 3;
  limits.certainty = 7;
  int found = 0;
  for (uint64_t number = 0; found < 5; ++number) {
    const Board board = after_pass(random_board(number, 20));
    if (legal_moves(board) != 0) continue;
    ++found;
    const SearchResult result = search.search(board, limits);
    CHECK_EQ(result.move, othello::kPass);
    CHECK_EQ(result.score, plain_search(*tables, board, 3));
    const auto actions = search.search_actions(board, limits);
    CHECK_EQ(actions.size(), 1U);
    CHECK_EQ(actions[0].score, result.score);
  }
}

void test_the_same_again() {
  const auto tables = random_tables();
  OthelloSearch used(tables, 1 << 18);
  OthelloSearch fresh(tables, 1 << 18);
  SearchLimits limits;
  limits.depth = 9;
  for (uint64_t number = 0; number < 300; ++number) {
    used.forget();
    limits.nodes = number < 280 ? 50 : 40'000;
    used.search(random_board(number, 30), limits);
  }
  for (uint64_t number = 0; number < 5; ++number) {
    const Board board = random_board(500 + number, 34);
    used.forget();
    fresh.forget();
    const SearchResult one = used.search(board, limits);
    const SearchResult two = fresh.search(board, limits);
    CHECK(one.line == two.line);
    CHECK_EQ(one.score, two.score);
    CHECK_EQ(one.nodes, two.nodes);
  }
}

void test_limits() {
  const auto tables = random_tables();
  OthelloSearch search(tables, 1 << 22);
  const Board board = random_board(1, 40);
  SearchLimits limits;
  limits.nodes = 20'000;
  SearchResult result = search.search(board, limits);
  CHECK(result.stopped && !result.exact && result.depth >= 3);
  CHECK_EQ(result.nodes / 100, 200U);  // an order of moves or a last ply may still be finished
  CHECK((legal_moves(board) >> result.move & 1) != 0);
  limits.nodes = 1;  // there is always an answer
  CHECK((legal_moves(board) >> search.search(board, limits).move & 1) != 0);

  limits.nodes = 0;
  limits.seconds = 0.05;
  result = search.search(board, limits);
  CHECK(result.stopped && result.seconds >= 0.05 && result.seconds < 2.0);  // a shared machine
  CHECK((legal_moves(board) >> result.move & 1) != 0);

  limits.seconds = 0.0;
  limits.threads = 2;
  std::atomic<bool> stop{false};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    stop = true;
  });
  result = search.search(board, limits, &stop);
  other.join();
  CHECK(result.stopped);

  limits.threads = 0;
  CHECK_THROWS(search.search(board, limits), InputError);
  limits.threads = 1;
  limits.depth = 61;
  CHECK_THROWS(search.search(board, limits), InputError);
  limits.depth = 2;
  CHECK_THROWS(search.search({15, 8}, limits), InputError);
  CHECK_THROWS(search.search({1, 6}, limits), InputError);
}

void test_sizes_of_the_table() {
  const auto tables = random_tables();
  OthelloSearch search(tables, size_t{8} << 20);
  SearchLimits limits;
  limits.depth = 6;
  const Board board = random_board(3, 30);
  const SearchResult before = search.search(board, limits);
  CHECK(search.table_fill() > 0.0 && before.counts.hits > 0);
  search.resize(size_t{1} << 20);
  CHECK_EQ(search.table_bytes(), size_t{1} << 20);
  CHECK_EQ(search.table_fill(), 0.0);
  CHECK_EQ(search.search(board, limits).score, before.score);
  search.resize(0);  // one line is the least
  CHECK_EQ(search.table_bytes(), 64U);
  CHECK_EQ(search.search(board, limits).depth, 6);
  CHECK(search.counts().probes > before.counts.probes);
}

}  // namespace

int main() {
  test_table();
  test_without_pruning_it_is_minimax();
  test_exact_ends();
  test_passes();
  test_the_same_again();
  test_limits();
  test_sizes_of_the_table();
  return 0;
}
