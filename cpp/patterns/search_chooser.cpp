#include "patterns/search_chooser.h"

#include <utility>

namespace ludus::patterns {
namespace {

class SearchChooser : public Chooser {
 public:
  SearchChooser(std::shared_ptr<const PatternTables> tables, const SearchLimits& limits,
                size_t table_bytes)
      : tables_(tables), limits_(limits), search_(std::move(tables), table_bytes) {}

  void begin() override { search_.forget(); }

  Choice choose(const othello::Board& board, const Indices&) override {
    const SearchResult result = search_.search(board, limits_);
    sums_.searches += 1;
    sums_.depth += static_cast<uint64_t>(result.depth);
    sums_.exact += result.exact ? 1 : 0;
    sums_.nodes += result.nodes;
    sums_.probes += result.counts.probes;
    sums_.hits += result.counts.hits;
    Choice choice;
    // Where every move loses all discs the search may name none: then they are all alike.
    choice.square =
        result.move >= 0 ? result.move : othello::first_bit(othello::legal_moves(board));
    choice.value = static_cast<float>(result.score) / static_cast<float>(kDisc);
    choice.leaf = result.leaf;
    choice.mirrored = result.mirrored;
    // A line that a table entry cut short, or that ran into the end of a game, has another score
    // than its last position: nothing can be learned from that one.
    const int score = tables_->evaluate(result.leaf);
    choice.evaluated = !result.exact && (result.mirrored ? -score : score) == result.score;
    return choice;
  }

  SearchSums take_sums() override { return std::exchange(sums_, {}); }

 private:
  std::shared_ptr<const PatternTables> tables_;
  SearchLimits limits_;
  OthelloSearch search_;
  SearchSums sums_;
};

}  // namespace

ChooserMaker searching(SearchLimits limits, size_t table_bytes) {
  limits.threads = 1;
  check(limits);
  return [limits, table_bytes](const std::shared_ptr<const PatternTables>& tables) {
    return std::make_unique<SearchChooser>(tables, limits, table_bytes);
  };
}

}  // namespace ludus::patterns
