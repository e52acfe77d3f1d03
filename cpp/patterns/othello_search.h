// Search of Othello positions over pattern tables: iterative deepening until a limit is reached, to
// the end of the game where that is asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "games/othello_board.h"
#include "patterns/othello_probcut.h"
#include "patterns/tables.h"
#include "search/othello_table.h"

namespace ludus::patterns {

struct SearchLimits {
  int depth = 60;        // discs to look ahead, 1..60; the last square or more: to the end, exactly
  int endgame = 14;      // searches to the end, exactly, from so many empty squares on
  uint64_t nodes = 0;    // of the first thread; 0: no limit
  double seconds = 0.0;  // 0: no limit
  int certainty = 3;     // 0..7: how little is pruned forwards; 7: nothing
  int threads = 1;       // 1 gives the same answer each time unless time is limited
  bool finish_line = true;  // an exact line goes on to the end of the game

  bool operator==(const SearchLimits&) const = default;
};

// Throws InputError that names the limit.
void check(const SearchLimits& limits);

struct SearchResult {
  int move = -1;         // a square or kPass; -1: the game is over
  int score = 0;         // for the side to move, in 1/256 disc; exact ones are whole discs
  bool exact = false;    // the score with best play, proved
  bool stopped = false;  // a limit or the flag came before the depth asked for
  int depth = 0;         // discs looked ahead by the last finished search
  int certainty = othello::kCertain;  // of that search
  std::vector<uint8_t> line;          // best play, `move` first
  othello::Board leaf;                // where the score comes from: the end of the line
  bool mirrored = false;              // the side that waits at the root is to move there
  uint64_t nodes = 0;                 // of all threads
  othello::TableCounts counts;
  double seconds = 0.0;
};

class Worker;

// A search with its table. Calls from several threads wait for each other.
class OthelloSearch {
 public:
  // Throws std::bad_alloc.
  explicit OthelloSearch(std::shared_ptr<const PatternTables> tables,
                         size_t table_bytes = othello::kTableBytes,
                         const ProbCutFit& fit = kProbCutFit);
  ~OthelloSearch();

  // `stop` may be set at any time by another thread. The caller holds the gate of tables that a
  // learner writes. Throws InputError for limits out of range and boards that cannot be.
  SearchResult search(const othello::Board& board, const SearchLimits& limits,
                      const std::atomic<bool>* stop = nullptr);

  // What each legal action leads to, searched one by one to the same depth, with an equal share of
  // nodes and time; none once the game is over. `score` is for the side to move at `board`, and
  // `line` begins with the action.
  std::vector<SearchResult> search_actions(const othello::Board& board, const SearchLimits& limits,
                                           const std::atomic<bool>* stop = nullptr);

  // What was found is not found again. To be called when the weights of the tables have changed,
  // and before a search whose answer must not depend on earlier ones.
  void forget();
  // Another size, empty. Waits for the search that runs.
  void resize(size_t table_bytes);

  const PatternTables& tables() const { return *tables_; }
  size_t table_bytes() const { return table_.bytes(); }
  double table_fill() const;
  othello::TableCounts counts() const;  // since the start

 private:
  SearchResult run(const othello::Board& board, const SearchLimits& limits,
                   const std::atomic<bool>* stop);

  mutable std::mutex busy_;
  std::shared_ptr<const PatternTables> tables_;
  ProbCut probcut_;
  othello::SearchTable table_;
  std::vector<std::unique_ptr<Worker>> workers_;
  othello::TableCounts counts_;
};

}  // namespace ludus::patterns
