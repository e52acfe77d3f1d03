#include "oracles/yatzy_table.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <bit>
#include <cstring>
#include <thread>

namespace ludus::yatzy {

namespace {

constexpr bool is_free(size_t upper_mask, size_t category) {
  return ((upper_mask >> (kUpperCategories - 1 - category)) & 1U) != 0;
}

// Upper totals, clamped at 63, that the marked categories can have.
std::array<bool, kUpperGoal + 1> reachable_totals(size_t upper_mask) {
  std::array<bool, kUpperGoal + 1> can{};
  can[0] = true;
  for (size_t c = 0; c < kUpperCategories; ++c) {
    if (is_free(upper_mask, c)) continue;
    std::array<bool, kUpperGoal + 1> more{};
    for (size_t total = 0; total <= kUpperGoal; ++total)
      for (size_t k = 0; can[total] && k <= kDice; ++k)
        more[std::min<size_t>(total + k * (c + 1), kUpperGoal)] = true;
    can = more;
  }
  return can;
}

// The most that the free categories can still add.
size_t reach(size_t upper_mask) {
  size_t sum = 0;
  for (size_t c = 0; c < kUpperCategories; ++c)
    if (is_free(upper_mask, c)) sum += kDice * (c + 1);
  return sum;
}

}  // namespace

TableLayout::TableLayout() {
  for (auto& places : place_) places.fill(kNowhere);
  struct Lane {
    size_t mask, total;
  };
  std::vector<Lane> lanes;  // one board for each place; the mask kUpperMasks marks padding
  for (int layer = 0; layer <= kUpperCategories; ++layer) {
    for (size_t mask = 0; mask < kUpperMasks; ++mask) {
      if (std::popcount(mask) != layer) continue;
      const auto can = reachable_totals(mask);
      const size_t to_go = reach(mask);
      uint16_t lost = kNowhere;
      for (size_t total = 0; total <= kUpperGoal; ++total) {
        if (!can[total]) continue;
        const bool out_of_reach = total + to_go < kUpperGoal;
        if (!out_of_reach || lost == kNowhere) {
          place_[mask][total] = static_cast<uint16_t>(lanes.size());
          if (out_of_reach) lost = place_[mask][total];
          lanes.push_back({mask, total});
          classes_ += kLowerMasks;
        } else {
          place_[mask][total] = lost;
        }
      }
    }
    while (lanes.size() % kLanes != 0) lanes.push_back({kUpperMasks, 0});
  }
  finished_ = {place_[0][0], place_[0][kUpperGoal]};

  blocks_.resize(lanes.size() / kLanes);
  for (size_t b = 0; b < blocks_.size(); ++b) {
    Block& block = blocks_[b];
    block.upper_categories = 0;
    for (size_t c = 0; c < kUpperCategories; ++c)
      for (size_t k = 0; k <= kDice; ++k)
        for (size_t i = 0; i < kLanes; ++i) {
          const auto& [mask, total] = lanes[b * kLanes + i];
          const bool can = mask < kUpperMasks && is_free(mask, c);
          size_t next = never();
          if (can) {
            block.upper_categories |= 1U << c;
            const size_t left = mask & ~(size_t{1} << (kUpperCategories - 1 - c));
            next = place_[left][std::min<size_t>(total + k * (c + 1), kUpperGoal)];
          }
          block.next[c][k][i] = static_cast<int32_t>(next);
        }
  }
}

const TableLayout& TableLayout::get() {
  static const TableLayout layout;
  return layout;
}

// Rows with the same number of free lower categories do not need each other.
template <class T>
ValueTable<T>::ValueTable(int threads) : values_(new T[kLowerMasks * layout_.row_size()]) {
  std::array<std::vector<size_t>, kLowerCategories + 1> levels;
  for (size_t lower = 0; lower < kLowerMasks; ++lower)
    levels[static_cast<size_t>(std::popcount(lower))].push_back(lower);
  std::array<std::atomic<size_t>, kLowerCategories + 1> taken{};
  std::barrier level_done(threads);
  const auto work = [&] {
    const auto turn = std::make_unique<Turn<T>>();
    for (size_t level = 0; level < levels.size(); ++level) {
      for (size_t i; (i = taken[level]++) < levels[level].size();)
        solve_row(levels[level][i], *turn);
      level_done.arrive_and_wait();
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
}

template <class T>
void ValueTable<T>::solve_row(size_t lower, Turn<T>& turn) {
  T* const values = row(lower);
  std::fill_n(values + layout_.never(), kLanes, kNever<T>);
  std::array<const T*, kLowerCategories> after{};
  uint32_t lower_categories = 0;
  for (size_t i = 0; i < kLowerCategories; ++i) {
    const size_t bit = size_t{1} << (kLowerCategories - 1 - i);
    if ((lower & bit) == 0) continue;
    lower_categories |= 1U << (kUpperCategories + i);
    after[i] = row(lower ^ bit);
  }
  Marks<T> marks;
  Pack<T> value;
  const auto& blocks = layout_.blocks();
  for (size_t b = 0; b < blocks.size(); ++b) {
    const auto& block = blocks[b];
    T* const out = values + b * kLanes;
    marks.categories = block.upper_categories | lower_categories;
    if (marks.categories == 0) {  // full cards
      std::fill_n(out, kLanes, T(0));
      values[layout_.finished(true)] = kBonus;
      continue;
    }
    for (size_t c = 0; c < kUpperCategories; ++c) {
      if (!((block.upper_categories >> c) & 1U)) continue;
      for (size_t k = 0; k <= kDice; ++k) {
        alignas(kVectorBytes) std::array<T, kLanes> gathered;
        const auto& next = block.next[c][k];
        for (size_t i = 0; i < kLanes; ++i) gathered[i] = values[next[i]];
        std::memcpy(&marks.upper[c][k], gathered.data(), sizeof(gathered));
      }
    }
    for (size_t i = 0; i < kLowerCategories; ++i)
      if (after[i] != nullptr)
        std::memcpy(&marks.lower[i], after[i] + b * kLanes, sizeof(marks.lower[i]));
    turn.solve(marks, &value);
    std::memcpy(out, &value, sizeof(value));
  }
}

template class ValueTable<float>;
template class ValueTable<double>;

}  // namespace ludus::yatzy
