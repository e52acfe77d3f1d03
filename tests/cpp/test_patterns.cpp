// Pattern sets, index vectors and tables: the numbers of the standard set, moves against sums from
// nothing, evaluation against a plain sum over squares, wipe-outs, folding, bad input.
#include <set>
#include <thread>

#include "base/errors.h"
#include "base/random.h"
#include "check.h"
#include "patterns/endings.h"
#include "patterns/one_ply.h"
#include "patterns/tables.h"

using namespace ludus;
using namespace ludus::patterns;
using othello::Board;

namespace {

// Calls `see(board, indices)` for each position of a random game.
template <class See>
void random_game(const IndexRules& rules, uint64_t seed, See see) {
  Board board = othello::kStart;
  Indices indices = rules.from(board);
  Stream stream(seed, Purpose::player);
  while (!othello::is_over(board)) {
    see(board, indices);
    uint64_t moves = othello::legal_moves(board);
    if (moves == 0) {
      board = othello::after_pass(board);
      indices = IndexRules::after_pass(indices);
      continue;
    }
    for (uint32_t skip = stream.below(static_cast<uint32_t>(othello::count_bits(moves))); skip > 0;
         --skip)
      moves &= moves - 1;
    const int square = othello::first_bit(moves);
    const uint64_t turned = othello::flips(board.own, board.opp, square);
    IndexVector leaf;
    rules.view_after(indices, square, turned, leaf);
    rules.play(indices, square, turned, indices);
    for (int lane = 0; lane < kMaxInstances; ++lane) CHECK_EQ(leaf[lane], indices.mover[lane]);
    board = othello::after_move(board, square, turned);
  }
  see(board, indices);
}

uint32_t contents_of(const Board& board, const std::vector<int>& squares) {
  uint32_t contents = 0;
  uint32_t power = 1;
  for (const int square : squares) {
    contents += power * ((board.own >> square & 1) + 2 * (board.opp >> square & 1));
    power *= 3;
  }
  return contents;
}

int plain_score(const PatternTables& tables, const Board& board) {
  const int stage = stage_of(othello::kSquares - othello::empties(board));
  int score = 0;
  int id = 0;
  for (const Pattern& pattern : tables.set().patterns()) {
    for (const auto& squares : pattern.placements)
      score += tables.weight(id, stage, contents_of(board, squares)) - kNeutral;
    ++id;
  }
  return score;
}

// Random weights that are equal where a pattern's symmetry says so, as a learner leaves them.
void fill(PatternTables& tables, uint64_t seed) {
  Stream stream(seed, Purpose::weights);
  auto all = tables.all();
  for (size_t stage = 0; stage < kStages; ++stage)
    for (const Pattern& pattern : tables.set().patterns()) {
      std::vector<uint16_t> by_slot(pattern.slots);
      for (uint16_t& weight : by_slot) weight = static_cast<uint16_t>(stream.next_u32());
      const size_t start = stage * tables.set().entries() + pattern.first_entry;
      for (size_t i = 0; i < pattern.contents; ++i) all[start + i] = by_slot[pattern.slot[i]];
    }
}

PatternSet set_of(const std::vector<PatternSpec>& specs) { return PatternSet(specs); }

void standard_set() {
  const auto set = PatternSet::standard();
  CHECK_EQ(set->patterns().size(), 14U);
  CHECK_EQ(set->instances(), 56);
  CHECK_EQ(set->entries(), 481140U);
  for (const Pattern& pattern : set->patterns()) {
    CHECK_EQ(pattern.placements.size(), 4U);
    CHECK_EQ(pattern.order, 2);
    // A slot's members are each other's mirror images, and all contents have a place.
    std::set<uint32_t> seen;
    for (uint32_t slot = 0; slot < pattern.slots; ++slot)
      for (int i = 0; i < pattern.order; ++i) {
        const uint16_t member = pattern.members[2 * slot + static_cast<uint32_t>(i)];
        CHECK_EQ(pattern.slot[member], slot);
        seen.insert(member);
      }
    CHECK_EQ(seen.size(), pattern.contents);
  }
  CHECK_EQ(stage_of(4), 0);
  CHECK_EQ(stage_of(5), 0);
  CHECK_EQ(stage_of(6), 1);
  CHECK_EQ(stage_of(63), 29);
  CHECK_EQ(stage_of(64), 29);
  CHECK(set->digest().size() == 16 && set->digest() != set_of({{"corner", {0}}}).digest());
}

void other_sets() {
  const PatternSet set = PatternSet::parse(
      "# two\n  one corner : a1 # alone\n\nlopsided: a1 b1 c1 b3\r\ncentre: d4 e4 d5 e5\n");
  CHECK(set.patterns()[0].name == "one corner" && set.patterns()[0].placements.size() == 4);
  CHECK_EQ(set.patterns()[0].slots, 3U);
  CHECK(set.patterns()[1].placements.size() == 8 && set.patterns()[1].order == 1);
  CHECK_EQ(set.patterns()[1].slots, 81U);
  CHECK(set.patterns()[2].placements.size() == 1 && set.patterns()[2].order == 8);
  CHECK_EQ(set.patterns()[2].slots, 21U);  // colourings of a square's corners with 3 colours
  CHECK_EQ(set.instances(), 13);
  CHECK_THROWS(set_of({}), InputError);
  CHECK_THROWS(set_of({{"empty", {}}}), InputError);
  CHECK_THROWS(set_of({{"far", {64}}}), InputError);
  CHECK_THROWS(set_of({{"twice", {1, 2, 1}}}), InputError);
  CHECK_THROWS(set_of({{"long", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}}), InputError);
  CHECK_THROWS(set_of({{"row", {0, 1, 2}}, {"column", {0, 8, 16}}}), InputError);
  std::vector<PatternSpec> many;
  for (int i = 1; i < 11; ++i) many.push_back({"pair", {0, i + 8}});
  CHECK_THROWS(set_of(many), InputError);
  CHECK_THROWS(PatternSet::parse("a1 b1"), InputError);
  CHECK_THROWS(PatternSet::parse(": a1 b1"), InputError);
  CHECK_THROWS(PatternSet::parse("edge: a1 b9"), InputError);
}

void indices_and_scores() {
  for (const std::shared_ptr<const PatternSet>& set :
       {PatternSet::standard(), std::make_shared<const PatternSet>(PatternSet::parse(
                                    "centre: d4 e4 d5 e5\nodd: a1 b1 c1 b3\npair: d1 e1"))}) {
    PatternTables tables(set);
    CHECK_EQ(tables.evaluate(othello::kStart), 0);
    fill(tables, 1);
    std::vector<Board> boards;
    std::vector<int32_t> expected;
    for (uint64_t seed = 0; seed < 200; ++seed)
      random_game(tables.rules(), seed, [&](const Board& board, const Indices& indices) {
        for (const Pattern& pattern : set->patterns()) {
          int lane = pattern.first_instance;
          for (const auto& squares : pattern.placements) {
            CHECK_EQ(indices.mover[lane], contents_of(board, squares));
            CHECK_EQ(indices.other[lane], contents_of(othello::after_pass(board), squares));
            ++lane;
          }
        }
        for (int lane = set->instances(); lane < kMaxInstances; ++lane)
          CHECK_EQ(indices.mover[lane] + indices.other[lane], 0);
        const int score = plain_score(tables, board);
        CHECK_EQ(tables.evaluate(board), score);
        CHECK_EQ(tables.evaluate(indices, stage_of(othello::kSquares - othello::empties(board))),
                 score);
        for (int symmetry = 1; symmetry < 8; ++symmetry) {
          Board image = board;
          for (uint64_t* side : {&image.own, &image.opp}) {
            if ((symmetry & 4) != 0) *side = othello::transpose(*side);
            if ((symmetry & 1) != 0) *side = othello::mirror_files(*side);
            if ((symmetry & 2) != 0) *side = othello::mirror_ranks(*side);
          }
          CHECK_EQ(tables.evaluate(image), score);
        }
        boards.push_back(board);
        expected.push_back(score);
      });
    while (boards.size() < 40000) {  // more than a chunk, several times the same
      boards.push_back(boards[boards.size() / 3]);
      expected.push_back(expected[expected.size() / 3]);
    }
    std::vector<int32_t> scores(boards.size());
    tables.evaluate(boards, scores);
    CHECK(scores == expected);
    tables.copy()->evaluate(boards, scores);
    CHECK(scores == expected);
  }
}

void bad_input() {
  PatternTables tables;
  CHECK_THROWS(tables.weight(14, 0, 0), InputError);
  CHECK_THROWS(tables.weight(0, 30, 0), InputError);
  CHECK_THROWS(tables.weight(0, 0, 59049), InputError);
  CHECK_THROWS(tables.load(std::vector<uint16_t>(3)), InputError);
  std::vector<uint8_t> cells(128, 0);
  const std::vector<uint8_t> movers = {1, 2};
  cells[0] = 1;
  cells[64 + 63] = 2;
  std::vector<int32_t> scores(2);
  fill(tables, 2);
  tables.evaluate(cells, movers, scores);
  CHECK(scores[0] == tables.evaluate(Board{1, 0}) &&
        scores[1] == tables.evaluate(Board{1ULL << 63, 0}));
  const auto refuses = [&](std::span<const uint8_t> some, const std::vector<uint8_t>& sides) {
    CHECK_THROWS(tables.evaluate(some, sides, scores), InputError);
  };
  refuses(std::span(cells).first(64), movers);
  refuses(cells, {1, 0});
  for (const uint8_t wrong : {3, 4, 128, 255}) {
    cells[70] = wrong;
    refuses(cells, movers);
  }
}

// For the thread sanitizer: readers and a writer on the same tables.
void readers_and_a_writer() {
  PatternTables tables;
  std::vector<uint16_t> weights(tables.all().size(), 32768 + 256);
  const std::vector<Board> boards(5000, othello::kStart);
  std::thread writer([&] { tables.load(weights); });
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      std::vector<int32_t> scores(boards.size());
      tables.evaluate(boards, scores);
      for (const int32_t score : scores) CHECK(score == 0 || score == 56 * 256);
      const uint16_t weight = tables.weight(13, 29, 2186);
      CHECK(weight == 32768 || weight == 33024);
    });
  writer.join();
  for (std::thread& reader : readers) reader.join();
  CHECK_EQ(tables.evaluate(othello::kStart), 56 * 256);
}

bool takes_all_by_trying(const Board& board) {
  for (uint64_t moves = othello::legal_moves(board); moves != 0; moves &= moves - 1) {
    const int square = othello::first_bit(moves);
    if (othello::flips(board.own, board.opp, square) == board.opp) return true;
  }
  return false;
}

void wipe_outs() {
  Stream stream(9, Purpose::player);
  int found = 0;
  for (int i = 0; i < 200000; ++i) {
    const uint64_t own = stream.next_u64() & stream.next_u64();
    uint64_t opp = 0;
    for (uint32_t discs = 1 + stream.below(4); discs > 0; --discs) opp |= 1ULL << stream.below(64);
    const Board board{own & ~opp, opp};
    const bool all = takes_all_by_trying(board);
    CHECK_EQ(can_take_all(board), all);
    found += all ? 1 : 0;
  }
  CHECK(found > 1000);

  // The shortest game but for white's last move, f5, which lets black end it by c5.
  Board board = othello::kStart;
  for (const int square : {44, 29, 20, 45, 38, 43, 52})  // e6 f4 e3 f6 g5 d6 e7
    board = othello::after_move(board, square, othello::flips(board.own, board.opp, square));
  const PatternTables tables;
  for (uint64_t key = 0; key < 64; ++key) {
    const int square = one_ply_move(tables, board, key * 0x9E3779B97F4A7C15ULL);
    Board after = othello::after_move(board, square, othello::flips(board.own, board.opp, square));
    CHECK(!takes_all_by_trying(after));
  }
  const Board lost = othello::after_move(board, 37, othello::flips(board.own, board.opp, 37));
  int score = 0;
  CHECK(known(lost, score));
  CHECK_EQ(score, 64);
  CHECK(!known(board, score));
}

}  // namespace

int main() {
  wipe_outs();
  standard_set();
  other_sets();
  indices_and_scores();
  bad_input();
  readers_and_a_writer();
  return 0;
}
