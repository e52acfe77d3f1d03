// The answer to a leaf batch: never outside the arrays, whatever they hold (run with sanitizers).
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/errors.h"
#include "play/answer.h"

namespace {

struct Batch {
  size_t rows, actions, columns, seats;
  std::vector<float> fused;
  std::vector<int32_t> mover, legal, offsets;
  std::vector<float> logits, values;

  // Every action of every row is legal.
  Batch(size_t rows, size_t actions, size_t columns, size_t seats)
      : rows(rows), actions(actions), columns(columns), seats(seats) {
    for (size_t i = 0; i < rows * columns; ++i) fused.push_back(std::sin(static_cast<float>(i)));
    for (size_t i = 0; i < rows; ++i) mover.push_back(static_cast<int32_t>(i % seats));
    for (size_t i = 0; i < rows * actions; ++i) legal.push_back(static_cast<int32_t>(i));
    for (size_t i = 0; i <= rows; ++i) offsets.push_back(static_cast<int32_t>(i * actions));
    logits.resize(rows * actions);
    values.resize(rows * seats);
  }

  bool answer(float weight) {
    const size_t width = seats <= 2 ? 1 : seats;
    return ludus::answer({fused.data(), rows, columns, actions, width, weight},
                         {mover.data(), legal.data(), offsets.data(), legal.size(), seats,
                          logits.data(), values.data()});
  }

  bool refused() {
    try {
      answer(0.0F);
    } catch (const ludus::InputError&) {
      return true;
    }
    return false;
  }
};

}  // namespace

int main() {
  for (const size_t rows : {size_t{1}, size_t{7}, size_t{8}, size_t{64}, size_t{67}}) {
    for (const size_t seats : {size_t{1}, size_t{2}, size_t{3}}) {
      Batch b(rows, 5, 5 + 2 * seats, seats);  // no column to spare
      assert(b.answer(0.25F));
      for (size_t row = 0; row < rows; ++row) {
        for (size_t i = 0; i < 5; ++i)
          assert(b.logits[row * 5 + i] == b.fused[row * b.columns + i]);
        const size_t width = seats <= 2 ? 1 : seats;
        for (size_t ahead = 0; ahead < width; ++ahead) {
          const double value = std::tanh(static_cast<double>(b.fused[row * b.columns + 5 + ahead]));
          const double margin =
              std::tanh(static_cast<double>(b.fused[row * b.columns + 5 + width + ahead]));
          const size_t seat = (row % seats + ahead) % seats;
          assert(std::abs(b.values[row * seats + seat] - (0.75 * value + 0.25 * margin)) < 5e-7);
        }
        if (seats == 2) assert(b.values[row * 2] == -b.values[row * 2 + 1]);
      }
    }
  }
  // Garbage in any array is refused, or told, without reading or writing elsewhere.
  const int32_t extremes[] = {std::numeric_limits<int32_t>::min(), -1, 1000,
                              std::numeric_limits<int32_t>::max()};
  for (const int32_t bad : extremes) {
    Batch legal(16, 5, 64, 2), mover(16, 5, 64, 2), offsets(16, 5, 64, 2);
    legal.legal[33] = bad;
    mover.mover[9] = bad;
    offsets.offsets[16] = bad;
    assert(legal.refused() && mover.refused() && offsets.refused());
  }
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), -3.4e38F}) {
    Batch b(9, 5, 7, 2);
    b.fused[8 * 7 + 5] = bad;
    assert(b.answer(0.5F) == std::isfinite(bad));
    assert(std::isfinite(b.values[16]) && std::abs(b.values[16]) <= 1.0F);
  }
  return 0;
}
