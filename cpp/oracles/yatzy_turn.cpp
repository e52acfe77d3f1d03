#include "oracles/yatzy_turn.h"

#include <algorithm>
#include <map>
#include <vector>

namespace ludus::yatzy {

namespace {

// A mark of one category: the classes of dice that score in it, each with the place of its score
// among the category's distinct scores.
struct Scoring {
  std::vector<uint8_t> scores;  // distinct scores above 0, ascending
  struct Entry {
    uint16_t dice;
    uint16_t score;  // index into `scores`
  };
  std::vector<Entry> entries;
};

struct TurnTables {
  // The multisets with one die more, by face; for fewer than five dice.
  std::array<std::array<uint16_t, 6>, kFullKept> grow;
  // The multisets with one die less. Within a size, ids with equally many different faces stand
  // together, so that the inner loop has no branch.
  struct Group {
    uint16_t faces;  // different faces, 1..5
    uint16_t begin, end;
  };
  struct Shrink {
    uint16_t id;
    std::array<uint16_t, kDice> smaller;  // the first `faces` count
  };
  std::vector<Group> groups;
  std::vector<Shrink> shrink;
  std::array<Scoring, kCategories> scoring;
  // Classes of dice by number of orderings.
  struct Ways {
    int ways;
    std::vector<uint16_t> ids;
  };
  std::vector<Ways> ways;
};

TurnTables build() {
  TurnTables t;
  std::map<std::array<uint8_t, 6>, uint16_t> id_of;
  for (size_t id = 0; id < kKept; ++id) id_of[tables.counts[id]] = static_cast<uint16_t>(id);
  for (size_t id = 0; id < kFullKept; ++id)
    for (size_t face = 0; face < 6; ++face) {
      auto counts = tables.counts[id];
      ++counts[face];
      t.grow[id][face] = id_of.at(counts);
    }
  for (int size = 1; size <= kDice; ++size)
    for (int faces = 1; faces <= size; ++faces) {
      const auto begin = static_cast<uint16_t>(t.shrink.size());
      for (int id = tables.size_begin[static_cast<size_t>(size)];
           id < tables.size_begin[static_cast<size_t>(size + 1)]; ++id) {
        const auto& counts = tables.counts[static_cast<size_t>(id)];
        if (6 - std::count(counts.begin(), counts.end(), 0) != faces) continue;
        TurnTables::Shrink entry{static_cast<uint16_t>(id), {}};
        size_t next = 0;
        for (size_t face = 0; face < 6; ++face) {
          auto fewer = counts;
          if (fewer[face]-- > 0) entry.smaller[next++] = id_of.at(fewer);
        }
        t.shrink.push_back(entry);
      }
      t.groups.push_back({static_cast<uint16_t>(faces), begin,
                          static_cast<uint16_t>(t.shrink.size())});
    }
  for (size_t category = 0; category < kCategories; ++category) {
    Scoring& scoring = t.scoring[category];
    for (const auto& score : tables.score)
      if (score[category] > 0) scoring.scores.push_back(score[category]);
    std::sort(scoring.scores.begin(), scoring.scores.end());
    scoring.scores.erase(std::unique(scoring.scores.begin(), scoring.scores.end()),
                         scoring.scores.end());
    for (size_t dice = 0; dice < kClasses; ++dice) {
      const auto at = std::find(scoring.scores.begin(), scoring.scores.end(),
                                tables.score[dice][category]);
      if (at != scoring.scores.end())
        scoring.entries.push_back({static_cast<uint16_t>(kFullKept + dice),
                                   static_cast<uint16_t>(at - scoring.scores.begin())});
    }
  }
  std::map<int, std::vector<uint16_t>> by_ways;
  for (size_t id = kFullKept; id < kKept; ++id)
    by_ways[tables.ways[id]].push_back(static_cast<uint16_t>(id));
  for (auto& [ways, ids] : by_ways) t.ways.push_back({ways, std::move(ids)});
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

template <class T, int faces>
inline void best_of(const TurnTables::Shrink* at, const TurnTables::Shrink* end, Pack<T>* stage) {
  for (; at != end; ++at) {
    Pack<T> best = stage[at->id];
    for (size_t i = 0; i < faces; ++i) raise_to(best, stage[at->smaller[i]]);
    stage[at->id] = best;
  }
}

}  // namespace

template <class T>
void Turn<T>::fill(const Marks<T>& marks) {
  const TurnTables& t = turn_tables();
  // The best mark for 0 points is what any dice are worth at least.
  base_ = Pack<T>::of(kNever<T>);
  for (size_t c = 0; c < kCategories; ++c)
    if ((marks.categories >> c) & 1U)
      raise_to(base_, c < kUpperCategories ? marks.upper[c][0]
                                           : marks.lower[c - kUpperCategories]);
  constexpr size_t kChance = 13;
  std::fill(stage_.begin() + kFullKept, stage_.end(), Pack<T>{});
  std::array<Pack<T>, 32> worth;  // by place of the score
  for (size_t c = 0; c < kCategories; ++c) {
    if (!((marks.categories >> c) & 1U)) continue;
    const Scoring& scoring = t.scoring[c];
    for (size_t s = 0; s < scoring.scores.size(); ++s) {
      const T points = scoring.scores[s];
      worth[s] = c < kUpperCategories
                     ? relative(marks.upper[c][s + 1], base_, points)
                     : relative(marks.lower[c - kUpperCategories], base_, points);
    }
    for (const Scoring::Entry& entry : scoring.entries)
      raise_to(stage_[entry.dice], worth[entry.score]);
  }
  (void)kChance;
}

// stage of fewer than five dice := mean over one die more, from four dice down to none.
template <class T>
void Turn<T>::expect() {
  const TurnTables& t = turn_tables();
  constexpr T sixth = T(1) / T(6);
  for (size_t id = kFullKept; id-- > 0;) {
    const auto& grow = t.grow[id];
    Pack<T> sum;
    for (size_t i = 0; i < Pack<T>::kParts; ++i) {
      const auto part = [&](size_t face) { return stage_[grow[face]].part[i]; };
      sum.part[i] =
          ((part(0) + part(1)) + (part(2) + part(3)) + (part(4) + part(5))) * sixth;
    }
    stage_[id] = sum;
  }
}

// stage of any dice := the best of keeping some of them. With five dice the stage held the value
// with one reroll less; since a reroll more is never worse, it may stay in the maximum, where it
// stands for the marks.
template <class T>
void Turn<T>::take_best() {
  const TurnTables& t = turn_tables();
  Pack<T>* stage = stage_.data();
  for (const auto& group : t.groups) {
    const auto* begin = t.shrink.data() + group.begin;
    const auto* end = t.shrink.data() + group.end;
    switch (group.faces) {
      case 1: best_of<T, 1>(begin, end, stage); break;
      case 2: best_of<T, 2>(begin, end, stage); break;
      case 3: best_of<T, 3>(begin, end, stage); break;
      case 4: best_of<T, 4>(begin, end, stage); break;
      default: best_of<T, 5>(begin, end, stage); break;
    }
  }
}

template <class T>
void Turn<T>::solve(const Marks<T>& marks, Pack<T>* value) {
  fill(marks);
  for (int reroll = 0; reroll < 2; ++reroll) {
    expect();
    take_best();
  }
  Pack<T> total{};
  for (const auto& [ways, ids] : turn_tables().ways) {
    std::array<Pack<T>, 2> sum{};
    for (size_t i = 0; i < ids.size(); ++i) add(sum[i & 1U], stage_[ids[i]]);
    add(sum[0], sum[1]);
    const T weight = T(ways) / T(7776);
    for (size_t i = 0; i < Pack<T>::kParts; ++i) total.part[i] += sum[0].part[i] * weight;
  }
  add(total, base_);
  *value = total;
}

template <class T>
void Turn<T>::solve_decisions(const Marks<T>& marks, int rerolls) {
  fill(marks);
  for (int left = 1; left <= rerolls; ++left) {
    expect();
    std::copy_n(stage_.begin(), kFullKept, keeps_[static_cast<size_t>(left - 1)].begin());
    if (left < rerolls) take_best();
  }
}

template class Turn<float>;
template class Turn<double>;

}  // namespace ludus::yatzy
