#include "search/othello_table.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ludus::othello {
namespace {

constexpr uint64_t kAges = 256;
// So many searches after `forget` cannot meet the end of the ages, which would tell what was
// before.
constexpr uint64_t kAgesOfGame = 64;
constexpr int kAgeShift = 56;

// Bits of the data word: lower 0-15, upper 16-31, moves 32-38 and 39-45, depth 46-51, certainty
// 52-54, age 56-63.
uint64_t pack(const TableEntry& entry, uint64_t age) {
  return static_cast<uint64_t>(static_cast<uint16_t>(entry.lower)) |
         static_cast<uint64_t>(static_cast<uint16_t>(entry.upper)) << 16 |
         static_cast<uint64_t>(entry.move & 127) << 32 |
         static_cast<uint64_t>(entry.second & 127) << 39 |
         static_cast<uint64_t>(entry.depth & 63) << 46 |
         static_cast<uint64_t>(entry.certainty & 7) << 52 | age << kAgeShift;
}

TableEntry unpack(uint64_t data) {
  TableEntry entry;
  entry.lower = static_cast<int16_t>(data);
  entry.upper = static_cast<int16_t>(data >> 16);
  entry.move = (data >> 32) & 127;
  entry.second = (data >> 39) & 127;
  entry.depth = (data >> 46) & 63;
  entry.certainty = (data >> 52) & 7;
  return entry;
}

int worth(const TableEntry& entry) { return entry.depth * 8 + entry.certainty; }

}  // namespace

TableCounts& TableCounts::operator+=(const TableCounts& other) {
  probes += other.probes;
  hits += other.hits;
  stores += other.stores;
  evictions += other.evictions;
  return *this;
}

SearchTable::SearchTable(size_t bytes) : memory_(nullptr, &std::free) { resize(bytes); }

void SearchTable::resize(size_t bytes) {
  memory_.reset();  // first, so that both never exist together
  if (!allocate(std::max<size_t>(1, bytes / sizeof(Line)))) {
    if (!allocate(1)) std::abort();
    throw std::bad_alloc();
  }
  age_ = oldest_ = 1;
}

// calloc knows which memory is zero already: pages that no search touches are never made real.
bool SearchTable::allocate(size_t lines) {
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t size = lines * sizeof(Line);
  size_t space = size + (size >= kHugePage ? kHugePage : sizeof(Line));
  memory_.reset(std::calloc(space, 1));
  if (memory_ == nullptr) return false;
  void* place = memory_.get();
  std::align(size >= kHugePage ? kHugePage : sizeof(Line), size, place, space);
#ifdef __linux__
  // Nearly every probe is in another page: small pages would cost a walk of the page table each.
  if (size >= kHugePage) (void)madvise(place, size, MADV_HUGEPAGE);
#endif
  table_ = static_cast<Line*>(place);
  lines_ = lines;
  return true;
}

void SearchTable::clear() {
  std::memset(static_cast<void*>(table_), 0, lines_ * sizeof(Line));
  age_ = oldest_ = 1;
}

void SearchTable::new_search() {
  if (age_ + 1 == kAges)
    clear();
  else
    ++age_;
}

void SearchTable::forget() {
  if (age_ + 1 + kAgesOfGame >= kAges)
    clear();
  else
    oldest_ = ++age_;
}

double SearchTable::fill() const {
  const size_t sample = lines_ < 1024 ? lines_ : 1024;
  size_t used = 0;
  for (size_t i = 0; i < sample; ++i)
    for (const Place& place : table_[lines_ / sample * i].places)
      used += place.data.load(std::memory_order_relaxed) >> kAgeShift >= oldest_;
  return static_cast<double>(used) / static_cast<double>(4 * sample);
}

// What goes first when a place is needed has the least rank.
int SearchTable::rank(uint64_t data) const {
  const uint64_t age = data >> kAgeShift;
  if (age < oldest_) return 0;
  const int value = 1 + worth(unpack(data));
  return age == age_ ? value + 1024 : value;
}

bool SearchTable::probe(uint64_t key, TableEntry& entry) const {
  for (const Place& place : line_of(key).places) {
    const uint64_t data = place.data.load(std::memory_order_relaxed);
    if ((place.check.load(std::memory_order_relaxed) ^ data) == key &&
        data >> kAgeShift >= oldest_) {
      entry = unpack(data);
      return true;
    }
  }
  return false;
}

bool SearchTable::store(uint64_t key, const TableEntry& entry) {
  Place* victim = nullptr;
  int least = 0;
  uint64_t replaced = 0;
  TableEntry merged = entry;
  for (Place& place : line_of(key).places) {
    const uint64_t data = place.data.load(std::memory_order_relaxed);
    if ((place.check.load(std::memory_order_relaxed) ^ data) == key &&
        data >> kAgeShift >= oldest_) {
      const TableEntry old = unpack(data);
      if (worth(old) > worth(entry)) {
        merged = old;
      } else {
        if (worth(old) == worth(entry)) {
          if (old.lower > merged.lower) merged.lower = old.lower;
          if (old.upper < merged.upper) merged.upper = old.upper;
          if (merged.lower > merged.upper) {  // of two threads, or of another window: the newer
            merged.lower = entry.lower;
            merged.upper = entry.upper;
          }
        }
        if (merged.move == kNoMove) {
          merged.move = old.move;
          merged.second = old.second;
        } else if (merged.second == kNoMove) {
          merged.second = old.move != merged.move ? old.move : old.second;
        }
      }
      const uint64_t word = pack(merged, age_);
      place.data.store(word, std::memory_order_relaxed);
      place.check.store(key ^ word, std::memory_order_relaxed);
      return false;
    }
    const int value = rank(data);
    if (victim == nullptr || value < least) {
      victim = &place;
      least = value;
      replaced = data;
    }
  }
  const uint64_t word = pack(merged, age_);
  victim->data.store(word, std::memory_order_relaxed);
  victim->check.store(key ^ word, std::memory_order_relaxed);
  return replaced >> kAgeShift == age_;
}

}  // namespace ludus::othello
