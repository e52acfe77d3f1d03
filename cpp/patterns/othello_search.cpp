#include "patterns/othello_search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>

#include "base/errors.h"
#include "patterns/othello_worker.h"

namespace ludus::patterns {

using othello::Board;
using othello::kCertain;
using othello::SearchGuard;
using othello::StopSearch;

namespace {

using Clock = SearchGuard::Clock;

void require_range(const char* name, double value, double least, double most) {
  if (value >= least && value <= most) return;
  const auto text = [](double number) {
    std::string digits = std::to_string(number);
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
    return digits;
  };
  throw InputError(std::string("The limit ") + name + " of a search is " + text(value) +
                   "; it must be from " + text(least) + " to " + text(most) + ".");
}

// A window from -kOpen to kOpen holds all scores, those of games lost with all discs too.
constexpr int kOpen = kWin + 1;

// One search of the sequence that leads to the answer.
struct Stage {
  int depth;
  int certainty;
  int margin;  // of the window around the last score, in 1/256 disc
};

// Depth by depth; then, where the game is to be solved, less and less selective searches to the
// end, which put the moves in order for the last one.
std::vector<Stage> plan(int empty, const SearchLimits& limits) {
  const bool to_end = limits.depth >= empty || empty <= limits.endgame;
  const int deepest = to_end ? std::clamp(empty - 12, 1, 12) : limits.depth;
  std::vector<Stage> stages;
  for (int depth = std::min(deepest, 1); depth <= std::min(deepest, empty - 1); ++depth)
    stages.push_back({depth, limits.certainty, 3 * kDisc});
  if (to_end) {
    if (empty >= 16) stages.push_back({empty, 2, 2 * kDisc});
    if (empty >= 20) stages.push_back({empty, 5, 2 * kDisc});
    stages.push_back({empty, kCertain, kDisc});
  }
  return stages;
}

// One thread's share of a search: stage after stage, each with a window around the last score.
class Deepening {
 public:
  Deepening(Worker& worker, const Board& board, const std::vector<Stage>& stages)
      : worker_(worker), stages_(stages), root_(worker.node_of(board)) {}

  // Fills score, depth, certainty and line, from stage `first` on. The first search has no limit,
  // so that there is an answer; all others keep `guard`.
  void run(size_t first, const SearchGuard& guard, SearchResult& result) {
    Line line;
    worker_.work.guard = {};
    try {
      for (size_t i = first; i < stages_.size(); ++i) {
        line.length = 0;
        worker_.set_certainty(stages_[i].certainty);
        const int score = search(stages_[i], i > first, result.score, line);
        // The solver of the last squares answers without a move.
        if (line.length == 0 && stages_[i].depth == othello::empties(root_.board))
          worker_.finish_line(root_.board, score / kDisc, 1, line);
        result.score = score;
        result.depth = stages_[i].depth;
        result.certainty = stages_[i].certainty;
        keep(line, result);
        worker_.work.guard = guard;
      }
    } catch (const StopSearch&) {
      result.stopped = true;
      if (line.length == 0) return;
      // What was found better than the best move before is better, though not all were tried.
      result.score = line.score;
      keep(line, result);
    }
  }

 private:
  static void keep(const Line& line, SearchResult& result) {
    result.line.assign(line.actions.begin(), line.actions.begin() + line.length);
  }

  // With a window around the last score; if the score is not in it, with one on the side where it
  // is, and then with one that holds all scores. (Results of deeper searches in the table can make
  // a score look too high and too low in turn.)
  int search(const Stage& stage, bool guessed, int guess, Line& line) {
    // A final score is even: a window between odd ones proves it with two questions.
    if (stage.depth == othello::empties(root_.board))
      guess = static_cast<int>(std::lround(guess / (2.0 * kDisc))) * 2 * kDisc;
    int lower = guessed ? std::max(-kOpen, guess - stage.margin) : -kOpen;
    int upper = guessed ? std::min(kOpen, guess + stage.margin) : kOpen;
    for (int tries = 0;; ++tries) {
      const int score = worker_.search(root_, lower, upper, stage.depth, line);
      const bool low = score <= lower && lower > -kOpen;
      const bool high = score >= upper && upper < kOpen;
      if (!low && !high) return score;
      if (tries < 3) {
        lower = std::max(-kOpen, low ? score - 2 * stage.margin : score - 1);
        upper = std::min(kOpen, low ? score + 1 : score + 2 * stage.margin);
      } else {
        lower = -kOpen;
        upper = kOpen;
      }
    }
  }

  Worker& worker_;
  const std::vector<Stage>& stages_;
  Node root_;
};

Board end_of(Board board, const std::vector<uint8_t>& actions) {
  for (const int action : actions)
    board = action == othello::kPass
                ? othello::after_pass(board)
                : othello::after_move(board, action, othello::flips(board.own, board.opp, action));
  return board;
}

// An exact search leaves the last squares to the solver, which keeps no line.
void finish_line(Worker& worker, const Board& board, SearchResult& result) {
  Line line;
  try {
    const int sign = result.line.size() % 2 == 0 ? 1 : -1;
    worker.finish_line(end_of(board, result.line), sign * result.score / kDisc, 60, line);
  } catch (const StopSearch&) {
    result.stopped = true;
  }
  result.line.insert(result.line.end(), line.actions.begin(), line.actions.begin() + line.length);
}

void require_board(const Board& board) {
  if ((board.own & board.opp) != 0)
    throw InputError("A square of the board has discs of both sides.");
  if (othello::empties(board) > 60)
    throw InputError("The board has fewer than the four discs that every game begins with.");
}

}  // namespace

void check(const SearchLimits& limits) {
  require_range("depth", limits.depth, 1, 60);
  require_range("endgame", limits.endgame, 0, 60);
  require_range("seconds", limits.seconds, 0, 1e6);
  require_range("certainty", limits.certainty, 0, kCertain);
  require_range("threads", limits.threads, 1, 64);
}

OthelloSearch::OthelloSearch(std::shared_ptr<const PatternTables> tables, size_t table_bytes,
                             const ProbCutFit& fit)
    : tables_(std::move(tables)), probcut_(fit), table_(table_bytes) {}

OthelloSearch::~OthelloSearch() = default;

void OthelloSearch::forget() {
  const std::lock_guard lock(busy_);
  table_.forget();
  for (const auto& worker : workers_) worker->solver.near().forget();
}

void OthelloSearch::resize(size_t table_bytes) {
  const std::lock_guard lock(busy_);
  table_.resize(table_bytes);
}

double OthelloSearch::table_fill() const {
  const std::lock_guard lock(busy_);
  return table_.fill();
}

othello::TableCounts OthelloSearch::counts() const {
  const std::lock_guard lock(busy_);
  return counts_;
}

SearchResult OthelloSearch::search(const Board& board, const SearchLimits& limits,
                                   const std::atomic<bool>* stop) {
  check(limits);
  require_board(board);
  const std::lock_guard lock(busy_);
  return run(board, limits, stop);
}

std::vector<SearchResult> OthelloSearch::search_actions(const Board& board,
                                                        const SearchLimits& limits,
                                                        const std::atomic<bool>* stop) {
  check(limits);
  require_board(board);
  const std::lock_guard lock(busy_);
  std::vector<SearchResult> results;
  if (othello::is_over(board)) return results;
  uint64_t moves = othello::legal_moves(board);
  SearchLimits share = limits;
  const int count = std::max(1, othello::count_bits(moves));
  share.seconds /= count;
  if (share.nodes > 0)
    share.nodes = std::max<uint64_t>(1, share.nodes / static_cast<uint64_t>(count));
  if (moves != 0) {  // else a pass, which takes no depth
    --share.depth;
    share.endgame = std::max(0, share.endgame - 1);
  }
  for (int i = 0; i < count; ++i, moves &= moves - 1) {
    const auto action =
        static_cast<uint8_t>(moves == 0 ? othello::kPass : othello::first_bit(moves));
    SearchResult result = run(end_of(board, {action}), share, stop);
    result.move = action;
    result.depth += action == othello::kPass ? 0 : 1;
    result.score = -result.score;
    result.mirrored = !result.mirrored;
    result.line.insert(result.line.begin(), action);
    results.push_back(std::move(result));
  }
  return results;
}

SearchResult OthelloSearch::run(const Board& board, const SearchLimits& limits,
                                const std::atomic<bool>* stop) {
  const auto start = Clock::now();
  SearchResult result;
  result.leaf = board;
  if (othello::is_over(board)) {
    result.score = othello::final_score(board) * kDisc;
    result.exact = true;
    return result;
  }
  const auto threads = static_cast<size_t>(limits.threads);
  while (workers_.size() < threads) {
    workers_.push_back(std::make_unique<Worker>(*tables_, probcut_, table_));
    workers_.back()->set_noise(workers_.size() - 1);
  }
  table_.new_search();
  for (size_t i = 0; i < threads; ++i) {
    workers_[i]->work = {};
    workers_[i]->solver.near().new_search();
  }
  const int empty = othello::empties(board);
  const std::vector<Stage> stages = plan(empty, limits);
  // Helpers search the same with other orders of moves, every other one a stage ahead; what they
  // find reaches the first thread through the table (lazy SMP).
  std::atomic<bool> finished{false};
  const SearchGuard until_finished(UINT64_MAX, Clock::time_point::max(), stop, &finished);
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < threads; ++i)
    helpers.emplace_back([&, i] {
      SearchResult aside;
      Deepening(*workers_[i], board, stages)
          .run(std::min(i % 2, stages.size() - 1), until_finished, aside);
    });
  const auto time =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limits.seconds));
  const SearchGuard guard(limits.nodes > 0 ? limits.nodes : UINT64_MAX,
                          limits.seconds > 0.0 ? start + time : Clock::time_point::max(), stop);
  Worker& first = *workers_[0];
  Deepening(first, board, stages).run(0, guard, result);
  finished = true;
  for (std::thread& helper : helpers) helper.join();

  result.exact = !result.stopped && result.depth == empty;
  if (result.exact && limits.finish_line) finish_line(first, board, result);
  if (!result.line.empty()) result.move = result.line[0];
  result.leaf = end_of(board, result.line);
  result.mirrored = result.line.size() % 2 == 1;
  for (size_t i = 0; i < threads; ++i) {
    result.nodes += workers_[i]->work.nodes;
    result.counts += workers_[i]->work.counts;
  }
  counts_ += result.counts;
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace ludus::patterns
