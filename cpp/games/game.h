// What a game is.
//
// Rules are a stateless object; a position is a plain value of `info().state_size` bytes that
// copies by memcpy and that nobody owns. The search and the slots see positions only through this
// interface ("erased state"): a virtual call costs about 5 % against a template and keeps one tree
// for every game.
//
// Between two decisions lies at most one chance event; a game with several merges them.
//
// A chance event lists its outcomes with their probabilities, or only samples (the deal of a card
// game). Behind a sampled event lies a new stage: a part of the game with a result of its own
// (a round of cards), beyond which nobody plans; the search ends there as at the end of the game.
//
// Where seats hold hidden information, a position can sample a *world*: a position that a seat
// cannot tell from this one. All that seats do is seen by everybody.
//
// Rules that their user wrote in Python hide behind the same interface: there the bytes name an
// entry of a pool that the rules' object keeps, and the object must be told at times which
// positions are still wanted. Compiled rules need none of that and inherit the empty defaults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"

namespace ludus {

enum class NodeKind : uint8_t { decision = 0, chance = 1, terminal = 2 };

// Facts that never change during a game.
struct GameInfo {
  std::string name;
  int num_seats = 2;                        // most seats of any game, see Game::players
  int num_actions = 0;                      // actions are integers in [0, num_actions)
  int max_legal = 0;                        // most search actions of any position
  int max_plies = 0;                        // longest game, in decisions
  int max_outcomes = 0;                     // most outcomes of one chance event, 0 without chance
  int state_size = 0;                       // bytes of a position, at most kMaxState
  int observation_size = 0;                 // floats of an observation, the product of its shape
  std::vector<int> observation_shape;       // planes, rows, columns on a board; {size} elsewhere
  std::vector<std::string> decision_kinds;  // names of the values of decision_kind()
  std::string rules_id;
  std::string encoder_id;
  std::string action_space_id;
  bool has_chance = false;
  bool has_hidden = false;
  bool sampled_chance = false;  // outcomes are in [0, max_outcomes) and cannot be listed
  int hidden_things = 0;        // things whose holder a seat may not know, at most kMaxHidden
  // In perft, a game that ended above the depth is one leaf (as the counts published for Othello
  // have it), or none (as those for chess have it).
  bool ended_are_leaves = false;
  bool interpreted = false;   // rules in Python: asked with the interpreter held, by one thread
  float margin_scale = 1.0F;  // points; margins are tanh(difference / scale)
};

inline constexpr int kMaxState = 192;
inline constexpr int kMaxSeats = 8;

// A hidden thing (a card) has one of so many holders: the other seats, counted from the one that
// wonders to the left, and last nobody (what was not dealt). Beliefs are rows of
// hidden_things * kHolders numbers.
inline constexpr int kHolders = kMaxSeats;
inline constexpr int kMaxHidden = 64;
inline constexpr uint8_t kNotHidden = 255;  // the seat knows where the thing is

// Room for any position, for those who keep one.
struct alignas(8) StateBytes {
  std::byte bytes[kMaxState];
};

class Game {
 public:
  virtual ~Game() = default;
  virtual const GameInfo& info() const = 0;

  // The position before the first event.
  virtual void initial(void* state) const = 0;
  // Throws InputError for bytes that are no position of this game.
  virtual void validate(const void* state) const = 0;
  virtual NodeKind kind(const void* state) const = 0;
  // Seats in play, the first of num_seats, the same from the first event of a game to its end.
  virtual int players(const void* /*state*/) const { return info().num_seats; }
  // Seat to move at a decision, and the seat whose event it is at a chance event.
  virtual int seat(const void* state) const = 0;
  // Index into info().decision_kinds, at a decision.
  virtual int decision_kind(const void* state) const = 0;

  // All legal actions, ascending; at most num_actions. Returns their number.
  virtual int legal(const void* state, int32_t* out) const = 0;
  // The subset that search and targets use, one action for each distinct effect, ascending; at
  // most max_legal.
  virtual int search_actions(const void* state, uint16_t* out) const = 0;
  // The search action with the same effect as a legal action.
  virtual int canonical(const void* state, int action) const = 0;
  // Plays a legal action; legality is the caller's business (see is_legal).
  virtual void apply(void* state, int action) const = 0;
  virtual bool is_legal(const void* state, int action) const = 0;

  // At a chance event: outcome ids and probabilities; returns their number. Of sampled chance: 0.
  virtual int outcomes(const void* state, int32_t* ids, double* probabilities) const = 0;
  virtual void apply_outcome(void* state, int outcome) const = 0;
  // Whether an outcome can happen at this chance event.
  virtual bool is_outcome(const void* /*state*/, int outcome) const {
    return outcome >= 0 && outcome < info().max_outcomes;
  }
  // The outcome at quantile u in [0, 1): the inverse of the cumulative distribution. Not of sampled
  // chance.
  virtual int outcome_at(const void* state, double u) const = 0;
  // The outcome of this event in the episode with that seed: event-keyed, so it does not depend
  // on the path that led here.
  virtual int draw(const void* state, uint64_t episode_seed) const = 0;

  // At the end: +1, 0, -1 for two seats (in [-1, 1] in general), by seat.
  virtual void returns(const void* state, float* by_seat) const = 0;
  // At the end: tanh((own points - best other's) / margin_scale), by seat.
  virtual void margins(const void* state, float* by_seat) const = 0;
  // What the stage that has just ended brought, by seat in [-1, 1]: at a sampled chance event and
  // at the end. This is what search and networks value; a game of one stage has its returns.
  virtual void stage_returns(const void* state, float* by_seat) const { returns(state, by_seat); }
  virtual void stage_margins(const void* state, float* by_seat) const { margins(state, by_seat); }
  // Points so far, by seat.
  virtual void scores(const void* state, float* by_seat) const = 0;
  // What `seat` can see, observation_size floats.
  virtual void observe(const void* state, int seat, float* out) const = 0;
  // What `seat` would see if nothing were hidden, as large as an observation. Only of positions
  // that a search has imagined, and to learn what they are worth; never of what somebody has to
  // decide.
  virtual void observe_open(const void* state, int seat, float* out) const {
    observe(state, seat, out);
  }
  // Another position that `seat` cannot tell from this one, drawn uniformly from all deals that it
  // thinks possible by the rules alone, into `world`. Returns the draws that were thrown away on
  // the way (0 where every draw is good). Only of games with hidden information.
  virtual int sample_world(const void* /*state*/, int /*seat*/, Stream& /*stream*/,
                           void* /*world*/) const {
    return 0;
  }
  // The logarithm of how likely a world is to `seat` by what the others chose to do, up to a
  // constant; 0 where nothing is known of that.
  virtual double world_evidence(const void* /*world*/, int /*seat*/) const { return 0.0; }
  // Of each of the hidden_things the one who holds it here, from the view of `seat`, or kNotHidden.
  virtual void holders(const void* /*state*/, int /*seat*/, uint8_t* /*by_thing*/) const {}
  // What `seat` knows of that: of each thing the holders that are possible, as bits (0: not
  // hidden), and of each of the kHolders holders how many hidden things are with it.
  virtual void possible_holders(const void* /*state*/, int /*seat*/, uint8_t* /*by_thing*/,
                                uint8_t* /*by_holder*/) const {}
  // A hash of what `seat` alone knows: positions with the same public history look the same to it
  // if and only if these are equal.
  virtual uint64_t private_key(const void* /*state*/, int /*seat*/) const { return 0; }
  // A hash of the whole position.
  virtual uint64_t key(const void* state) const = 0;

  // What perft() gives, for rules that know a faster way than a walk over this interface.
  virtual std::optional<uint64_t> count_leaves(const void* /*state*/, int /*depth*/) const {
    return std::nullopt;
  }

  // The position in bytes that outlive it, and back; adopt() throws InputError for bytes that are
  // no position of this game.
  virtual void pack(const void* state, void* packed) const {
    std::memcpy(packed, state, static_cast<size_t>(info().state_size));
  }
  virtual void adopt(const void* packed, void* state) const {
    std::memcpy(state, packed, static_cast<size_t>(info().state_size));
    validate(state);
  }

  // For rules that keep positions in a pool. The same rules with an empty pool, for somebody who
  // will make many positions and then forget them; null where positions are plain values.
  virtual std::shared_ptr<const Game> with_own_pool() const { return nullptr; }
  // Keeps a position until the answer is dropped.
  virtual std::shared_ptr<const void> hold(const void*) const { return nullptr; }
  // Whether it is time to say what is still wanted. keep_only() forgets all positions but those,
  // the held ones, and the ways from the start to them.
  virtual bool crowded() const { return false; }
  virtual void keep_only(const std::vector<const void*>&) const {}
};

// The object by which somebody asks the game's rules who makes and forgets positions by himself.
inline std::shared_ptr<const Game> fresh(const std::shared_ptr<const Game>& game) {
  auto own = game->with_own_pool();
  return own ? own : game;
}

// The games of the house, by name, with options where a game has them: `blob:players=5,cards=7`.
// Throws InputError for an unknown one.
std::vector<std::string> game_names();
std::shared_ptr<const Game> find_game(const std::string& spec);

// Leaves at the given depth; decisions and chance outcomes are plies, a pass is a decision. A game
// that keeps positions in a pool forgets all others on the way: give it a fresh one.
// `bulk`: the game may count in its own way where it has one.
uint64_t perft(const Game& game, const void* state, int depth, bool bulk = true);

}  // namespace ludus
