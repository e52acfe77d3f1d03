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
// Hidden information: a search draws worlds, positions that its mover cannot tell from the real
// one, and looks at nothing else. They are like outcomes of a chance event behind each root edge:
// its n-th simulation takes world n mod worlds, so sibling actions see the same worlds and root
// statistics are sums over them. Below the root either each world has nodes of its own (an ensemble
// of determinized searches; Ginsberg, "GIB", JAIR 14, 2001), or a node belongs to all worlds that
// its mover cannot tell apart there (information sets; Cowling, Powley, Whitehouse, "Information
// Set Monte Carlo Tree Search", IEEE TCIAIG 4(2), 2012, section IV-C): those with the same public
// history and the same private knowledge of that seat. Then a simulation carries the position of
// its own world along. Sampled chance is an end: nobody plans beyond the next deal.
//
// Memory: most leaves are never visited again (with dice nearly all), so a leaf is only a header,
// its position and the evaluator's logits as they came. When a simulation first goes through a
// node it is *opened*: its actions are listed, its priors computed, and visits and sums get room.
// Headers and positions have one size and stand in order of creation; logits and what open nodes
// have stand in an arena; children are found by a hash table of node numbers. Select and backup
// allocate nothing once the arena has grown to the size of a decision's search.
#pragma once

#include <cstdint>
#include <vector>

#include "base/arena.h"
#include "base/softmax.h"
#include "games/game.h"
#include "search/settings.h"

namespace ludus {

using NodeId = uint32_t;  // number of a node in its tree, from 1 in order of creation; 0 is "none"
inline constexpr NodeId kNoNode = 0;

struct TreeCounters {
  uint64_t simulations = 0;  // finished: evaluated or terminal, and backed up
  uint64_t expansions = 0;   // leaves evaluated, roots included
  uint64_t terminals = 0;    // simulations that ended at the end of the game
  uint64_t collisions = 0;   // simulations given back because their leaf was waiting
  uint64_t fallbacks = 0;    // uniform priors because of logits that are not finite
  uint64_t depth = 0;        // sum over simulations of the leaf's depth
  uint64_t opened = 0;       // nodes that a simulation went through, roots included
  uint64_t nodes = 0;
  uint64_t bytes = 0;     // in use by those nodes, the hash table included
  uint64_t growths = 0;   // times that a tree had to allocate
  uint64_t worlds = 0;    // drawn, candidates included
  uint64_t rejected = 0;  // draws of worlds that were thrown away on the way
  void add(const TreeCounters& other);
};

class Tree {
 public:
  static constexpr size_t kMaxEdges = 1024;   // most search actions: rows on the stack
  static constexpr size_t kMaxNodes = 65535;  // numbers of nodes have 16 bits in the table

  explicit Tree(const Game& game);

  // Begins a search from a decision. Random numbers come from (seed, search, game, ply). When
  // `keep` is set the tree that reroot() kept is used, if there is room for the budget beside it.
  // With hidden information the position serves to draw worlds from and for nothing else, and the
  // root's position is the first of them.
  void start(const void* state, const SearchSettings& settings, Effort effort, uint64_t seed,
             uint64_t game_id, uint32_t ply, bool keep = false);
  Effort effort() const { return {budget_, capped_}; }

  enum class Step : uint8_t {
    leaf,     // `leaf()` waits for expand()
    wait,     // nothing can be selected before a waiting leaf is expanded
    finished  // the budget is spent and backed up
  };
  // Selects until a leaf needs evaluation; terminal leaves are backed up on the way.
  Step select();
  NodeId leaf() const { return leaf_; }
  // Whether a leaf's answer should come with a belief: that of a root whose worlds wait for it.
  bool wants_belief(NodeId leaf) const { return leaf == root_ && candidates_ > 0; }
  // Writes a waiting leaf's search actions, ascending, into room for max_legal; returns their
  // number.
  int list(NodeId leaf, uint16_t* actions);
  // Answers a leaf that was listed: raw logits of its search actions, values by seat. Backs up.
  // `finite`: the caller knows that all logits are. `belief`: of a root that wants one, a row of
  // logits over the holders of each hidden thing, beside how many things each holds; null: none.
  void expand(NodeId leaf, const float* logits, const float* values, bool finite = false,
              const float* belief = nullptr);
  // Answers a leaf with equal priors and values of 0, the bits that equal logits would give.
  void expand_uniform(NodeId leaf);

  const std::byte* state(NodeId node) const {
    return reinterpret_cast<const std::byte*>(nodes_.word(place(node) + kHeaderWords));
  }
  int seat(NodeId node) const { return at(node).seat; }

  // Asks the memory for what the next select() touches first: with hundreds of trees taking turns,
  // much of a simulation's time is waiting for it.
  void prefetch() const {
    if (root_ == kNoNode) return;
    __builtin_prefetch(nodes_.word(place(root_)));
    __builtin_prefetch(nodes_.word(place(root_ + count_)), 1);
    const Node& root = at(root_);
    if (root.status != Status::open) return;
    const size_t lines = (3 * padded(root.num_edges) * sizeof(float) + 63) / 64;
    const uint64_t* words = blocks_.word(root.block);
    for (size_t line = 0; line < lines; ++line) __builtin_prefetch(words + 8 * line);
  }
  // The same for list(leaf) and expand(leaf).
  void prefetch(NodeId leaf) const { __builtin_prefetch(nodes_.word(place(leaf)), 1); }

  // The root after a search.
  NodeId root() const { return root_; }
  int root_count() const { return at(root_).num_edges; }
  const uint16_t* root_actions() const { return edges(at(root_)).actions; }
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
    for (NodeId id = 1; id <= count_; ++id) f(static_cast<const void*>(state(id)));
  }

  // Keeps the subtree below the played edge and outcome for the next start(); false if there is
  // none.
  bool reroot(int edge, int outcome);

  const TreeCounters& counters() const { return counters_; }

 private:
  enum class Status : uint8_t {
    waiting,   // for its evaluation; a waiting root has its edges already
    terminal,  // block: values by seat
    level,     // evaluated, all priors alike; no block
    judged,    // evaluated; block: logits
    open       // block: edges, see Edges
  };
  struct alignas(8) Node {
    uint16_t parent;
    uint16_t parent_edge;
    uint16_t outcome;    // which child of its edge: chance outcome, world, or class (see walk.cpp)
    uint16_t num_edges;  // once listed
    uint32_t visits;     // evaluations backed up through or at this node
    float value_sum;     // of those, for the seat to move
    uint32_t block;      // in blocks_
    uint8_t seat;
    Status status;
  };
  static_assert(sizeof(Node) == 24);

  // Where an open node's edges are: three rows of padded(count) floats, a word, the actions; in an
  // ensemble also the children. Visits are floats, so that they share lanes with the sums.
  struct Edges {
    float* visits;
    float* sums;
    float* priors;
    float* prior_visited;  // sum of the priors of edges with a simulation
    uint16_t* actions;
    // By edge the one child that it has in its world: nothing to look for in the table. Not of the
    // root, and not where a chance event is listed.
    uint16_t* children;
  };
  Edges edges(const Node& node) const {
    // Whoever may change the tree may change what its blocks hold.
    auto* row = const_cast<float*>(blocks_.floats(node.block));
    const size_t width = padded(node.num_edges);
    float* behind = row + 3 * width;
    auto* actions = reinterpret_cast<uint16_t*>(behind + 2);
    return {row,    row + width, row + 2 * width,
            behind, actions,     actions + (node.num_edges + 3) / 4 * 4};
  }
  // Whether edges below the root have a row of children.
  bool one_child() const {
    return below_ == Below::ensemble && !(info_.has_chance && !info_.sampled_chance);
  }
  size_t open_words(size_t count) const {
    return 3 * padded(count) / 2 + 1 + (one_child() ? 2 : 1) * ((count + 3) / 4);
  }
  static size_t logit_words(size_t count) { return (count + 1) / 2; }

  size_t place(NodeId id) const { return static_cast<size_t>(id) * node_words_; }
  Node& at(NodeId id) { return *reinterpret_cast<Node*>(nodes_.word(place(id))); }
  const Node& at(NodeId id) const { return *reinterpret_cast<const Node*>(nodes_.word(place(id))); }
  std::byte* position(NodeId id) {
    return reinterpret_cast<std::byte*>(nodes_.word(place(id) + kHeaderWords));
  }
  // Two words are the size of small games; memcpy of a size known at run time is a call.
  void copy_position(void* to, const void* from) const {
    if (state_words_ == 2)
      std::memcpy(to, from, 2 * sizeof(uint64_t));
    else
      std::memcpy(to, from, state_words_ * sizeof(uint64_t));
  }

  // tree.cpp: what is stored
  NodeId add_node(NodeKind kind, NodeId parent, int edge, int outcome);
  uint32_t take_block(size_t words);
  void open(NodeId id);
  void reset_table(size_t nodes);
  size_t slot_of(NodeId parent, int edge, int outcome) const;
  size_t empty_slot(NodeId parent, int edge, int outcome) const;
  // How nodes below the root are found: by the way there in the one game, in the game of each
  // world, or by what their mover can see.
  enum class Below : uint8_t { game, ensemble, shared };
  // worlds.cpp: what is drawn for a search, nodes that several worlds share
  void draw_worlds(const void* state);
  void choose_worlds(const float* belief, Stream& stream);
  void resample(double* weights, Stream& stream);
  void find_classes();
  const std::byte* world(int index) const {
    return reinterpret_cast<const std::byte*>(worlds_.data() +
                                              static_cast<size_t>(index) * state_words_);
  }
  std::byte* world(int index) {
    return reinterpret_cast<std::byte*>(worlds_.data() + static_cast<size_t>(index) * state_words_);
  }
  int class_of(int seat, int world) const {
    return classes_[static_cast<size_t>(seat * num_worlds_ + world)];
  }
  // A hash of all that happened between the root and a node.
  uint64_t& history(NodeId id) { return *nodes_.word(place(id) + kHeaderWords + state_words_); }
  uint64_t history(NodeId id) const {
    return *nodes_.word(place(id) + kHeaderWords + state_words_);
  }
  size_t shared_slot(uint64_t history, int which) const;
  void keep_path(NodeId leaf);
  // walk.cpp: one simulation
  template <Below below>
  Step walk();
  int best_edge(const Node& node, const Edges& edges, const float* prior) const;
  template <class F>
  NodeKind play_on(std::byte* state, F&& played) const;
  void give_back(NodeId leaf);
  void backup(NodeId leaf, const float* values);
  void backup(NodeId leaf, const float* values, const uint64_t* path);
  void end_simulation();
  void answer_root(const float* values, bool sound, const float* belief);
  // root.cpp
  int root_edge(const Edges& edges);
  bool level_ends() const;
  void prepare_root();
  float completed_value() const;
  void improved_logits(float* out) const;
  // Rows beside the root's edges, each padded(root_count()) wide.
  enum RootRow : uint8_t { kSquares, kScore, kGumbel, kNoised, kLogPrior, kRootRows };
  float* root_row(RootRow row) { return root_rows_.data() + row * padded(at(root_).num_edges); }
  const float* root_row(RootRow row) const {
    return root_rows_.data() + row * padded(at(root_).num_edges);
  }

  static constexpr uint32_t kHeaderWords = sizeof(Node) / sizeof(uint64_t);

  // What every simulation needs comes first.
  const Game& game_;
  const GameInfo& info_;
  const SearchSettings* settings_ = nullptr;
  Arena nodes_;   // headers with positions, number 0 unused
  Arena blocks_;  // see Status
  std::vector<uint16_t> table_;
  size_t table_mask_ = 0;
  uint32_t state_words_;
  uint32_t node_words_;
  NodeId root_ = kNoNode;
  NodeId leaf_ = kNoNode;
  uint32_t count_ = 0;  // nodes
  int budget_ = 0;
  int started_ = 0;    // simulations selected
  int finished_ = 0;   // simulations backed up
  int level_ = -1;     // visits that the halving asks for now
  float loss_ = 0.0F;  // virtual loss, 0 with one simulation in flight
  bool root_ready_ = false;
  bool noised_ = false;
  Below below_ = Below::game;
  uint64_t search_key_ = 0;
  TreeCounters counters_;
  std::vector<float> root_rows_;  // squares: sums of squared values; score: Gumbel + improved
                                  // logits at the start of this level; gumbel: times temperature
  // Hidden information.
  int num_worlds_ = 1;
  int candidates_ = 0;             // drawn, from which the worlds are still to be chosen
  std::vector<uint64_t> worlds_;   // positions, state_words_ each; candidates behind them
  std::vector<uint16_t> classes_;  // [seats, worlds]: the first world that looks the same to a seat
  std::vector<uint64_t> path_;     // of the simulation under way where nodes are shared: how many
                                   // steps, then node << 16 | edge of each
  std::vector<uint16_t> schedule_;  // visits that the i-th simulation's edge must have (halving)

  bool capped_ = false;
  bool root_fell_back_ = false;
  uint64_t seed_ = 0;
  uint64_t game_id_ = 0;
  uint32_t ply_ = 0;
  Arena spare_nodes_;
  Arena spare_blocks_;
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
