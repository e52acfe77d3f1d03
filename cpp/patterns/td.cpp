#include "patterns/td.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>
#include <tuple>
#include <utility>

#include "base/errors.h"

namespace ludus::patterns {
namespace {

constexpr float kLimit = 127.0F;           // discs; what 16 bits can hold, less a margin
constexpr size_t kLongestStart = 1 << 17;  // steps after which Adam's start is corrected no more
constexpr size_t kMostRepairs = 100;
constexpr size_t kAhead = 12;  // entries that are fetched before they are needed

void require(bool holds, const char* name, float value, const char* range) {
  if (!holds)
    throw InputError(std::string("Setting '") + name + "' is " + std::to_string(value) +
                     "; it must be " + range + ".");
}

uint16_t rounded(float weight) {
  // Positive, so that cutting off rounds down.
  return static_cast<uint16_t>(static_cast<int>(weight * kDisc + (kNeutral + 0.5F)));
}

}  // namespace

void check(const TdSettings& s) {
  require(s.lambda >= 0.0F && s.lambda <= 1.0F, "lambda", s.lambda, "from 0 to 1");
  require(s.clip > 0.0F && s.clip <= 128.0F, "clip", s.clip, "above 0 and at most 128 discs");
  require(s.beta1 >= 0.0F && s.beta1 < 1.0F, "beta1", s.beta1, "at least 0 and below 1");
  require(s.beta2 >= 0.0F && s.beta2 < 1.0F, "beta2", s.beta2, "at least 0 and below 1");
  require(s.epsilon > 0.0F && s.epsilon <= 1.0F, "epsilon", s.epsilon, "above 0 and at most 1");
}

void TdFigures::operator+=(const TdFigures& other) {
  steps += other.steps;
  error += other.error;
  error_squares += other.error_squares;
  value += other.value;
  squares += other.squares;
  lowest = std::min(lowest, other.lowest);
  highest = std::max(highest, other.highest);
}

TdFigures find_errors(GameBatch& batch, size_t g, const TdSettings& settings) {
  TdFigures figures;
  const PlayedGame& game = batch.game(g);
  float target = 0.0F;  // G of the step after
  for (int move = game.moves - 1; move >= game.first; --move) {
    Step& step = batch.step(g, move);
    if (move == game.moves - 1) {
      target = static_cast<float>(step.seat == 0 ? game.score : -game.score);
    } else {
      const Step& next = batch.step(g, move + 1);
      if (settings.cut && !next.greedy)
        target = next.best;
      else
        target = (1.0F - settings.lambda) * next.best + settings.lambda * target;
      if (next.seat != step.seat) target = -target;
    }
    if (!step.learns) continue;
    step.error = std::clamp(target - step.value, -settings.clip, settings.clip);
    const float black = step.seat == 0 ? step.value : -step.value;
    ++figures.steps;
    figures.error += std::abs(step.error);
    figures.error_squares += static_cast<double>(step.error) * step.error;
    figures.value += black;
    figures.squares += static_cast<double>(black) * black;
    figures.lowest = std::min(figures.lowest, black);
    figures.highest = std::max(figures.highest, black);
  }
  return figures;
}

TdWeights::TdWeights(std::shared_ptr<const PatternSet> set, const TdSettings& settings)
    : settings_(settings), tables_(std::make_shared<PatternTables>(std::move(set))) {
  check(settings_);
  const PatternSet& patterns = tables_->set();
  entries_.resize(size_t{kStages} * patterns.slots());
  updates_.resize(entries_.size());
  visited_.resize(size_t{kStages} * patterns.patterns().size());
  // sqrt(1 - beta2^n) / (1 - beta1^n), by multiplication: pow differs between libraries.
  double power1 = 1.0;
  double power2 = 1.0;
  correction_.push_back(0.0F);
  do {
    power1 *= static_cast<double>(settings_.beta1);
    power2 *= static_cast<double>(settings_.beta2);
    correction_.push_back(static_cast<float>(std::sqrt(1.0 - power2) / (1.0 - power1)));
  } while (correction_.back() != 1.0F && correction_.size() < kLongestStart);
}

void TdWeights::sort(const GameBatch& batch, size_t games) {
  for (auto& rows : rows_) rows.clear();
  for (size_t g = 0; g < games; ++g)
    for (int move = batch.game(g).first; move < batch.game(g).moves; ++move) {
      const size_t row = batch.row(g, move);
      const Step& step = batch.step_at(row);
      if (step.learns) rows_[step.stage].push_back(static_cast<uint32_t>(row));
    }
}

void TdWeights::prepare(size_t parts) {
  size_t most = 0;
  for (const Pattern& pattern : set().patterns()) most = std::max<size_t>(most, pattern.slots);
  while (scratch_.size() < parts) {
    Scratch& scratch = scratch_.emplace_back();
    scratch.visits.resize(most);
    scratch.touched.resize(most + 1);  // update() allocates nothing
    scratch.repairs.reserve(kMostRepairs);
  }
}

void TdWeights::update(const GameBatch& batch, float rate, size_t part, size_t parts) {
  const size_t patterns = set().patterns().size();
  for (size_t stage = 0; stage < kStages; ++stage)
    for (size_t pattern = 0; pattern < patterns; ++pattern)
      if (table(pattern, stage) % parts == part && !rows_[stage].empty())
        learn(batch, rate, pattern, stage, scratch_[part]);
}

void TdWeights::learn(const GameBatch& batch, float rate, size_t id, size_t stage,
                      Scratch& scratch) {
  const Pattern& pattern = set().patterns()[id];
  const size_t touched = collect(batch, pattern, stage, scratch);
  const size_t first = stage * set().slots() + pattern.first_slot;
  const auto order = static_cast<size_t>(pattern.order);
  uint16_t* weights = tables_->all().data() + stage * set().entries() + pattern.first_entry;
  for (size_t i = 0; i < touched; ++i) {
    if (i + kAhead < touched) {  // all tables together are far larger than a cache
      const size_t soon = scratch.touched[i + kAhead];
      __builtin_prefetch(&entries_[first + soon], 1);
      __builtin_prefetch(&updates_[first + soon], 1);
      for (size_t k = 0; k < order; ++k)
        __builtin_prefetch(weights + pattern.members[soon * order + k], 1);
    }
    const size_t slot = scratch.touched[i];
    Visits& visits = scratch.visits[slot];
    TdEntry& entry = entries_[first + slot];
    uint32_t& updates = updates_[first + slot];
    if (updates == 0) {
      ++visited_[table(id, stage)];
      ++scratch.fresh;
    }
    updates += visits.count;
    step(entry, visits.sum / static_cast<float>(visits.count), rate);
    const float asked = entry.weight;
    if (!mend(entry)) note(scratch, id, stage, pattern.members[slot * order], asked);
    for (size_t k = 0; k < order; ++k)
      weights[pattern.members[slot * order + k]] = rounded(entry.weight);
    visits = {};
  }
}

// Sums the gradients of the sorted steps by slot; returns how many slots there are.
size_t TdWeights::collect(const GameBatch& batch, const Pattern& pattern, size_t stage,
                          Scratch& scratch) const {
  const int lanes = static_cast<int>(pattern.placements.size());
  const uint16_t* const slots = pattern.slot.data();
  Visits* const all = scratch.visits.data();
  uint16_t* const touched = scratch.touched.data();
  size_t count = 0;
  for (const uint32_t row : rows_[stage]) {
    const Step& step = batch.step_at(row);
    // Adam goes downhill: the gradient of the squared error, in the view that the leaf has.
    const float gradient = step.mirrored ? step.error : -step.error;
    const IndexVector& leaf = batch.leaf_at(row);
    for (int i = 0; i < lanes; ++i) {
      const uint16_t slot = slots[leaf[pattern.first_instance + i]];
      Visits& visits = all[slot];
      touched[count] = slot;
      count += visits.count++ == 0 ? 1 : 0;  // without a branch that nobody could foretell
      visits.sum += gradient;
    }
  }
  return count;
}

void TdWeights::step(TdEntry& entry, float gradient, float rate) const {
  ++entry.steps;
  const size_t n = std::min<size_t>(entry.steps, correction_.size() - 1);
  entry.first = settings_.beta1 * entry.first + (1.0F - settings_.beta1) * gradient;
  entry.second = settings_.beta2 * entry.second + (1.0F - settings_.beta2) * gradient * gradient;
  entry.weight -=
      rate * correction_[n] * entry.first / (std::sqrt(entry.second) + settings_.epsilon);
}

bool TdWeights::mend(TdEntry& entry) {
  if (std::abs(entry.weight) <= kLimit) return true;
  if (std::isfinite(entry.weight))
    entry.weight = std::copysign(kLimit, entry.weight);
  else
    entry = {};
  return false;
}

void TdWeights::note(Scratch& scratch, size_t id, size_t stage, uint32_t contents, float weight) {
  if (scratch.repairs.size() < kMostRepairs)
    scratch.repairs.push_back({static_cast<int>(id), static_cast<int>(stage), contents, weight});
}

void TdWeights::refresh() {
  prepare(1);
  const std::unique_lock lock(tables_->gate());
  for (size_t stage = 0; stage < kStages; ++stage)
    for (size_t id = 0; id < set().patterns().size(); ++id) {
      const Pattern& pattern = set().patterns()[id];
      const size_t first = stage * set().slots() + pattern.first_slot;
      const auto order = static_cast<size_t>(pattern.order);
      uint16_t* weights = tables_->all().data() + stage * set().entries() + pattern.first_entry;
      uint32_t visited = 0;
      for (size_t slot = 0; slot < pattern.slots; ++slot) {
        TdEntry& entry = entries_[first + slot];
        const float kept = entry.weight;
        if (!mend(entry)) note(scratch_[0], id, stage, pattern.members[slot * order], kept);
        for (size_t k = 0; k < order; ++k)
          weights[pattern.members[slot * order + k]] = rounded(entry.weight);
        visited += updates_[first + slot] != 0 ? 1 : 0;
      }
      visited_[table(id, stage)] = visited;
    }
}

std::array<uint64_t, 33> TdWeights::histogram() const {
  std::array<uint64_t, 33> counts{};
  for (const uint32_t updates : updates_) ++counts[static_cast<size_t>(std::bit_width(updates))];
  return counts;
}

uint64_t TdWeights::take_fresh() {
  uint64_t fresh = 0;
  for (Scratch& scratch : scratch_) fresh += std::exchange(scratch.fresh, 0);
  return fresh;
}

std::vector<TdRepair> TdWeights::repairs() {
  std::vector<TdRepair> found;
  for (Scratch& scratch : scratch_) {
    found.insert(found.end(), scratch.repairs.begin(), scratch.repairs.end());
    scratch.repairs.clear();
  }
  std::sort(found.begin(), found.end(), [](const TdRepair& a, const TdRepair& b) {
    return std::tie(a.pattern, a.stage, a.contents) < std::tie(b.pattern, b.stage, b.contents);
  });
  return found;
}

}  // namespace ludus::patterns
