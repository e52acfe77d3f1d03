// The one tree.
//
// Rules are parts of it: PUCT (Silver et al., Science 362, 2018, supplement "Search") below the
// root; at the root PUCT with Dirichlet noise or Gumbel with sequential halving (Danihelka et al.,
// "Policy improvement by planning with Gumbel", ICLR 2022, sections 3 and 4); first-play urgency;
// virtual loss; chance.
//
// Values are per seat: an edge sums the value of the seat that moves at its node, so any number of
// seats works and nothing is ever negated.
//
// Chance has no nodes of its own: an edge has one child for each realised outcome. The n-th
// simulation of an edge takes the outcome at quantile frac(u + n * golden ratio) of the event's
// distribution, where u is drawn once for each node from the `search` stream. So every outcome's
// visits follow its probability closely from the first simulations on (a Kronecker sequence),
// without preferring the likely ones, and sibling actions see the same quantiles. The stream of
// the game's own dice cannot be reached from here.
//
// Memory: one arena of 8-byte words a tree. A node is a header, the position, and for each legal
// search action its number (uint16) and a prior (float). Visits and value sums are added when a
// simulation first goes through the node: most leaves never need them. Children are found by a
// hash table of node ids. Select and backup allocate nothing; the arena grows, if it must, between
// simulations and keeps its size for the next decision.
#pragma once

#include <cstdint>
#include <vector>

#include "base/softmax.h"
#include "games/game.h"
#include "search/settings.h"

namespace ludus {

using NodeId = uint32_t;  // offset in words; 0 is "none"
inline constexpr NodeId kNoNode = 0;

struct TreeCounters {
  uint64_t simulations = 0;  // finished: evaluated or terminal, and backed up
  uint64_t expansions = 0;   // leaves evaluated, roots included
  uint64_t terminals = 0;    // simulations that ended at the end of the game
  uint64_t collisions = 0;   // simulations given back because their leaf was waiting
  uint64_t fallbacks = 0;    // uniform priors because of logits that are not finite
  uint64_t depth = 0;        // sum over simulations of the leaf's depth
  uint64_t nodes = 0;
  uint64_t bytes = 0;    // arena and hash table in use by those nodes
  uint64_t growths = 0;  // times that a tree had to allocate
  void add(const TreeCounters& other);
};

class Tree {
 public:
  static constexpr size_t kMaxEdges = 1024;  // most search actions: rows on the stack

  explicit Tree(const Game& game);

  // Begins a search from a decision. Random numbers come from (seed, search, game, ply). When
  // `keep` is set the tree that reroot() kept is used.
  void start(const void* state, const SearchSettings& settings, int budget, uint64_t seed,
             uint64_t game_id, uint32_t ply, bool keep = false);

  enum class Step : uint8_t {
    leaf,     // `leaf()` waits for expand()
    wait,     // nothing can be selected before a waiting leaf is expanded
    finished  // the budget is spent and backed up
  };
  // Selects until a leaf needs evaluation; terminal leaves are backed up on the way.
  Step select();
  NodeId leaf() const { return leaf_; }
  // Answers a leaf: raw logits of its search actions, values by seat. Backs up.
  void expand(NodeId leaf, const float* logits, const float* values);

  const std::byte* state(NodeId node) const;
  int seat(NodeId node) const { return at(node).seat; }
  int num_actions(NodeId node) const { return at(node).num_edges; }
  const uint16_t* actions(NodeId node) const;

  // Asks the memory for what the next select() touches first: with hundreds of trees taking turns,
  // most of a simulation's time is waiting for it.
  void prefetch() const {
    if (root_ == kNoNode) return;
    const auto* words = arena_.data() + root_;
    for (size_t line = 0; line < 8; ++line) __builtin_prefetch(words + 8 * line);
    const size_t stats = at(root_).stats;
    if (stats == 0) return;
    for (size_t line = 0; line < 4; ++line) __builtin_prefetch(arena_.data() + stats + 8 * line);
  }
  // The same for expand(leaf).
  void prefetch(NodeId leaf) const {
    for (size_t line = 0; line < 4; ++line) __builtin_prefetch(arena_.data() + leaf + 8 * line, 1);
  }

  // The root after a search.
  NodeId root() const { return root_; }
  int root_visits(int edge) const;    // simulations through the edge
  float root_q(int edge) const;       // mean value for the mover, 0 if never visited
  float root_prior(int edge) const;   // clean prior
  float root_noised(int edge) const;  // prior as used, with noise
  float root_value() const;           // mean value for the mover over all simulations
  float q_variance() const;           // pooled variance of one simulation's value within an edge
  bool root_fell_back() const { return root_fell_back_; }  // its priors are the uniform fallback
  // The training target: visit shares (PUCT) or the improved policy by completed Q (Gumbel).
  void policy(float* out) const;
  // Index of the edge to play: PUCT samples visits^(1/T), Gumbel takes the halving's winner with
  // its noise scaled by T; T = 0 is the argmax, ties to the lowest action.
  int choose() const;

  // Calls f(position) for every node.
  template <class F>
  void positions(F&& f) const {
    for (const NodeId id : nodes_) f(static_cast<const void*>(state(id)));
  }

  // Keeps the subtree below the played edge and outcome for the next start(); false if there is
  // none.
  bool reroot(int edge, int outcome);

  const TreeCounters& counters() const { return counters_; }

 private:
  struct alignas(8) Node {
    NodeId parent;
    uint16_t parent_edge;
    uint16_t outcome;     // chance outcome that led here, 0 without chance
    uint32_t visits;      // evaluations backed up through or at this node
    float value_sum;      // of those, for the seat to move
    float prior_visited;  // sum of the priors of edges with a simulation
    uint32_t stats;       // word offset of visits and sums, 0 before the first selection
    uint16_t num_edges;   // 0: terminal
    uint8_t seat;
    uint8_t waiting;  // evaluation under way
    uint32_t serial;  // number of nodes before it in this tree
  };
  static_assert(sizeof(Node) == 32);

  Node& at(NodeId id) { return *reinterpret_cast<Node*>(&arena_[id]); }
  const Node& at(NodeId id) const { return *reinterpret_cast<const Node*>(&arena_[id]); }
  float* floats(uint32_t word) { return reinterpret_cast<float*>(&arena_[word]); }
  const float* floats(uint32_t word) const { return reinterpret_cast<const float*>(&arena_[word]); }
  uint32_t actions_word(NodeId id) const { return id + kHeaderWords + state_words_; }
  uint32_t priors_word(NodeId id) const { return actions_word(id) + (at(id).num_edges + 3U) / 4; }
  float* priors(NodeId id) { return floats(priors_word(id)); }
  const float* priors(NodeId id) const { return floats(priors_word(id)); }

  // A loop over a word or a few, where memcpy of a size known at run time is a call.
  void copy_position(void* to, const void* from) const {
    auto* out = static_cast<uint64_t*>(to);
    const auto* in = static_cast<const uint64_t*>(from);
    for (uint32_t word = 0; word < state_words_; ++word) out[word] = in[word];
  }
  NodeId new_node(const void* state, NodeKind kind, NodeId parent, int edge, int outcome);
  void add_stats(NodeId id);
  void reserve(size_t words);
  void reset_table(size_t nodes);
  NodeId find_child(NodeId parent, int edge, int outcome) const;
  void insert(NodeId child);
  int best_edge(NodeId id, const float* prior) const;
  int root_edge();
  bool level_ends() const;
  void give_back(NodeId leaf);
  void backup(NodeId leaf, const float* values);
  void prepare_root();
  float completed_value() const;
  float q_weight(int visits, float variance) const;
  void improved_logits(float* out) const;

  static constexpr uint32_t kHeaderWords = sizeof(Node) / sizeof(uint64_t);
  size_t node_words(size_t edges) const {  // header, position, actions, priors
    return kHeaderWords + state_words_ + (edges + 3) / 4 + padded(edges) / 2;
  }
  size_t terminal_words() const { return kHeaderWords + state_words_ + kMaxSeats / 2; }

  const Game& game_;
  const GameInfo& info_;
  const SearchSettings* settings_ = nullptr;
  uint32_t state_words_;
  size_t worst_step_;  // words that one simulation can need at most

  std::vector<uint64_t> arena_;
  size_t used_ = 1;
  std::vector<NodeId> table_;
  size_t table_mask_ = 0;
  std::vector<NodeId> nodes_;  // in order of creation: parents before children
  std::vector<uint64_t> spare_;

  NodeId root_ = kNoNode;
  NodeId leaf_ = kNoNode;
  int budget_ = 0;
  float loss_ = 0.0F;  // virtual loss, 0 with one simulation in flight
  int started_ = 0;    // simulations selected
  int finished_ = 0;   // simulations backed up
  bool root_ready_ = false;
  bool root_fell_back_ = false;
  uint64_t search_key_ = 0;
  uint64_t seed_ = 0;
  uint64_t game_id_ = 0;
  uint32_t ply_ = 0;

  std::vector<float> noised_;       // root priors as used
  std::vector<float> squares_;      // sum of squared values by root edge
  std::vector<float> gumbel_;       // Gumbel variables times temperature, by root edge
  std::vector<float> log_prior_;    // of the root's edges, Gumbel
  std::vector<float> score_;        // Gumbel + improved logits at the start of this level
  int level_ = -1;                  // visits that the halving asks for now
  std::vector<uint16_t> schedule_;  // visits that the i-th simulation's edge must have (halving)
  TreeCounters counters_;
};

// Sequential halving as a table: entry i is how many visits the edge of simulation i has before it
// (the paper's algorithm 2; table form after DeepMind's mctx).
void halving_schedule(int considered, int budget, std::vector<uint16_t>& out);

// log(prior) + weight * shrink * (completed Q - mixed value): the improved policy's logits before
// softmax (paper, equation 11), shared by the tree and by the decoder of training rows. With
// chance each action's weight shrinks by spread^2 / (spread^2 + variance / visits).
struct ImprovedPolicy {
  float c_visit;
  float c_scale;
  float q_spread;
  bool has_chance;
  // visits, q (mover's view, [-1, 1]), prior and its logarithm of `count` actions, the node's own
  // value and the pooled variance; writes `count` logits.
  void logits(int count, const float* visits, const float* q, const float* prior,
              const float* log_prior, float node_value, float variance, float* out) const;
};

}  // namespace ludus
