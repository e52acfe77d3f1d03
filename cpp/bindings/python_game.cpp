#include "bindings/python_game.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/errors.h"

namespace ludus {

namespace {
constexpr uint64_t kSweepAt = 100'000;  // new positions before a sweep may be worth its time
constexpr size_t kMostSeen = 1024;      // floats of an observation that is remembered
}  // namespace

// `packed` finds the positions that were packed, in any pool, by their keys.
struct PythonGame::Shared {
  Shared(nb::object game, const nb::dict& facts) : rules(std::move(game), facts) {}
  PythonRules rules;
  uint32_t pools = 0;
  std::unordered_multimap<uint64_t, std::pair<const PythonGame*, uint32_t>> packed;
};

struct PythonGame::Hold {
  Hold(std::shared_ptr<const PythonGame> held, uint32_t at) : game(std::move(held)), index(at) {
    ++game->at(index).holds;
  }
  ~Hold() { --game->at(index).holds; }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  std::shared_ptr<const PythonGame> game;
  uint32_t index;
};

PythonGame::PythonGame(std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)), pool_(shared_->pools++) {}

PythonGame::~PythonGame() {
  for (uint32_t i = 0; i < size_; ++i) unlist(at(i), i);
}

std::shared_ptr<const PythonGame> PythonGame::make(nb::object game, const nb::dict& facts) {
  // A script's own class reaches, through its functions' globals, the very objects that keep it
  // here; at the end of the process that cycle is still there, and nobody's mistake.
  nb::set_leak_warnings(false);
  return std::make_shared<const PythonGame>(std::make_shared<Shared>(std::move(game), facts));
}

std::shared_ptr<const Game> PythonGame::with_own_pool() const {
  return std::make_shared<const PythonGame>(shared_);
}

const GameInfo& PythonGame::info() const { return shared_->rules.info(); }

// ---- entries -----------------------------------------------------------------------------------

uint32_t PythonGame::index(const void* state) const {
  Handle handle;
  std::memcpy(&handle, state, sizeof(handle));
  if (handle.pool != pool_ || handle.entry >= size_ || !at(handle.entry).sight.state.is_valid())
    throw InputError("This position of " + info().name + " is not in the pool that was asked.");
  return handle.entry;
}

void PythonGame::point(void* state, uint32_t index) const {
  const Handle handle{pool_, index};
  std::memcpy(state, &handle, sizeof(handle));
}

// Index of an action or outcome among the entry's steps, -1 if it is none of them.
int PythonGame::find(const Entry& from, int step) const {
  const auto& steps = from.sight.steps;
  const auto found = std::lower_bound(steps.begin(), steps.end(), step);
  return found == steps.end() || *found != step ? -1 : static_cast<int>(found - steps.begin());
}

// Nothing in here calls Python.
uint32_t PythonGame::add(Sight&& sight, uint32_t parent, int place) const {
  uint32_t index = size_;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    if (size_ % kBlock == 0) blocks_.push_back(std::make_unique<Entry[]>(kBlock));
    ++size_;
  }
  Entry& entry = at(index);
  entry.sight = std::move(sight);
  entry.next.assign(entry.sight.steps.size(), kNone);
  entry.seen.clear();
  entry.parent = parent;
  entry.plies = entry.events = entry.holds = 0;
  entry.key = mix64(0x6C75647573ULL);
  entry.packed = entry.wanted = false;
  ++born_;
  if (parent == kNone) return origin_ = index;
  Entry& from = at(parent);
  const bool event = from.sight.kind == NodeKind::chance;
  entry.step = from.sight.steps[static_cast<size_t>(place)];
  entry.plies = from.plies + (event ? 0 : 1);
  entry.events = from.events + (event ? 1 : 0);
  entry.key = mix64(from.key ^ (2ULL * entry.step + (event ? 1 : 0) + 1));
  from.next[static_cast<size_t>(place)] = index;
  return index;
}

uint32_t PythonGame::origin() const {
  if (origin_ != kNone) return origin_;
  Sight sight = shared_->rules.initial();
  ++made_;
  return origin_ != kNone ? origin_ : add(std::move(sight), kNone, 0);
}

void PythonGame::step(void* state, int step) const {
  const uint32_t from = index(state);
  const int place = find(at(from), step);
  const bool event = at(from).sight.kind == NodeKind::chance;
  if (place < 0)
    throw InputError((event ? "Outcome " : "Action ") + std::to_string(step) +
                     (event ? " cannot happen here." : " is illegal here."));
  uint32_t next = at(from).next[static_cast<size_t>(place)];
  if (next == kNone) {
    const PythonRules& rules = shared_->rules;
    const nb::object own = at(from).sight.state;
    Sight sight = event ? rules.apply_outcome(own, step) : rules.apply(own, step);
    ++made_;
    const uint32_t plies = at(from).plies + (event ? 0 : 1);
    if (sight.kind == NodeKind::decision && plies >= static_cast<uint32_t>(info().max_plies))
      rules.fault("the game goes on after " + std::to_string(info().max_plies) +
                  " decisions; max_plies says that it cannot");
    next = add(std::move(sight), from, place);
  }
  point(state, next);
}

// ---- the interface of a game -------------------------------------------------------------------

void PythonGame::initial(void* state) const { point(state, origin()); }

int PythonGame::legal(const void* state, int32_t* out) const {
  const Entry& e = entry(state);
  if (e.sight.kind != NodeKind::decision) return 0;
  std::copy(e.sight.steps.begin(), e.sight.steps.end(), out);
  return static_cast<int>(e.sight.steps.size());
}

int PythonGame::search_actions(const void* state, uint16_t* out) const {
  const Entry& e = entry(state);
  if (e.sight.kind != NodeKind::decision) return 0;
  std::copy(e.sight.steps.begin(), e.sight.steps.end(), out);
  return static_cast<int>(e.sight.steps.size());
}

bool PythonGame::is_legal(const void* state, int action) const {
  const Entry& e = entry(state);
  return e.sight.kind == NodeKind::decision && find(e, action) >= 0;
}

int PythonGame::outcomes(const void* state, int32_t* ids, double* probabilities) const {
  const Sight& sight = entry(state).sight;
  double before = 0.0;
  for (size_t i = 0; i < sight.cumulated.size(); ++i) {
    ids[i] = sight.steps[i];
    probabilities[i] = sight.cumulated[i] - before;
    before = sight.cumulated[i];
  }
  return static_cast<int>(sight.cumulated.size());
}

int PythonGame::outcome_at(const void* state, double u) const {
  const Sight& sight = entry(state).sight;
  const auto found = std::upper_bound(sight.cumulated.begin(), sight.cumulated.end(), u);
  const auto place = static_cast<size_t>(found - sight.cumulated.begin());
  return sight.steps[std::min(place, sight.steps.size() - 1)];  // rounding: u above the last sum
}

// Keyed by (episode seed, how many chance events were before): two games of the same seed meet the
// same luck in their n-th events, whatever was played.
int PythonGame::draw(const void* state, uint64_t episode_seed) const {
  Stream stream(episode_seed, Purpose::chance, 0, entry(state).events);
  return outcome_at(state, stream.uniform());
}

void PythonGame::returns(const void* state, float* by_seat) const {
  const auto& values = entry(state).sight.returns;
  std::copy(values.begin(), values.end(), by_seat);
}

void PythonGame::margins(const void* state, float* by_seat) const {
  float points[kMaxSeats];
  scores(state, points);
  const int seats = info().num_seats;
  for (int seat = 0; seat < seats; ++seat) {
    float best_other = seats == 1 ? 0.0F : -1e30F;
    for (int other = 0; other < seats; ++other)
      if (other != seat) best_other = std::max(best_other, points[other]);
    by_seat[seat] = std::tanh((points[seat] - best_other) / info().margin_scale);
  }
}

void PythonGame::scores(const void* state, float* by_seat) const {
  const nb::object own = entry(state).sight.state;
  shared_->rules.scores(own, by_seat);
}

void PythonGame::observe(const void* state, int seat, float* out) const {
  const uint32_t at_index = index(state);
  const auto width = static_cast<size_t>(info().observation_size);
  const Entry& e = at(at_index);
  const bool kept = width <= kMostSeen && seat == e.sight.seat;
  if (kept && !e.seen.empty()) {
    std::copy(e.seen.begin(), e.seen.end(), out);
    return;
  }
  const nb::object own = e.sight.state;
  shared_->rules.observe(own, seat, out);
  if (kept) at(at_index).seen.assign(out, out + width);
}

// ---- packed positions --------------------------------------------------------------------------

void PythonGame::pack(const void* state, void* packed) const {
  const uint32_t i = index(state);
  Entry& e = at(i);
  if (!e.packed) shared_->packed.emplace(e.key, std::pair(this, i));
  e.packed = true;
  std::memcpy(packed, &e.key, sizeof(e.key));
}

void PythonGame::adopt(const void* packed, void* state) const {
  uint64_t key;
  std::memcpy(&key, packed, sizeof(key));
  const auto [begin, end] = shared_->packed.equal_range(key);
  if (begin == end)
    throw InputError("These bytes name no position of " + info().name +
                     " that is still known: a packed position of a game in Python lives as long "
                     "as its State, or as the decision that it was handed out for.");
  const PythonGame* from = begin->second.first;
  const uint32_t theirs = begin->second.second;
  for (auto it = begin; it != end; ++it)
    if (it->second.first == this) return point(state, it->second.second);
  StateBytes there;
  from->point(there.bytes, theirs);
  import(*from, there.bytes, state);
}

// Walks the way from the start once more, and takes over what the other pool knows of it.
void PythonGame::import(const PythonGame& from, const void* theirs, void* ours) const {
  std::vector<uint32_t> chain;
  for (uint32_t i = from.index(theirs); i != kNone; i = from.at(i).parent) chain.push_back(i);
  auto copy = [&](uint32_t i) { return Sight(from.at(i).sight); };
  if (origin_ == kNone) add(copy(chain.back()), kNone, 0);
  uint32_t here = origin_;
  for (size_t back = chain.size() - 1; back-- > 0;) {
    const int place = find(at(here), from.at(chain[back]).step);
    if (place < 0) shared_->rules.fault("two calls of initial() gave different positions");
    const uint32_t next = at(here).next[static_cast<size_t>(place)];
    here = next != kNone ? next : add(copy(chain[back]), here, place);
  }
  point(ours, here);
}

std::vector<std::pair<bool, int>> PythonGame::way(const void* state) const {
  std::vector<std::pair<bool, int>> steps;
  for (uint32_t i = index(state); at(i).parent != kNone; i = at(i).parent)
    steps.emplace_back(at(at(i).parent).sight.kind == NodeKind::chance, at(i).step);
  std::reverse(steps.begin(), steps.end());
  return steps;
}

// ---- memory ------------------------------------------------------------------------------------

std::shared_ptr<const void> PythonGame::hold(const void* state) const {
  return std::make_shared<const Hold>(shared_from_this(), index(state));
}

// Not while this thread is inside another call of the same pool: that one's positions are unknown.
bool PythonGame::crowded() const { return depth_ <= 1 && born_ >= std::max(kSweepAt, kept_); }

// A position and all before it.
void PythonGame::want(uint32_t index) const {
  for (uint32_t i = index; i != kNone && !at(i).wanted; i = at(i).parent) at(i).wanted = true;
}

void PythonGame::unlist(Entry& entry, uint32_t index) const {
  if (!entry.packed) return;
  const auto [begin, end] = shared_->packed.equal_range(entry.key);
  for (auto it = begin; it != end; ++it)
    if (it->second == std::pair(this, index)) {
      shared_->packed.erase(it);
      break;
    }
  entry.packed = false;
}

void PythonGame::keep_only(const std::vector<const void*>& wanted) const {
  for (const void* state : wanted) want(index(state));
  if (origin_ != kNone) want(origin_);
  for (uint32_t i = 0; i < size_; ++i)
    if (at(i).holds > 0) want(i);
  std::vector<nb::object> dropped;  // let go at the end: a destructor of the user's may call back
  kept_ = 0;
  for (uint32_t i = 0; i < size_; ++i) {
    Entry& e = at(i);
    if (!e.sight.state.is_valid()) continue;
    if (!e.wanted) {
      dropped.push_back(std::move(e.sight.state));
      unlist(e, i);
      free_.push_back(i);
      continue;
    }
    ++kept_;
    for (uint32_t& next : e.next)
      if (next != kNone && !at(next).wanted) next = kNone;
  }
  for (uint32_t i = 0; i < size_; ++i) at(i).wanted = false;
  born_ = 0;
}

void PythonGame::enter() const {
  if (!lock_.try_lock()) {
    PyThreadState* const saved = PyEval_SaveThread();
    lock_.lock();
    PyEval_RestoreThread(saved);
  }
  ++depth_;
}

void PythonGame::leave() const {
  --depth_;
  lock_.unlock();
}

Access::Access(const Game& game, Call call) : own_(python_game(game)) {
  if (own_ != nullptr)
    own_->enter();
  else if (call == Call::lengthy)
    saved_ = PyEval_SaveThread();
}

Access::~Access() {
  if (own_ != nullptr) own_->leave();
  if (saved_ != nullptr) PyEval_RestoreThread(saved_);
}

}  // namespace ludus
