// Transposition table of the Othello searches.
//
// One table serves all threads of a search without locks: an entry is two words, the second xored
// with the first, so that a torn pair is not recognised by any key (Hyatt, Mann: "A lock-less
// transposition table implementation for parallel search", ICGA Journal 25(1), 2002). Both words
// are relaxed atomics.
//
// Replacement: a bucket is one cache line of four entries. A place that is free or forgotten is
// taken first, then one of an earlier search, then the one of least depth. So a search after
// `forget` finds and evicts exactly what it would in a new table of this size: what it answers
// does not depend on what the table saw before.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "games/othello_board.h"

namespace ludus::othello {

inline constexpr int kPoint = 256;       // scores of the table: 1/256 disc
inline constexpr uint8_t kNoMove = 127;  // beside squares and kPass
inline constexpr uint8_t kCertain = 7;   // of a result without selectivity
inline constexpr size_t kTableBytes = size_t{128} << 20;

// What a search found out about a position, for its mover.
struct TableEntry {
  int16_t lower = -64 * kPoint;  // the score is at least this, in 1/256 disc
  int16_t upper = 64 * kPoint;   // and at most this
  uint8_t move = kNoMove;        // best move; a square or kPass
  uint8_t second = kNoMove;      // another one that was best before
  uint8_t depth = 0;             // discs looked ahead, 0..63; all empty squares: to the end
  uint8_t certainty = kCertain;  // 0..7, grows as the search gets less selective
};

// Sums over searches.
struct TableCounts {
  uint64_t probes = 0;
  uint64_t hits = 0;
  uint64_t stores = 0;
  uint64_t evictions = 0;  // stores that took the place of another position of the same search

  TableCounts& operator+=(const TableCounts& other);
  double hit_rate() const { return probes == 0 ? 0.0 : double(hits) / double(probes); }
};

class SearchTable {
 public:
  // Sizes are rounded down to whole cache lines, with one line as the least.
  explicit SearchTable(size_t bytes = kTableBytes);

  // These four must not run while a search uses the table.
  // Forgets everything and gives back the memory. Throws std::bad_alloc, with one line left.
  void resize(size_t bytes);
  void clear();       // to zeros
  void new_search();  // what is stored stays, and is replaced before newer results
  void forget();      // nothing stored so far is found again; takes no time as a rule

  size_t bytes() const { return lines_ * sizeof(Line); }
  double fill() const;  // share of places in use since `forget`, from a sample

  // Key of a position for the calls below.
  static uint64_t key(const Board& board) {
    const auto product = static_cast<unsigned __int128>(board.own ^ 0x2545F4914F6CDD1DULL) *
                         (board.opp ^ 0x9FB21C651E98DF25ULL);
    return (static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product)) *
           0xD6E8FEB86659FD93ULL;
  }
  void prefetch(uint64_t key) const { __builtin_prefetch(&line_of(key)); }
  bool probe(uint64_t key, TableEntry& entry) const;
  // Keeps what is known of the same position from a deeper or equally deep and less selective
  // search; bounds of equal depth and certainty are combined. True if it evicted another
  // position.
  bool store(uint64_t key, const TableEntry& entry);

 private:
  struct Place {
    std::atomic<uint64_t> check;  // key ^ data
    std::atomic<uint64_t> data;
  };
  struct alignas(64) Line {
    Place places[4];
  };

  Line& line_of(uint64_t key) const {
    return table_[static_cast<size_t>((static_cast<unsigned __int128>(key) * lines_) >> 64)];
  }
  bool allocate(size_t lines);
  int rank(uint64_t data) const;

  std::unique_ptr<void, void (*)(void*)> memory_;  // with the table somewhere in it, aligned
  Line* table_ = nullptr;
  size_t lines_ = 0;
  uint64_t age_ = 1;     // 1..255; 0 stands in places never used
  uint64_t oldest_ = 1;  // ages below are forgotten
};

}  // namespace ludus::othello
