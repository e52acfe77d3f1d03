// A game in plain Python under the interface of the compiled ones.
//
// A position is 8 bytes {pool, entry}. The pool keeps what Python said when the position was new
// and where each action or outcome leads, so a walk down a known way never calls Python.
//
// Positions are identified by the way that led to them: packed, a position is a hash of its actions
// and outcomes from the start, the same in every pool and after every sweep.
//
// Everything runs with the interpreter held. That alone keeps nobody out (Python lets other
// threads run while it interprets), so a pool has a lock, which `Access` takes for a whole call.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "bindings/python_rules.h"
#include "games/game.h"

namespace ludus {

class PythonGame final : public Game, public std::enable_shared_from_this<PythonGame> {
 public:
  struct Shared;  // what all pools of the same rules have in common

  explicit PythonGame(std::shared_ptr<Shared> shared);
  static std::shared_ptr<const PythonGame> make(nb::object game, const nb::dict& facts);
  ~PythonGame() override;

  const GameInfo& info() const override;
  void initial(void* state) const override;
  void validate(const void* state) const override { (void)entry(state); }
  NodeKind kind(const void* state) const override { return entry(state).sight.kind; }
  int seat(const void* state) const override { return entry(state).sight.seat; }
  int decision_kind(const void*) const override { return 0; }
  int legal(const void* state, int32_t* out) const override;
  int search_actions(const void* state, uint16_t* out) const override;
  int canonical(const void*, int action) const override { return action; }
  void apply(void* state, int action) const override { step(state, action); }
  bool is_legal(const void* state, int action) const override;
  int outcomes(const void* state, int32_t* ids, double* probabilities) const override;
  void apply_outcome(void* state, int outcome) const override { step(state, outcome); }
  int outcome_at(const void* state, double u) const override;
  int draw(const void* state, uint64_t episode_seed) const override;
  void returns(const void* state, float* by_seat) const override;
  void margins(const void* state, float* by_seat) const override;
  void scores(const void* state, float* by_seat) const override;
  void observe(const void* state, int seat, float* out) const override;
  uint64_t key(const void* state) const override { return entry(state).key; }
  void pack(const void* state, void* packed) const override;
  void adopt(const void* packed, void* state) const override;
  std::shared_ptr<const Game> with_own_pool() const override;
  std::shared_ptr<const void> hold(const void* state) const override;
  bool crowded() const override;
  void keep_only(const std::vector<const void*>& wanted) const override;

  // The user's state object of a position, and the actions and outcomes that led there: each is
  // (is it an outcome, its number).
  nb::object own(const void* state) const { return entry(state).sight.state; }
  std::vector<std::pair<bool, int>> way(const void* state) const;
  // A position of another pool of the same rules, as one of this pool.
  void import(const PythonGame& from, const void* theirs, void* ours) const;

  // Positions in this pool now, and how often Python made a new one since it began.
  uint64_t positions() const { return size_ - free_.size(); }
  uint64_t made() const { return made_; }

  // One thread at a time in a pool, the same one as often as it likes. enter() lets the
  // interpreter go while it waits.
  void enter() const;
  void leave() const;

 private:
  static constexpr uint32_t kNone = 0xFFFFFFFFU;
  static constexpr uint32_t kBlock = 1024;

  struct Handle {
    uint32_t pool;
    uint32_t entry;
  };
  struct Entry {
    Sight sight;
    std::vector<uint32_t> next;  // by step: where it leads, kNone until somebody went there
    std::vector<float> seen;     // what the seat to move sees, once it was asked for
    uint64_t key = 0;            // hash of the way from the start
    uint32_t parent = kNone;
    uint32_t plies = 0;   // decisions before it
    uint32_t events = 0;  // chance events before it
    uint32_t holds = 0;
    uint16_t step = 0;  // of the parent
    bool packed = false;
    bool wanted = false;
  };
  struct Hold;

  Entry& at(uint32_t index) const { return blocks_[index / kBlock][index % kBlock]; }
  uint32_t index(const void* state) const;
  Entry& entry(const void* state) const { return at(index(state)); }
  void point(void* state, uint32_t index) const;
  int find(const Entry& from, int step) const;
  uint32_t origin() const;
  uint32_t add(Sight&& sight, uint32_t parent, int place) const;
  void step(void* state, int step) const;
  void want(uint32_t index) const;
  void unlist(Entry& entry, uint32_t index) const;

  std::shared_ptr<Shared> shared_;
  uint32_t pool_;
  // The pool is a memory of answers: filling it changes nothing that anybody can see.
  mutable std::vector<std::unique_ptr<Entry[]>> blocks_;
  mutable std::vector<uint32_t> free_;
  mutable uint32_t size_ = 0;  // entries ever made, free ones included
  mutable uint32_t origin_ = kNone;
  mutable uint64_t made_ = 0;
  mutable uint64_t born_ = 0;  // since the last sweep
  mutable uint64_t kept_ = 0;  // by the last sweep
  mutable std::recursive_mutex lock_;
  mutable int depth_ = 0;
};

// Null for a compiled game.
inline const PythonGame* python_game(const Game& game) {
  return game.info().interpreted ? static_cast<const PythonGame*>(&game) : nullptr;
}

// For as long as somebody asks a game: with compiled rules the interpreter is free meanwhile; rules
// in Python need it, and their pool has room for one thread at a time.
class Access {
 public:
  enum class Call : uint8_t { lengthy, brief };  // a brief one never lets the interpreter go
  explicit Access(const Game& game, Call call = Call::lengthy);
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

 private:
  const PythonGame* own_;
  PyThreadState* saved_ = nullptr;
};

}  // namespace ludus
