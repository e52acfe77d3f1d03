// Game records in columns: the durable truth of games.
//
// Three levels of rows: games; plies (game g owns the next plies[g] rows); edges, one for each
// search action of a searched ply (ply p owns the next edges[p] rows).
#pragma once

#include <cstdint>
#include <vector>

#include "games/game.h"

namespace ludus {

enum PlyFlag : uint8_t { kSearched = 1, kForced = 2, kCapped = 4, kFallback = 8 };

struct Records {
  // games
  std::vector<int64_t> game_id;
  std::vector<uint64_t> seed;  // of the episode: its chance events follow from it
  std::vector<int32_t> plies;
  std::vector<int32_t> opening;      // outcome of the first chance event, -1 none
  std::vector<float> returns;        // [games, seats]; 0 while the game goes on
  std::vector<float> scores;         // [games, seats]
  std::vector<int8_t> seat_players;  // [games, seats]; -1: not in play
  // plies
  std::vector<uint16_t> action;
  std::vector<uint8_t> seat;
  std::vector<uint8_t> kind;          // decision kind
  std::vector<int32_t> outcome;       // of the chance event after the action, -1 none
  std::vector<uint8_t> flags;         // PlyFlag
  std::vector<uint8_t> rule;          // Rule, none without a search
  std::vector<uint16_t> temperature;  // half
  std::vector<uint16_t> simulations;  // budget
  std::vector<uint16_t> root_value;   // half, mean value for the mover
  std::vector<uint16_t> q_variance;   // half
  std::vector<uint16_t> edges;        // rows of the edge columns, 0 without a search
  // edges: action i is the i-th search action of the position
  std::vector<uint16_t> visits;
  std::vector<uint16_t> q;      // half, mover's view
  std::vector<uint16_t> prior;  // half, clean

  size_t games() const { return game_id.size(); }
  // Calls f(name, column, row level, columns a row); level 0 games, 1 plies, 2 edges; the number
  // of columns is num_seats for per-seat columns and 1 otherwise.
  template <class Self, class F>
  static void visit(Self& self, int num_seats, F&& f) {
    f("game_id", self.game_id, 0, 1);
    f("seed", self.seed, 0, 1);
    f("plies", self.plies, 0, 1);
    f("opening", self.opening, 0, 1);
    f("returns", self.returns, 0, num_seats);
    f("scores", self.scores, 0, num_seats);
    f("seat_players", self.seat_players, 0, num_seats);
    f("action", self.action, 1, 1);
    f("seat", self.seat, 1, 1);
    f("kind", self.kind, 1, 1);
    f("outcome", self.outcome, 1, 1);
    f("flags", self.flags, 1, 1);
    f("rule", self.rule, 1, 1);
    f("temperature", self.temperature, 1, 1);
    f("simulations", self.simulations, 1, 1);
    f("root_value", self.root_value, 1, 1);
    f("q_variance", self.q_variance, 1, 1);
    f("edges", self.edges, 1, 1);
    f("visits", self.visits, 2, 1);
    f("q", self.q, 2, 1);
    f("prior", self.prior, 2, 1);
  }
  void clear();
  void reserve_game(const GameInfo& info);
  // Appends games [begin, end) of `from`, whose ply and edge rows start at the given offsets.
  void append(const Records& from, int num_seats, size_t game, size_t ply_begin, size_t edge_begin);
  // All games in ascending order of id.
  Records sorted(int num_seats) const;
  // First ply row of each game and first edge row of each ply, with the ends behind.
  std::vector<size_t> ply_offsets() const;
  std::vector<size_t> edge_offsets() const;
  // Throws InputError naming the column whose length contradicts the others.
  void validate(const GameInfo& info) const;
};

}  // namespace ludus
