// Slots: many games advancing together, for self-play and the arena alike.
//
// A slot is a place where one game is being played; game g is always played in slot g mod S.
// Slots come in groups that share a batch; a group is driven by one thread at a time, different
// groups by different threads. Nothing that a group does depends on other groups or on time, so
// the games are the same for any number of lanes.
//
//   rows = collect(group, player)   walks the trees until each slot whose mover is `player` has
//                                   its leaves in the batch; plays moves whose search is finished
//   supply(group, player, ...)      answers those rows; supply_uniform() without an evaluator
//   decisions / decide              the same border for players without a tree
//
// With P players that search, P neighbouring slots share a row: a pair of games with seats
// exchanged fills the row of one network while it leaves that of the other.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/errors.h"
#include "games/game.h"
#include "play/records.h"
#include "search/tree.h"

namespace ludus {

struct PlayerSettings {
  enum class Kind : uint8_t { search, external, random } kind = Kind::search;
  SearchSettings search;
};

// The arrays that a group's batch for one player lives in; the caller keeps them alive. With none
// nothing is encoded or listed, and only supply_uniform() answers.
struct BatchArrays {
  float* observations = nullptr;  // [rows, observation_size]; null: not wanted
  int32_t* seats = nullptr;       // [rows]
  int32_t* legal = nullptr;       // [legal_capacity], row * num_actions + action; spare is 0
  int32_t* offsets = nullptr;     // [rows + 1] into legal
  int32_t* players = nullptr;     // [rows], seats in play, 0 in a row without a leaf; null: not
                                  // wanted
  // Of players whose search asks for beliefs; the answers are there when supply() is called.
  uint8_t* wanted = nullptr;       // [rows], 1 where a belief is wanted
  const float* beliefs = nullptr;  // [rows, belief_size], read in those rows
};

struct ScheduledGame {
  int64_t game_id;
  uint64_t seed;
  std::array<int8_t, kMaxSeats> seat_players;
  int32_t opening = -1;  // number of the line that it begins with; none
};

// A finished decision for the log of sampled roots; fast searches are not sampled.
struct RootSample {
  int64_t game_id = -1;
  int ply = 0;
  int seat = 0;
  int chosen = 0;  // index into the vectors below
  float value = 0.0F;
  float temperature = 0.0F;
  std::vector<uint16_t> actions;
  std::vector<int> visits;
  std::vector<float> q, prior, noised, policy;
};

class Slots {
 public:
  Slots(std::shared_ptr<const Game> game, int slots, int group_size, uint64_t seed,
        std::vector<PlayerSettings> players, bool record);

  const Game& game() const { return *game_; }
  int groups() const { return static_cast<int>(groups_.size()); }
  int rows() const { return rows_; }
  int legal_capacity() const { return rows_ * game_->info().max_legal; }
  int players() const { return static_cast<int>(players_.size()); }
  // Numbers of a belief that the player's search asks for at its decisions; 0 if it does not.
  int belief_size(int player) const;

  // Lines that games may begin with: nobody is asked for their actions, which are forced. Throws
  // InputError for one that the rules refuse, and for games whose lines have chance in them.
  void set_openings(std::vector<std::vector<uint16_t>> lines);
  void schedule(const ScheduledGame& game);
  void bind(int group, int player, const BatchArrays& arrays);
  int collect(int group, int player);
  void supply(int group, int player, const float* logits, const float* values);
  // Every legal action alike, every position even.
  void supply_uniform(int group, int player);

  // With hidden information `state` is a world of the seat to move, never the real position.
  struct Decision {
    int slot;
    const std::byte* state;  // until the next call for this group
    uint64_t key;            // random seed of this decision
  };
  void decisions(int group, int player, std::vector<Decision>& out);
  void decide(int group, int player, int slot, int action);

  bool busy(int group) const;
  Records finished();
  Records in_flight() const;
  // Goes on with games that were in flight; they must be scheduled and not begun.
  void restore(const Records& records);
  std::vector<RootSample> sample_roots() const;

  // Seconds in passes over whole groups, summed over the threads that drove them.
  struct Passes {
    double tree = 0.0;    // selection, moves played, priors of nodes that are opened
    double encode = 0.0;  // observations and lists of legal actions
    double expand = 0.0;  // taking answers: checking, storing, backing up
  };
  struct Counters {
    TreeCounters tree;
    uint64_t decisions = 0, searched = 0, capped = 0, forced = 0, random = 0, external = 0,
             games = 0;
    uint64_t rows = 0, batches = 0;
    uint64_t failed = 0;  // games that their own rules ended: see failures()
    Passes passes;
  };
  Counters counters() const;

  // A game whose rules, written by its user, raised or broke their word. It has ended without a
  // record; its slot goes on with the next one, and no other game has noticed.
  struct Failure {
    int64_t game_id;
    std::string sentence;
  };
  // The last few of every group, at most kFailuresKept in all, by game.
  std::vector<Failure> failures() const;
  static constexpr size_t kFailuresKept = 16;

  // Drives everything with supply_uniform() on this thread, for at least `simulations` or until the
  // games end. Unbinds the arrays of all players.
  void run_uniform(uint64_t simulations);

 private:
  enum class Turn : uint8_t { idle, search, external };
  struct alignas(64) Slot {
    // What every simulation needs comes first: this line and the beginning of the tree.
    static constexpr size_t kHotBytes = 384;
    explicit Slot(const Game& game) : tree(game) {}
    int ply = 0;
    int player = 0;
    Turn turn = Turn::idle;
    bool playing = false;
    bool keep_tree = false;
    Tree tree;
    StateBytes state;
    Records record;
    std::deque<ScheduledGame> queue;
    ScheduledGame game{};
  };
  struct Leaf {
    int slot = -1;  // within its group; none: the row is empty
    NodeId node = kNoNode;
  };
  struct Group {
    Group() = default;
    Group(Group&&) noexcept = default;  // a group never copies: its trees cannot
    std::vector<Slot> slots;
    std::vector<Leaf> leaves;                // by row of the open batch
    std::vector<BatchArrays> batches;        // by player
    std::vector<char> bound;                 // by player: whether `batches` was set
    std::vector<uint16_t> listed;            // room for the legal actions of a batch
    std::vector<std::vector<char>> written;  // by player: rows that hold an observation
    std::vector<int> legal_used;             // by player: entries of `legal` in use
    int open = -1;                           // player whose rows wait for supply()
    Records finished;
    Counters counters;
    RootSample sample;
    std::vector<StateBytes> shown;  // worlds that outside players decide on
    std::deque<Failure> failures;
  };

  Group& group_at(int group);
  void check_player(int player) const;
  void begin_game(Slot& slot);
  void note_empty_seats(Slot& slot) const;
  void end_game(Group& group, Slot& slot);
  void settle(Group& group, Slot& slot);
  void go_on(Group& group, Slot& slot);
  void fail(Group& group, Slot& slot, const GameFault& fault);
  void sweep();
  void play_random(Group& group, Slot& slot);
  bool play_opening(Group& group, Slot& slot);
  void finish_search(Group& group, Slot& slot);
  void record_search(Slot& slot);
  void play(Group& group, Slot& slot, int action, uint8_t flags);
  void walk(Group& group, int player);
  bool fill(Group& group, Slot& slot, int player, int first_row);
  int take_leaves(Group& group, Slot& slot, int player, int first_row);
  void encode(Group& group, int player, int& at);
  void free_rows(Group& group, int slot);
  Group& answered(int group, int player);
  template <class Answer>
  void answer(Group& group, Answer&& one);
  void keep_sample(Group& group, const Slot& slot, int edge);

  std::shared_ptr<const Game> game_;
  const GameInfo& info_;
  uint64_t seed_;
  std::vector<std::vector<uint16_t>> openings_;
  std::vector<PlayerSettings> players_;
  bool record_;
  int group_size_;
  int share_ = 1;     // slots that share a row
  int inflight_ = 1;  // rows of a slot
  int rows_ = 0;
  std::vector<Group> groups_;
};

}  // namespace ludus
