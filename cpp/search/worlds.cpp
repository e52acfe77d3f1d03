// Hidden information: the worlds of a search, and nodes that several of them share.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "search/tree.h"

namespace ludus {

namespace {

// Candidates for each world, where they are chosen by weights: by evidence and by beliefs alike.
constexpr int kCandidates = 4;
constexpr int kMostCandidates = kCandidates * kMaxWorlds;

// A world weighs the product over its hidden things of what is believed of each (Solinas, Rebstock,
// Buro, "Improving search with supervised learning in trick-based card games", AAAI 2019). What a
// row lacks to be logarithms of probabilities is the same in all worlds, for they have hands of the
// same sizes.
double believed(const uint8_t* holder, int things, const float* belief) {
  double sum = 0.0;
  for (int thing = 0; thing < things; ++thing)
    if (holder[thing] != kNotHidden)
      sum += static_cast<double>(belief[thing * kHolders + holder[thing]]);
  return sum;
}

}  // namespace

// Nothing that the mover does not see gets out of `state`: sample_world() promises it, and the
// permanent tests exchange the hidden cards. Where a belief is asked for, the worlds are chosen
// when the root's answer brings it; until then the first candidate stands for them, which looks
// like all others to the mover.
void Tree::draw_worlds(const void* state) {
  num_worlds_ = std::clamp(budget_, 1, settings_->worlds);
  const bool believes = settings_->belief > 0.0F && budget_ > 0;
  const bool weighted = believes || (settings_->evidence > 0.0F && num_worlds_ > 1);
  const int each = weighted ? kCandidates : 1;
  const int candidates = each * num_worlds_;
  const int first = weighted ? num_worlds_ : 0;
  const size_t words = static_cast<size_t>(first + candidates) * state_words_;
  if (worlds_.size() < words) {
    worlds_.resize(words);
    ++counters_.growths;
  }
  const int seat = game_.seat(state);
  Stream stream(seed_, Purpose::search, game_id_, ply_, kWorldEvent);
  for (int i = first; i < first + candidates; ++i)
    counters_.rejected += static_cast<uint64_t>(game_.sample_world(state, seat, stream, world(i)));
  counters_.worlds += static_cast<uint64_t>(candidates);
  candidates_ = weighted ? candidates : 0;
  if (believes)
    copy_position(world(0), world(first));
  else if (weighted)
    choose_worlds(nullptr, stream);
  else if (below_ == Below::shared)
    find_classes();
}

// Chooses the worlds among the candidates behind them, by evidence and by a belief where there is
// one.
void Tree::choose_worlds(const float* belief, Stream& stream) {
  const int seat = game_.seat(world(num_worlds_));
  double weights[kMostCandidates];
  for (int i = 0; i < candidates_; ++i) {
    const std::byte* candidate = world(num_worlds_ + i);
    weights[i] = settings_->evidence > 0.0F ? static_cast<double>(settings_->evidence) *
                                                  game_.world_evidence(candidate, seat)
                                            : 0.0;
    if (belief == nullptr) continue;
    uint8_t holder[kMaxHidden];
    game_.holders(candidate, seat, holder);
    weights[i] +=
        static_cast<double>(settings_->belief) * believed(holder, info_.hidden_things, belief);
  }
  resample(weights, stream);
  candidates_ = 0;
  if (below_ == Below::shared) find_classes();
}

// By weights given as logarithms: systematic resampling, which takes each candidate as often as its
// share says, give or take one.
void Tree::resample(double* weights, Stream& stream) {
  const double most = *std::max_element(weights, weights + candidates_);
  for (int i = 0; i < candidates_; ++i)
    weights[i] = std::isfinite(most) ? std::exp(weights[i] - most) : 1.0;
  const double step = std::accumulate(weights, weights + candidates_, 0.0) / num_worlds_;
  int chosen[kMaxWorlds];
  double reached = weights[0];
  double wanted = stream.uniform() * step;
  for (int i = 0, at = 0; i < num_worlds_; ++i, wanted += step) {
    while (wanted >= reached && at + 1 < candidates_) reached += weights[++at];
    chosen[i] = at;
  }
  // Mixed, so that the copies of one candidate do not come one after the other.
  for (int i = num_worlds_ - 1; i > 0; --i)
    std::swap(chosen[i], chosen[stream.below(static_cast<uint32_t>(i + 1))]);
  for (int i = 0; i < num_worlds_; ++i) copy_position(world(i), world(num_worlds_ + chosen[i]));
}

void Tree::find_classes() {
  const auto seats = static_cast<size_t>(info_.num_seats);
  const auto count = static_cast<size_t>(num_worlds_);
  classes_.resize(seats * count);
  path_.resize(static_cast<size_t>(info_.max_plies) + 1);
  uint64_t keys[kMaxWorlds];
  for (size_t seat = 0; seat < seats; ++seat)
    for (size_t i = 0; i < count; ++i) {
      keys[i] = game_.private_key(world(static_cast<int>(i)), static_cast<int>(seat));
      classes_[seat * count + i] = static_cast<uint16_t>(std::find(keys, keys + i, keys[i]) - keys);
    }
}

// Where the table names the node with that public history for a class of worlds, or where it would.
size_t Tree::shared_slot(uint64_t past, int which) const {
  const uint64_t mixed = (past + static_cast<uint64_t>(which)) * 0x9E3779B97F4A7C15ULL;
  for (size_t slot = (mixed ^ (mixed >> 29)) & table_mask_;; slot = (slot + 1) & table_mask_) {
    const NodeId child = table_[slot];
    if (child == kNoNode || (at(child).outcome == which && history(child) == past)) return slot;
  }
}

// A shared node is reached in several ways, so a leaf that waits remembers the one that led to it.
void Tree::keep_path(NodeId leaf) {
  const auto words = static_cast<size_t>(path_[0]) + 1;
  const uint32_t block = take_block(words);
  std::memcpy(blocks_.word(block), path_.data(), words * sizeof(uint64_t));
  at(leaf).block = block;
}

}  // namespace ludus
