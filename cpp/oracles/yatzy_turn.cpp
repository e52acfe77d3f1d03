#include "oracles/yatzy_turn.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace ludus::yatzy {

namespace {

// Places in memory are kept as byte offsets of single precision packs: an index would have to be
// scaled in the inner loops, which run at the speed of the loads.
constexpr size_t kUnit = sizeof(Pack<float>);
constexpr uint16_t offset_of(size_t index) { return static_cast<uint16_t>(index * kUnit); }
static_assert(kKept * kUnit <= 0xFFFF);

template <class T>
inline Pack<T>& at(Pack<T>* packs, size_t offset) {
  return *reinterpret_cast<Pack<T>*>(reinterpret_cast<std::byte*>(packs) +
                                     offset * (sizeof(Pack<T>) / kUnit));
}

constexpr size_t kChance = 13;
constexpr int kSums = 26;      // points of chance, 5..30
constexpr int kTriples = 56;   // numbers of dice of three faces, five dice at most
constexpr int kPatterns = 96;  // room for the distinct scores in the lower categories but chance

struct TurnTables {
  // The multisets with one die more, by face; for fewer than five dice.
  std::array<std::array<uint16_t, 6>, kFullKept> grow;
  struct Shrink {
    uint16_t own;
    std::array<uint16_t, kDice> smaller;  // one die less; the first `faces` of them count
  };
  // Multisets of the same size, with equally many different faces and orderings, stand together,
  // so that the inner loop has no branch.
  struct Group {
    int size, faces, ways;
    std::vector<Shrink> members;
  };
  std::vector<Group> groups;  // by size, ascending
  // What the best mark of five dice depends on: the numbers of ones, twos and threes, of fours,
  // fives and sixes, the sum, and the pattern (which lower categories but chance score how much).
  struct Dice {
    uint16_t low, high, sum, pattern;  // offsets
  };
  std::array<Dice, kClasses> dice;
  struct Score {
    uint16_t pattern;  // offset
    uint8_t points;
  };
  std::array<std::vector<Score>, kLowerCategories> scores;  // above 0, by category
  size_t patterns = 0;
};

// The place of a triple in the order in which Turn::fill walks through them.
size_t triple_index(size_t a, size_t b, size_t c) {
  size_t index = 0;
  for (size_t i = 0; i <= kDice; ++i)
    for (size_t j = 0; i + j <= kDice; ++j)
      for (size_t k = 0; i + j + k <= kDice; ++k, ++index)
        if (i == a && j == b && k == c) return index;
  return index;
}

TurnTables build() {
  TurnTables t;
  std::map<std::array<uint8_t, 6>, size_t> id_of;
  for (size_t id = 0; id < kKept; ++id) id_of[tables.counts[id]] = id;
  for (size_t id = 0; id < kFullKept; ++id)
    for (size_t face = 0; face < 6; ++face) {
      auto counts = tables.counts[id];
      ++counts[face];
      t.grow[id][face] = offset_of(id_of.at(counts));
    }
  std::map<std::array<int, 3>, std::vector<TurnTables::Shrink>> groups;
  for (size_t id = 1; id < kKept; ++id) {
    const auto& counts = tables.counts[id];
    TurnTables::Shrink entry{offset_of(id), {}};
    size_t faces = 0;
    for (size_t face = 0; face < 6; ++face) {
      auto fewer = counts;
      if (fewer[face]-- > 0) entry.smaller[faces++] = offset_of(id_of.at(fewer));
    }
    groups[{tables.size[id], static_cast<int>(faces), tables.ways[id]}].push_back(entry);
  }
  for (auto& [key, members] : groups)
    t.groups.push_back({key[0], key[1], key[2], std::move(members)});
  std::map<std::array<uint8_t, kLowerCategories>, size_t> patterns;
  for (size_t dice = 0; dice < kClasses; ++dice) {
    const auto& counts = tables.counts[kFullKept + dice];
    std::array<uint8_t, kLowerCategories> scores;
    std::copy_n(tables.score[dice].begin() + kUpperCategories, kLowerCategories, scores.begin());
    const auto sum = std::exchange(scores[kChance - kUpperCategories], uint8_t{0});
    const auto [found, is_new] = patterns.emplace(scores, patterns.size());
    const uint16_t pattern = offset_of(found->second);
    t.dice[dice] = {offset_of(triple_index(counts[0], counts[1], counts[2])),
                    offset_of(triple_index(counts[3], counts[4], counts[5])),
                    offset_of(static_cast<size_t>(sum - kDice)), pattern};
    for (size_t i = 0; is_new && i < scores.size(); ++i)
      if (scores[i] > 0) t.scores[i].push_back({pattern, scores[i]});
  }
  t.patterns = patterns.size();
  if (t.patterns > kPatterns) throw std::logic_error("kPatterns is too small");
  return t;
}

// Built on first use: `tables` lies in another file, whose start-up order is not ours to choose.
const TurnTables& turn_tables() {
  static const TurnTables t = build();
  return t;
}

template <class T>
inline void raise_to(Pack<T>& a, const Pack<T>& b) {
  for (size_t i = 0; i < Pack<T>::kParts; ++i)
    a.part[i] = a.part[i] > b.part[i] ? a.part[i] : b.part[i];
}

template <class T>
inline void add(Pack<T>& a, const Pack<T>& b) {
  for (size_t i = 0; i < Pack<T>::kParts; ++i) a.part[i] += b.part[i];
}

template <class T>
inline Pack<T> relative(const Pack<T>& value, const Pack<T>& base, T points) {
  Pack<T> out;
  for (size_t i = 0; i < Pack<T>::kParts; ++i)
    out.part[i] = (value.part[i] - base.part[i]) + points;
  return out;
}

// The best of keeping all of a multiset or removing one die of it, for a group of multisets.
template <class T, int faces>
inline void best_of(const TurnTables::Group& group, Pack<T>* stage) {
  for (const auto& entry : group.members) {
    Pack<T> best = at(stage, entry.own);
    for (size_t i = 0; i < faces; ++i) raise_to(best, at(stage, entry.smaller[i]));
    at(stage, entry.own) = best;
  }
}

// The same, summed over the group.
template <class T, int faces>
inline Pack<T> sum_of_best(const TurnTables::Group& group, Pack<T>* stage) {
  Pack<T> sum{};
  for (const auto& entry : group.members) {
    Pack<T> best = at(stage, entry.own);
    for (size_t i = 0; i < faces; ++i) raise_to(best, at(stage, entry.smaller[i]));
    add(sum, best);
  }
  return sum;
}

// Calls f with the group's number of faces as a constant.
template <class F>
inline auto with_faces(int faces, F&& f) {
  switch (faces) {
    case 1:
      return f(std::integral_constant<int, 1>{});
    case 2:
      return f(std::integral_constant<int, 2>{});
    case 3:
      return f(std::integral_constant<int, 3>{});
    case 4:
      return f(std::integral_constant<int, 4>{});
    default:
      return f(std::integral_constant<int, 5>{});
  }
}

}  // namespace

// stage of five dice := the best mark.
template <class T>
void Turn<T>::fill(const Marks<T>& marks) {
  const TurnTables& t = turn_tables();
  const auto is_free = [&](size_t category) { return ((marks.categories >> category) & 1U) != 0; };
  // The best mark for 0 points is what any dice are worth at least; it becomes 0 here, and what
  // is not free counts as 0, which every maximum below contains anyway.
  base_ = Pack<T>::of(kNever<T>);
  for (size_t c = 0; c < kCategories; ++c)
    if (is_free(c))
      raise_to(base_, c < kUpperCategories ? marks.upper[c][0] : marks.lower[c - kUpperCategories]);

  std::array<std::array<Pack<T>, kDice + 1>, kUpperCategories> face;
  for (size_t c = 0; c < kUpperCategories; ++c) {
    face[c].fill(Pack<T>{});
    for (size_t k = 1; k <= kDice && is_free(c); ++k)
      face[c][k] = relative(marks.upper[c][k], base_, T(k * (c + 1)));
  }
  std::array<Pack<T>, 2 * kTriples> triples;
  Pack<T>* out = triples.data();
  for (size_t half = 0; half < kUpperCategories; half += 3)
    for (size_t i = 0; i <= kDice; ++i)
      for (size_t j = 0; i + j <= kDice; ++j) {
        Pack<T> best = face[half][i];
        raise_to(best, face[half + 1][j]);
        for (size_t k = 0; i + j + k <= kDice; ++k) {
          Pack<T> all = best;
          raise_to(all, face[half + 2][k]);
          *out++ = all;
        }
      }

  std::array<Pack<T>, kSums> sums;
  for (size_t s = 0; s < kSums; ++s)
    sums[s] = is_free(kChance)
                  ? relative(marks.lower[kChance - kUpperCategories], base_, T(s + kDice))
                  : Pack<T>{};
  std::array<Pack<T>, kPatterns> patterns;
  std::fill_n(patterns.begin(), t.patterns, Pack<T>{});
  for (size_t i = 0; i < kLowerCategories; ++i) {
    if (!is_free(kUpperCategories + i)) continue;
    for (const auto& score : t.scores[i])
      raise_to(at(patterns.data(), score.pattern),
               relative(marks.lower[i], base_, T(score.points)));
  }

  for (size_t dice = 0; dice < kClasses; ++dice) {
    const auto& parts = t.dice[dice];
    Pack<T> best = at(triples.data(), parts.low);
    raise_to(best, at(triples.data() + kTriples, parts.high));
    raise_to(best, at(sums.data(), parts.sum));
    raise_to(best, at(patterns.data(), parts.pattern));
    stage_[kFullKept + dice] = best;
  }
}

// stage of fewer than five dice := mean over one die more, from four dice down to none.
template <class T>
void Turn<T>::expect() {
  const TurnTables& t = turn_tables();
  constexpr T sixth = T(1) / T(6);
  Pack<T>* const stage = stage_.data();
  for (size_t id = kFullKept; id-- > 0;) {
    const auto& grow = t.grow[id];
    for (size_t i = 0; i < Pack<T>::kParts; ++i) {
      const auto part = [&](size_t face) { return at(stage, grow[face]).part[i]; };
      stage_[id].part[i] =
          ((part(0) + part(1)) + (part(2) + part(3)) + (part(4) + part(5))) * sixth;
    }
  }
}

// stage of any dice := the best of keeping some of them. With five dice the stage held the value
// with one reroll less; since a reroll more is never worse, it may stay in the maximum, where it
// stands for the marks.
template <class T>
void Turn<T>::take_best(int largest) {
  Pack<T>* const stage = stage_.data();
  for (const auto& group : turn_tables().groups)
    if (group.size <= largest)
      with_faces(group.faces, [&](auto faces) { best_of<T, faces>(group, stage); });
}

template <class T>
void Turn<T>::solve(const Marks<T>& marks, Pack<T>* value) {
  fill(marks);
  expect();
  take_best(kDice);
  expect();
  take_best(kDice - 1);
  // With five dice only the mean over the first roll is wanted.
  *value = base_;
  for (const auto& group : turn_tables().groups) {
    if (group.size < kDice) continue;
    const Pack<T> sum = with_faces(
        group.faces, [&](auto faces) { return sum_of_best<T, faces>(group, stage_.data()); });
    const T weight = T(group.ways) / T(7776);
    for (size_t i = 0; i < Pack<T>::kParts; ++i) value->part[i] += sum.part[i] * weight;
  }
}

template <class T>
void Turn<T>::solve_decisions(const Marks<T>& marks, int rerolls) {
  fill(marks);
  for (int left = 1; left <= rerolls; ++left) {
    expect();
    std::copy_n(stage_.begin(), kFullKept, keeps_[static_cast<size_t>(left - 1)].begin());
    if (left < rerolls) take_best(kDice);
  }
}

template class Turn<float>;
template class Turn<double>;

}  // namespace ludus::yatzy
