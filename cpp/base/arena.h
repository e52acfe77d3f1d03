// Memory of 8-byte words that only grows: aligned to cache lines, never cleared, given back whole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

namespace ludus {

class Arena {
 public:
  static constexpr size_t kLineWords = 8;

  uint64_t* word(size_t index) { return lines_[0].words + index; }
  const uint64_t* word(size_t index) const { return lines_[0].words + index; }
  float* floats(size_t index) { return reinterpret_cast<float*>(word(index)); }
  const float* floats(size_t index) const { return reinterpret_cast<const float*>(word(index)); }

  size_t used() const { return used_; }
  void clear() { used_ = 0; }

  // Room for so many words behind the used ones; true if that took an allocation, after which all
  // addresses have changed.
  bool reserve(size_t words) {
    const size_t needed = (used_ + words + kLineWords - 1) / kLineWords;
    if (needed <= capacity_) return false;
    const size_t capacity = std::max(needed, capacity_ + capacity_ / 2);
    std::unique_ptr<Line[]> grown(new Line[capacity]);
    if (capacity_ > 0) std::memcpy(grown.get(), lines_.get(), capacity_ * sizeof(Line));
    lines_ = std::move(grown);
    capacity_ = capacity;
    return true;
  }
  // The index of so many words, which reserve() made room for.
  uint32_t take(size_t words) {
    const size_t index = used_;
    used_ += words;
    return static_cast<uint32_t>(index);
  }
  // Goes on at the beginning of a cache line.
  void align() { used_ = (used_ + kLineWords - 1) / kLineWords * kLineWords; }

 private:
  struct alignas(kLineWords * sizeof(uint64_t)) Line {
    uint64_t words[kLineWords];
  };
  std::unique_ptr<Line[]> lines_;
  size_t capacity_ = 0;  // lines
  size_t used_ = 0;      // words
};

}  // namespace ludus
