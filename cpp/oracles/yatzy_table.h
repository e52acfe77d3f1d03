// The value of every board of solitaire Yatzy: exact dynamic programming over (free categories,
// upper total), from full cards to the empty one.
//
// Of 2^15 * 64 = 2,097,152 boards 958,976 classes remain: upper totals that the marked categories
// cannot have are left out, and those from which 63 is out of reach are one class. Values are
// potentials: the points still to come, plus the 50 of the bonus once 63 is reached. So the bonus
// falls due where the upper total changes, and no step needs a branch for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "oracles/yatzy_turn.h"

namespace ludus::yatzy {

inline constexpr size_t kUpperMasks = 1U << kUpperCategories;
inline constexpr size_t kLowerMasks = 1U << kLowerCategories;

// Where a board stands in a row of the table. A row holds all boards with the same free lower
// categories, in layers by the number of free upper categories, each filled up to whole packs.
class TableLayout {
 public:
  static constexpr uint16_t kNowhere = 0xFFFF;

  struct Block {                // one pack of a row
    uint32_t upper_categories;  // bit c: category c is free in some lane
    // [face - 1][k]: where marking k dice of the face leads, by lane; the row's last pack (never)
    // where the face is not free.
    std::array<std::array<std::array<int32_t, kLanes>, kDice + 1>, kUpperCategories> next;
  };

  TableLayout();
  static const TableLayout& get();

  // kNowhere for an upper total (0..63) that the marked categories cannot have.
  uint16_t place(int free, int upper) const {
    return place_[static_cast<size_t>(free >> kLowerCategories)][static_cast<size_t>(upper)];
  }
  const std::vector<Block>& blocks() const { return blocks_; }
  size_t row_size() const { return (blocks_.size() + 1) * kLanes; }
  size_t never() const { return blocks_.size() * kLanes; }
  size_t classes() const { return classes_; }  // of the whole table
  size_t finished(bool bonus) const { return bonus ? finished_[1] : finished_[0]; }

 private:
  std::array<std::array<uint16_t, kUpperGoal + 1>, kUpperMasks> place_;
  std::vector<Block> blocks_;
  size_t classes_ = 0;
  std::array<size_t, 2> finished_{};  // places of a full upper half without and with the bonus
};

template <class T>
class ValueTable {
 public:
  // Solves the game; threads >= 1. The values do not depend on the number of threads.
  explicit ValueTable(int threads);

  // Potential of a board that can be reached.
  T potential(int free, int upper) const {
    return row(static_cast<size_t>(free) % kLowerMasks)[layout_.place(free, upper)];
  }
  size_t bytes() const { return kLowerMasks * layout_.row_size() * sizeof(T); }

 private:
  T* row(size_t lower) const { return values_.get() + lower * layout_.row_size(); }
  void solve_row(size_t lower, Turn<T>& turn);

  const TableLayout& layout_ = TableLayout::get();
  std::unique_ptr<T[]> values_;
};

extern template class ValueTable<float>;
extern template class ValueTable<double>;

}  // namespace ludus::yatzy
