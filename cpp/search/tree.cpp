// What a tree stores: nodes, the edges of open ones, the table of children; keeping a subtree.
#include "search/tree.h"

#include <algorithm>
#include <cstring>

#include "base/errors.h"
#include "search/lanes.h"

namespace ludus {

namespace {

uint64_t child_hash(NodeId parent, int edge, int outcome) {
  const uint64_t key = (static_cast<uint64_t>(parent) << 32) ^ (static_cast<uint64_t>(edge) << 16) ^
                       static_cast<uint64_t>(outcome);
  const uint64_t mixed = key * 0x9E3779B97F4A7C15ULL;
  return mixed ^ (mixed >> 29);
}

}  // namespace

void TreeCounters::add(const TreeCounters& other) {
  simulations += other.simulations;
  expansions += other.expansions;
  terminals += other.terminals;
  collisions += other.collisions;
  fallbacks += other.fallbacks;
  depth += other.depth;
  opened += other.opened;
  nodes += other.nodes;
  bytes += other.bytes;
  growths += other.growths;
  worlds += other.worlds;
  rejected += other.rejected;
}

Tree::Tree(const Game& game)
    : game_(game),
      info_(game.info()),
      state_words_(static_cast<uint32_t>((info_.state_size + 7) / 8)),
      node_words_(kHeaderWords + state_words_ + (info_.has_hidden ? 1 : 0)) {
  const auto legal = static_cast<size_t>(info_.max_legal);
  if (legal > kMaxEdges) throw InputError("A position may have at most 1024 search actions.");
  root_rows_.resize(kRootRows * padded(legal));
}

void Tree::start(const void* state, const SearchSettings& settings, Effort effort, uint64_t seed,
                 uint64_t game_id, uint32_t ply, bool keep) {
  settings_ = &settings;
  const int budget = budget_ = effort.simulations;
  capped_ = effort.capped;
  loss_ = settings.max_inflight > 1 ? settings.virtual_loss : 0.0F;
  seed_ = seed;
  game_id_ = game_id;
  ply_ = ply;
  below_ = !info_.has_hidden           ? Below::game
           : settings.information_sets ? Below::shared
                                       : Below::ensemble;
  search_key_ = mix64(derive_seed(seed, Purpose::search, game_id) ^ ply);
  started_ = finished_ = 0;
  leaf_ = kNoNode;
  root_fell_back_ = false;
  const auto most_new = static_cast<size_t>(budget) + 2;  // a place for number 0, one for the root
  const bool kept =
      keep && root_ != kNoNode && count_ + most_new <= kMaxNodes &&
      std::memcmp(this->state(root_), state, static_cast<size_t>(info_.state_size)) == 0;
  if (!kept) {
    nodes_.clear();
    nodes_.take(node_words_);
    blocks_.clear();
    count_ = 0;
  }
  counters_.growths += nodes_.reserve(most_new * node_words_);
  if (blocks_.used() == 0) {
    // A guess that most decisions never outgrow: logits of every leaf, and some open nodes. What is
    // not used is never touched.
    const auto legal = static_cast<size_t>(info_.max_legal);
    const auto leaves = static_cast<size_t>(budget);
    const size_t guess = leaves * logit_words(legal) + (4 + leaves / 8) * open_words(legal);
    counters_.growths += blocks_.reserve(guess);
  }
  reset_table(count_ + most_new);
  if (!kept) {
    if (below_ != Below::game) {
      draw_worlds(state);
      state = world(0);
    }
    copy_position(nodes_.word(node_words_ + kHeaderWords), state);
    root_ = add_node(NodeKind::decision, kNoNode, 0, 0);
    if (below_ == Below::shared) history(root_) = 0;
    open(root_);
    at(root_).status = Status::waiting;
    root_ready_ = false;
  } else {
    for (NodeId id = root_ + 1; id <= count_; ++id) {
      const Node& node = at(id);
      table_[empty_slot(node.parent, node.parent_edge, node.outcome)] = static_cast<uint16_t>(id);
    }
    prepare_root();
  }
  if (settings.rule == Rule::gumbel)
    halving_schedule(std::min(settings.considered, root_count()), budget, schedule_);
}

// A node whose position already stands in its place, behind the last one.
NodeId Tree::add_node(NodeKind kind, NodeId parent, int edge, int outcome) {
  const NodeId id = ++count_;
  nodes_.take(node_words_);
  Node& node = at(id);
  node = Node{};
  node.parent = static_cast<uint16_t>(parent);
  node.parent_edge = static_cast<uint16_t>(edge);
  node.outcome = static_cast<uint16_t>(outcome);
  if (kind != NodeKind::decision) {  // the end, or that of a stage
    const uint32_t block = take_block(kMaxSeats / 2);
    float* values = blocks_.floats(block);
    std::fill_n(values, kMaxSeats, 0.0F);
    game_.stage_returns(state(id), values);
    if (settings_->margin_weight > 0.0F) {
      float margins[kMaxSeats];
      game_.stage_margins(state(id), margins);
      for (int seat = 0; seat < info_.num_seats; ++seat)
        values[seat] += settings_->margin_weight * (margins[seat] - values[seat]);
    }
    node.block = block;
    node.status = Status::terminal;
  } else {
    node.seat = static_cast<uint8_t>(game_.seat(state(id)));
    node.status = Status::waiting;
  }
  return id;
}

uint32_t Tree::take_block(size_t words) {
  counters_.growths += blocks_.reserve(words);
  return blocks_.take(words);
}

// Gives a node its edges: the first simulation is about to go through it.
void Tree::open(NodeId id) {
  uint16_t actions[kMaxEdges];
  Node& node = at(id);
  const int count = game_.search_actions(state(id), actions);
  const auto width = padded(static_cast<size_t>(count));
  node.num_edges = static_cast<uint16_t>(count);
  blocks_.align();
  const uint32_t logits = node.block;
  node.block = take_block(open_words(static_cast<size_t>(count)));
  const Edges edge = edges(node);
  std::fill_n(edge.visits, 2 * width, 0.0F);  // visits and sums
  *edge.prior_visited = 0.0F;
  if (node.status == Status::judged)
    softmax(blocks_.floats(logits), count, edge.priors);
  else
    std::fill_n(edge.priors, count, 1.0F / static_cast<float>(count));
  pad_priors(edge.priors, count);
  std::copy_n(actions, count, edge.actions);
  if (one_child()) std::fill_n(edge.children, count, uint16_t{0});
  node.status = Status::open;
  ++counters_.opened;
}

int Tree::list(NodeId leaf, uint16_t* actions) {
  Node& node = at(leaf);
  if (leaf == root_)
    std::copy_n(edges(node).actions, node.num_edges, actions);
  else
    node.num_edges = static_cast<uint16_t>(game_.search_actions(state(leaf), actions));
  return node.num_edges;
}

void Tree::reset_table(size_t nodes) {
  size_t size = 16;
  while (size < 2 * nodes) size *= 2;
  if (table_.size() < size) {
    table_.resize(size);
    ++counters_.growths;
  }
  std::fill_n(table_.begin(), size, uint16_t{0});
  table_mask_ = size - 1;
}

// Where the table names that child, or where it would.
size_t Tree::slot_of(NodeId parent, int edge, int outcome) const {
  for (size_t slot = child_hash(parent, edge, outcome) & table_mask_;;
       slot = (slot + 1) & table_mask_) {
    const NodeId child = table_[slot];
    if (child == kNoNode) return slot;
    const Node& node = at(child);
    if (node.parent == parent && node.parent_edge == edge && node.outcome == outcome) return slot;
  }
}

// The same for a child that is known not to be there.
size_t Tree::empty_slot(NodeId parent, int edge, int outcome) const {
  size_t slot = child_hash(parent, edge, outcome) & table_mask_;
  while (table_[slot] != kNoNode) slot = (slot + 1) & table_mask_;
  return slot;
}

bool Tree::reroot(int edge, int outcome) {
  const NodeId kept = table_[slot_of(root_, edge, outcome)];
  root_ready_ = false;
  if (kept == kNoNode || at(kept).status == Status::terminal ||
      at(kept).status == Status::waiting) {
    root_ = kNoNode;
    return false;
  }
  // Parents come before children, so one pass copies the subtree. A copied node's `visits` then
  // holds its new number, and `seat` marks it.
  constexpr uint8_t kCopied = 255;
  spare_nodes_.clear();
  spare_blocks_.clear();
  spare_nodes_.reserve((count_ + 1) * node_words_);
  spare_blocks_.reserve(blocks_.used() + Arena::kLineWords);
  spare_nodes_.take(node_words_);
  uint32_t count = 0;
  for (NodeId old = kept; old <= count_; ++old) {
    Node& node = at(old);
    if (old != kept && !(node.parent >= kept && at(node.parent).seat == kCopied)) continue;
    ++count;
    const size_t place = spare_nodes_.take(node_words_);
    std::memcpy(spare_nodes_.word(place), &node, node_words_ * sizeof(uint64_t));
    auto& copy = *reinterpret_cast<Node*>(spare_nodes_.word(place));
    copy.parent = old == kept ? uint16_t{0} : static_cast<uint16_t>(at(node.parent).visits);
    size_t words = 0;
    if (node.status == Status::open) words = open_words(node.num_edges);
    if (node.status == Status::judged) words = logit_words(node.num_edges);
    if (node.status == Status::terminal) words = kMaxSeats / 2;
    if (node.status == Status::open) spare_blocks_.align();
    copy.block = spare_blocks_.take(words);
    if (words > 0)
      std::memcpy(spare_blocks_.word(copy.block), blocks_.word(node.block),
                  words * sizeof(uint64_t));
    node.visits = count;
    node.seat = kCopied;
  }
  std::swap(nodes_, spare_nodes_);
  std::swap(blocks_, spare_blocks_);
  count_ = count;
  root_ = 1;
  if (at(root_).status != Status::open) open(root_);
  return true;
}

}  // namespace ludus
