// The training of pattern tables by self-play, in slices.
//
// Games come in batches of a fixed size: the games of a batch are played on frozen tables, by
// several threads, and then learned, by several threads that own different tables. Batch k has
// games k * size to (k + 1) * size - 1, whatever slices the training is cut into, and the random
// numbers of a game follow from its number; so a seed gives one result, to the bit, for any number
// of threads and any interruptions. Between batches entries(), updates() and games() are the whole
// state; a batch that was begun and is lost is played again from the same keys.
//
// With a search that watches the clock nothing of this holds.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "patterns/selfplay.h"
#include "patterns/td.h"

namespace ludus::patterns {

struct LearnerSettings {
  TdSettings td;
  uint64_t seed = 1;
  int batch = 256;          // games
  int sample_every = 1000;  // games whose moves are kept: those whose number is a multiple; 0 none
};

// What may change between two calls of train().
struct TrainSettings {
  PlaySettings play;
  float rate = 0.025F;  // Adam's, in discs
  int threads = 1;
};

struct SampledGame {
  uint64_t number;
  int8_t score;                  // disc difference for black
  std::vector<uint8_t> actions;  // squares, and 64 for a pass
};

// Of the batches that one call finished.
struct TrainFigures {
  uint64_t games = 0;
  uint64_t black_wins = 0;
  uint64_t white_wins = 0;
  int64_t score = 0;  // of disc differences for black
  uint64_t moves = 0;
  TdFigures td;
  uint64_t fresh = 0;         // entries (folded) that were updated for the first time
  double play_seconds = 0.0;  // by the clock
  double learn_seconds = 0.0;
  double busy_seconds = 0.0;     // all threads' time at work, waits excluded
  std::vector<int8_t> scores;    // of each game, disc difference for black
  std::vector<uint8_t> lengths;  // of each game, discs that were put
  SearchSums search;
  std::vector<SampledGame> samples;
  std::vector<TdRepair> repairs;
};

class TdLearner {
 public:
  // Without `search` games are played with one ply of search by play_greedily.
  TdLearner(std::shared_ptr<const PatternSet> set, const LearnerSettings& settings,
            ChooserMaker search = nullptr);

  // Plays and learns until `games` games are done in all or `seconds` have passed, whichever comes
  // first, and stops only between moves or blocks of games; what a batch has played so far is kept
  // for the next call, unless settings have changed by then. Throws what a search throws: the
  // batch is lost then and nothing of it was learned. One call at a time.
  TrainFigures train(uint64_t games, double seconds, const TrainSettings& settings);
  // How moves are chosen from now on; nullptr: by play_greedily. A batch that is in hand begins
  // anew.
  void search_with(ChooserMaker search);
  // From any thread: a train() that is going on returns soon.
  void stop() { stopped_ = true; }

  uint64_t games() const { return games_; }
  const LearnerSettings& settings() const { return settings_; }
  const std::shared_ptr<PatternTables>& tables() const { return weights_.tables(); }
  TdWeights& weights() { return weights_; }
  // After entries and updates were written from outside: `games` is a multiple of the batch.
  void restore(uint64_t games);
  // Bytes of the tables, of what is learned beside them, and of the games of a batch.
  struct Bytes {
    size_t tables, entries, updates, games;
  };
  Bytes bytes() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Flight {  // a searched game that is not over
    std::unique_ptr<Chooser> chooser;
    std::unique_ptr<SearchedGame> game;
  };
  struct Call;  // one train(): what its threads share

  void begin_batch();
  void work(Call& call, size_t id);
  void play(const Call& call);
  void play_block(size_t at, size_t count);
  bool play_searched(const Call& call);
  bool interrupted(const Call& call) const;
  bool played() const;
  void prepare(Call& call);
  void finish(Call& call);
  void count(TrainFigures& figures);
  SampledGame sample(size_t g) const;

  LearnerSettings settings_;
  TdWeights weights_;
  ChooserMaker search_;
  std::atomic<uint64_t> games_ = 0;  // written by train() and restore() only
  std::atomic<bool> stopped_ = false;
  std::mutex calling_;  // held by train(), restore() and search_with()

  // The batch in hand.
  GameBatch batch_;
  PlaySettings begun_with_;
  std::vector<TdFigures> figures_;  // by game
  SearchSums sums_;                 // of its searches so far
  std::atomic<size_t> next_ = 0;    // the first game that nobody has begun
  std::mutex hangar_;               // of the two below and of sums_
  std::vector<Flight> flights_;     // searched games that were left when a call ended
  std::vector<std::unique_ptr<Chooser>> idle_;
};

}  // namespace ludus::patterns
