#include "play/picks.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/errors.h"
#include "base/random.h"

namespace ludus {

namespace {

enum Event : uint32_t { kOrder = 0, kPlies = 1 };

// Items [0, at) are drawn; draws item `at` from the rest.
template <class T>
const T& draw(std::vector<T>& items, size_t at, Stream& stream) {
  const auto left = static_cast<uint32_t>(items.size() - at);
  std::swap(items[at], items[at + stream.below(left)]);
  return items[at];
}

}  // namespace

RowPicker::RowPicker(std::vector<int32_t> lengths, uint64_t seed, int each)
    : lengths_(std::move(lengths)), seed_(seed), each_(static_cast<size_t>(std::max(each, 0))) {
  if (lengths_.empty()) throw InputError("There is no game to draw training rows from.");
  if (each < 1) throw InputError("At least one ply must be drawn from a game.");
  if (*std::min_element(lengths_.begin(), lengths_.end()) < 1)
    throw InputError("A game without plies has no training rows.");
}

size_t RowPicker::game_at(uint64_t position) {
  const uint64_t round = position / lengths_.size();
  if (round != round_ || order_.empty()) {
    order_.resize(lengths_.size());
    std::iota(order_.begin(), order_.end(), 0U);
    Stream stream(seed_, Purpose::training, round, 0, kOrder);
    for (size_t i = 0; i < order_.size(); ++i) draw(order_, i, stream);
    round_ = round;
  }
  return order_[position % lengths_.size()];
}

void RowPicker::pick(uint64_t update, size_t count, int64_t* games, int32_t* plies) {
  if (count == 0) return;
  const size_t visits = (count + each_ - 1) / each_;
  struct Visit {
    size_t game;
    std::vector<int32_t> plies;
    Stream stream;
  };
  std::vector<Visit> visited;
  visited.reserve(visits);
  size_t longest = 0;
  for (size_t i = 0; i < visits; ++i) {
    const size_t game = game_at(update * visits + i);
    std::vector<int32_t> all(static_cast<size_t>(lengths_[game]));
    std::iota(all.begin(), all.end(), 0);
    longest = std::max(longest, all.size());
    visited.push_back({game, std::move(all),
                       Stream(seed_, Purpose::training, update, static_cast<uint32_t>(i), kPlies)});
  }
  // One ply of each in turn: the last game of a batch must not lose what the first one keeps.
  std::vector<std::pair<int64_t, int32_t>> rows;
  rows.reserve(count);
  for (size_t turn = 0; turn < longest && rows.size() < count; ++turn)
    for (size_t i = 0; i < visits && rows.size() < count; ++i) {
      Visit& visit = visited[i];
      if (turn < visit.plies.size())
        rows.emplace_back(static_cast<int64_t>(visit.game), draw(visit.plies, turn, visit.stream));
    }
  for (size_t i = 0; rows.size() < count; ++i) rows.push_back(rows[i]);
  std::sort(rows.begin(), rows.end());
  for (size_t i = 0; i < count; ++i) {
    games[i] = rows[i].first;
    plies[i] = rows[i].second;
  }
}

}  // namespace ludus
