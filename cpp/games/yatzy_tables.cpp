#include <algorithm>
#include <map>

#include "games/yatzy.h"

namespace ludus::yatzy {

namespace {

using Faces = std::array<uint8_t, kDice>;

int score_category(const std::array<uint8_t, 6>& counts, int category) {
  int sum = 0;
  for (int face = 1; face <= 6; ++face) sum += face * counts[static_cast<size_t>(face - 1)];
  auto highest = [&](int copies, int below) {
    for (int face = below - 1; face >= 1; --face)
      if (counts[static_cast<size_t>(face - 1)] >= copies) return face;
    return 0;
  };
  switch (category) {
    case 6:
      return 2 * highest(2, 7);
    case 7: {
      const int high = highest(2, 7);
      const int low = high > 0 ? highest(2, high) : 0;
      return low > 0 ? 2 * (high + low) : 0;
    }
    case 8:
      return 3 * highest(3, 7);
    case 9:
      return 4 * highest(4, 7);
    case 10:
    case 11: {
      // Five different faces without a six (small) or without a one (large).
      const bool straight = std::all_of(counts.begin(), counts.end(), [](int c) { return c <= 1; });
      const size_t absent = category == 10 ? 5 : 0;
      return straight && counts[absent] == 0 ? sum : 0;
    }
    case 12: {
      const int three = highest(3, 7);
      const bool pair = std::find(counts.begin(), counts.end(), 2) != counts.end();
      return three > 0 && pair ? sum : 0;
    }
    case 13:
      return sum;
    case 14:
      return highest(5, 7) > 0 ? 50 : 0;
    default:
      return (category + 1) * counts[static_cast<size_t>(category)];
  }
}

Tables build() {
  Tables t{};
  std::map<Faces, int> id_of;
  int next = 0;
  for (int size = 0; size <= kDice; ++size) {
    t.size_begin[static_cast<size_t>(size)] = next;
    Faces faces{};
    std::fill_n(faces.begin(), size, uint8_t{1});
    for (bool more = true; more;) {
      const auto id = static_cast<size_t>(next++);
      t.faces[id] = faces;
      t.size[id] = static_cast<uint8_t>(size);
      int ways = 1;
      for (int i = 0; i < size; ++i) {
        const uint8_t face = faces[static_cast<size_t>(i)];
        const int copies = ++t.counts[id][static_cast<size_t>(face - 1)];
        ways = ways * (i + 1) / copies;  // multinomial coefficient, one die at a time
      }
      t.ways[id] = static_cast<uint16_t>(ways);
      id_of[faces] = static_cast<int>(id);
      // The next ascending sequence of `size` faces.
      int last = size - 1;
      while (last >= 0 && faces[static_cast<size_t>(last)] == 6) --last;
      more = last >= 0;
      if (more) {
        const auto face = static_cast<uint8_t>(faces[static_cast<size_t>(last)] + 1);
        std::fill(faces.begin() + last, faces.begin() + size, face);
      }
    }
  }
  t.size_begin[kDice + 1] = next;

  // Insertion sort: g++ 12 warns falsely of array bounds in std::sort on five bytes.
  auto sorted_id = [&](Faces faces, int size) {
    for (int i = 1; i < size; ++i)
      for (int j = i; j > 0 && faces[static_cast<size_t>(j - 1)] > faces[static_cast<size_t>(j)];
           --j)
        std::swap(faces[static_cast<size_t>(j - 1)], faces[static_cast<size_t>(j)]);
    return id_of.at(faces);
  };

  for (size_t dice = 0; dice < kClasses; ++dice) {
    const size_t id = kFullKept + dice;
    for (int category = 0; category < kCategories; ++category)
      t.score[dice][static_cast<size_t>(category)] =
          static_cast<uint8_t>(score_category(t.counts[id], category));
    std::map<int, uint8_t> lowest;
    for (size_t mask = 0; mask < 32; ++mask) {
      Faces kept{};
      int size = 0;
      for (size_t i = 0; i < kDice; ++i)
        if ((mask >> (4 - i)) & 1U) kept[static_cast<size_t>(size++)] = t.faces[id][i];
      const int kept_id = sorted_id(kept, size);
      t.keep[dice][mask] = static_cast<uint16_t>(kept_id);
      t.canonical[dice][mask] = lowest.emplace(kept_id, static_cast<uint8_t>(mask)).first->second;
      if (t.canonical[dice][mask] == mask && mask != 31)
        t.keeps[dice][t.num_keeps[dice]++] = static_cast<uint16_t>(mask);
    }
  }

  for (size_t mask = 0; mask <= kAllFree; ++mask) {
    // Masks with only high or only low bits fill both tables.
    const bool high = (mask & 0x7F) == 0;
    if (!high && mask > 0x7F) continue;
    auto& marks = high ? t.marks_high[mask >> 7] : t.marks_low[mask];
    size_t count = 0;
    for (int c = 0; c < kCategories; ++c)
      if (mask & category_bit(c)) marks[count++] = static_cast<uint16_t>(kMarkBase + c);
  }

  int power = 1;
  for (size_t k = 0; k <= kDice; ++k, power *= 6) {
    t.power[k] = power;
    const int begin = t.size_begin[k];
    for (int order = 0; order < power; ++order) {
      Faces faces{};
      for (int i = 0, rest = order; i < static_cast<int>(k); ++i, rest /= 6)
        faces[static_cast<size_t>(i)] = static_cast<uint8_t>(rest % 6 + 1);
      t.by_order[k][static_cast<size_t>(order)] =
          static_cast<uint8_t>(sorted_id(faces, static_cast<int>(k)) - begin);
    }
    std::copy_n(t.by_order[k].begin(), power, t.by_quantile[k].begin());
    std::sort(t.by_quantile[k].begin(), t.by_quantile[k].begin() + power);
  }

  int entry = 0;
  for (size_t kept = 0; kept < kKept; ++kept) {
    t.result_begin[kept] = entry;
    const auto rolled = static_cast<size_t>(kDice - t.size[kept]);
    for (int r = t.size_begin[rolled]; r < t.size_begin[rolled + 1]; ++r) {
      Faces faces = t.faces[kept];
      std::copy_n(t.faces[static_cast<size_t>(r)].begin(), rolled, faces.begin() + t.size[kept]);
      t.result[static_cast<size_t>(entry++)] =
          static_cast<uint8_t>(sorted_id(faces, kDice) - kFullKept);
    }
  }
  return t;
}

}  // namespace

const Tables tables = build();

}  // namespace ludus::yatzy
