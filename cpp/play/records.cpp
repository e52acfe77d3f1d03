#include "play/records.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "base/errors.h"

namespace ludus {

namespace {
template <class Count>
std::vector<size_t> offsets(const std::vector<Count>& counts) {
  std::vector<size_t> begin(counts.size() + 1, 0);
  for (size_t i = 0; i < counts.size(); ++i)
    begin[i + 1] = begin[i] + static_cast<size_t>(counts[i]);
  return begin;
}
}  // namespace

void Records::clear() {
  visit(*this, 1, [](const char*, auto& column, int, int) { column.clear(); });
}

void Records::reserve_game(const GameInfo& info) {
  const auto plies_most = static_cast<size_t>(info.max_plies);
  // A guess for games whose longest is far longer than what anybody plays; it grows if it must.
  const auto edges_most =
      std::min(plies_most * static_cast<size_t>(info.max_legal), size_t{1} << 16);
  visit(*this, info.num_seats, [&](const char*, auto& column, int level, int width) {
    const size_t rows = level == 0 ? 1 : level == 1 ? plies_most : edges_most;
    column.reserve(rows * static_cast<size_t>(width));
  });
}

void Records::append(const Records& from, int num_seats, size_t game, size_t ply_begin,
                     size_t edge_begin) {
  const auto ply_count = static_cast<size_t>(from.plies[game]);
  size_t edge_count = 0;
  for (size_t p = 0; p < ply_count; ++p) edge_count += from.edges[ply_begin + p];
  const size_t begins[] = {game, ply_begin, edge_begin};
  const size_t counts[] = {1, ply_count, edge_count};
  // Walks both records' columns side by side: the first pass lists where each column comes from.
  std::vector<const void*> sources;
  visit(from, num_seats,
        [&](const char*, const auto& column, int, int) { sources.push_back(&column); });
  size_t next = 0;
  visit(*this, num_seats, [&](const char*, auto& column, int level, int width) {
    using Column = std::remove_reference_t<decltype(column)>;
    const auto& source = *static_cast<const Column*>(sources[next++]);
    const auto w = static_cast<size_t>(width);
    const auto first = source.begin() + static_cast<std::ptrdiff_t>(begins[level] * w);
    column.insert(column.end(), first, first + static_cast<std::ptrdiff_t>(counts[level] * w));
  });
}

Records Records::sorted(int num_seats) const {
  std::vector<size_t> order(games());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return game_id[a] < game_id[b]; });
  const auto ply_begin = ply_offsets();
  const auto edge_begin = edge_offsets();
  Records out;
  for (const size_t game : order)
    out.append(*this, num_seats, game, ply_begin[game], edge_begin[ply_begin[game]]);
  return out;
}

std::vector<size_t> Records::ply_offsets() const { return offsets(plies); }
std::vector<size_t> Records::edge_offsets() const { return offsets(edges); }

void Records::validate(const GameInfo& info) const {
  const size_t rows[] = {games(), ply_offsets().back(), edge_offsets().back()};
  visit(*this, info.num_seats, [&](const char* name, const auto& column, int level, int width) {
    if (column.size() != rows[level] * static_cast<size_t>(width))
      throw InputError(std::string("Column '") + name + "' of the game records has " +
                       std::to_string(column.size()) + " entries where " +
                       std::to_string(rows[level] * static_cast<size_t>(width)) + " belong.");
  });
}

}  // namespace ludus
