#include "patterns/learner.h"

#include <algorithm>
#include <barrier>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "base/errors.h"

namespace ludus::patterns {
namespace {

// Games that are played in step: enough for the tables of a stage to be worth fetching, and few
// enough for every thread to have some.
constexpr size_t kLeastBlock = 16;
constexpr size_t kMostBlock = 256;

void check(const LearnerSettings& settings) {
  check(settings.td);
  if (settings.batch < 1 || settings.batch > 1 << 16)
    throw InputError("Setting 'batch' is " + std::to_string(settings.batch) +
                     "; it must be from 1 to 65536 games.");
  if (settings.sample_every < 0)
    throw InputError("Setting 'sample_every' is " + std::to_string(settings.sample_every) +
                     "; it must be 0 (no game) or more.");
}

void check(const TrainSettings& settings) {
  check(settings.play);
  if (!(settings.rate > 0.0F && settings.rate <= 64.0F))
    throw InputError("Setting 'rate' is " + std::to_string(settings.rate) +
                     "; it must be above 0 and at most 64 discs.");
  if (settings.threads < 1 || settings.threads > 256)
    throw InputError("Setting 'threads' is " + std::to_string(settings.threads) +
                     "; it must be from 1 to 256.");
}

const LearnerSettings& checked(const LearnerSettings& settings) {
  check(settings);
  return settings;
}

}  // namespace

struct TdLearner::Call {
  Call(uint64_t until, Clock::time_point when, const TrainSettings& all)
      : settings(all),
        target(until),
        deadline(when),
        threads(static_cast<size_t>(all.threads)),
        barrier(static_cast<ptrdiff_t>(all.threads)),
        busy(threads) {}

  const TrainSettings& settings;
  uint64_t target;
  Clock::time_point deadline;
  size_t threads;
  std::barrier<> barrier;
  std::vector<double> busy;  // seconds of each thread
  Clock::time_point phase = Clock::now();
  bool learn = false;
  bool over = false;
  std::unique_lock<std::shared_mutex> gate;
  TrainFigures figures;
  std::mutex failing;
  std::exception_ptr error;
  std::atomic<bool> failed = false;

  template <class Work>
  void guarded(Work work) noexcept {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!error) error = std::current_exception();
      failed = true;
    }
  }
  // Seconds since the last call of this function.
  double lap() {
    const auto before = std::exchange(phase, Clock::now());
    return std::chrono::duration<double>(phase - before).count();
  }
};

TdLearner::TdLearner(std::shared_ptr<const PatternSet> set, const LearnerSettings& settings,
                     ChooserMaker search)
    : settings_(checked(settings)),
      weights_(std::move(set), settings.td),
      search_(std::move(search)),
      batch_(static_cast<size_t>(settings.batch)),
      figures_(batch_.size()) {}

TrainFigures TdLearner::train(uint64_t games, double seconds, const TrainSettings& settings) {
  check(settings);
  const std::unique_lock alone(calling_, std::try_to_lock);
  if (!alone)
    throw InputError("This learner is training already; train() is for one call at a time.");
  stopped_ = false;
  if (games_ >= games || seconds <= 0.0) return {};
  if (begun_with_ != settings.play) {
    begun_with_ = settings.play;
    begin_batch();
  }
  // A day is as good as for ever, and fits the clock.
  const auto limit = std::chrono::duration<double>(std::min(seconds, 86400.0));
  Call call(games, Clock::now() + std::chrono::duration_cast<Clock::duration>(limit), settings);
  weights_.prepare(call.threads);
  std::vector<std::thread> helpers;
  try {
    while (helpers.size() + 1 < call.threads)
      helpers.emplace_back([this, &call, id = helpers.size() + 1] { work(call, id); });
  } catch (const std::system_error&) {
    // The machine gives no more threads: results are the same with those that there are.
    for (size_t id = helpers.size() + 1; id < call.threads; ++id) call.barrier.arrive_and_drop();
    call.threads = helpers.size() + 1;
  }
  work(call, 0);
  for (std::thread& helper : helpers) helper.join();
  for (const double busy : call.busy) call.figures.busy_seconds += busy;
  if (call.error) {
    begin_batch();
    std::rethrow_exception(call.error);
  }
  call.figures.repairs = weights_.repairs();
  return std::move(call.figures);
}

void TdLearner::search_with(ChooserMaker search) {
  const std::lock_guard alone(calling_);
  begin_batch();
  idle_.clear();
  search_ = std::move(search);
}

void TdLearner::begin_batch() {
  next_ = 0;
  sums_ = {};
  for (Flight& flight : flights_) idle_.push_back(std::move(flight.chooser));
  flights_.clear();
}

// What every thread does; the first one also does what only one may do.
void TdLearner::work(Call& call, size_t id) {
  const auto timed = [&](auto&& part) {
    const auto start = Clock::now();
    call.guarded(part);
    call.busy[id] += std::chrono::duration<double>(Clock::now() - start).count();
  };
  while (!call.over) {
    timed([&] { play(call); });
    call.barrier.arrive_and_wait();
    if (id == 0) timed([&] { prepare(call); });
    call.barrier.arrive_and_wait();
    if (call.learn) timed([&] { weights_.update(batch_, call.settings.rate, id, call.threads); });
    call.barrier.arrive_and_wait();
    if (id == 0) timed([&] { finish(call); });
    call.barrier.arrive_and_wait();
  }
}

bool TdLearner::interrupted(const Call& call) const {
  return stopped_ || call.failed || Clock::now() >= call.deadline;
}

void TdLearner::play(const Call& call) {
  const size_t block = std::clamp(batch_.size() / (2 * call.threads), kLeastBlock, kMostBlock);
  while (!interrupted(call)) {
    if (search_) {
      if (!play_searched(call)) return;
    } else {
      const size_t at = next_.fetch_add(block);
      if (at >= batch_.size()) return;
      play_block(at, std::min(block, batch_.size() - at));
    }
  }
}

void TdLearner::play_block(size_t at, size_t count) {
  play_greedily(*tables(), begun_with_, settings_.seed, games_ + at, count, batch_, at);
  for (size_t g = at; g < at + count; ++g) figures_[g] = find_errors(batch_, g, settings_.td);
}

// One game to its end, or until the call is; false where there is none left to play.
bool TdLearner::play_searched(const Call& call) {
  Flight flight;
  {
    const std::lock_guard lock(hangar_);
    if (!flights_.empty()) {
      flight = std::move(flights_.back());
      flights_.pop_back();
    } else if (next_ < batch_.size()) {
      const size_t g = next_++;
      if (!idle_.empty()) {
        flight.chooser = std::move(idle_.back());
        idle_.pop_back();
      }
      flight.game = std::make_unique<SearchedGame>(*tables(), begun_with_, settings_.seed,
                                                   games_ + g, batch_, g);
    } else {
      return false;
    }
  }
  const size_t g = flight.game->at();
  bool fresh = batch_.game(g).moves == 0;
  while (true) {
    if (!flight.chooser) flight.chooser = search_(tables());
    if (fresh) flight.chooser->begin();
    fresh = false;
    if (!flight.game->advance(*flight.chooser)) break;
    if (!interrupted(call)) continue;
    const std::lock_guard lock(hangar_);
    flights_.push_back(std::move(flight));
    return true;
  }
  figures_[g] = find_errors(batch_, g, settings_.td);
  const std::lock_guard lock(hangar_);
  sums_ += flight.chooser->take_sums();
  idle_.push_back(std::move(flight.chooser));
  return true;
}

bool TdLearner::played() const { return next_ >= batch_.size() && flights_.empty(); }

void TdLearner::prepare(Call& call) {
  call.figures.play_seconds += call.lap();
  call.learn = false;
  if (call.failed || !played()) return;
  weights_.sort(batch_, batch_.size());
  call.gate = std::unique_lock(tables()->gate());
  call.learn = true;
}

void TdLearner::finish(Call& call) {
  call.figures.learn_seconds += call.lap();
  call.over = true;
  if (!call.learn) return;
  call.gate.unlock();
  count(call.figures);
  games_ += batch_.size();
  begin_batch();
  call.over = games_ >= call.target || interrupted(call);
}

void TdLearner::count(TrainFigures& figures) {
  figures.games += batch_.size();
  figures.fresh += weights_.take_fresh();
  figures.search += sums_;
  for (size_t g = 0; g < batch_.size(); ++g) {
    const PlayedGame& game = batch_.game(g);
    figures.black_wins += game.score > 0 ? 1 : 0;
    figures.white_wins += game.score < 0 ? 1 : 0;
    figures.score += game.score;
    figures.scores.push_back(game.score);
    figures.lengths.push_back(game.moves);
    figures.moves += game.moves;
    figures.td += figures_[g];
    if (settings_.sample_every > 0 &&
        (games_ + g) % static_cast<uint64_t>(settings_.sample_every) == 0)
      figures.samples.push_back(sample(g));
  }
}

SampledGame TdLearner::sample(size_t g) const {
  const PlayedGame& game = batch_.game(g);
  SampledGame found{games_ + g, game.score, {}};
  for (int move = 0; move < game.moves; ++move) {
    const Step& step = batch_.step(g, move);
    if (move > 0 && batch_.step(g, move - 1).seat == step.seat)
      found.actions.push_back(othello::kPass);
    found.actions.push_back(step.square);
  }
  return found;
}

void TdLearner::restore(uint64_t games) {
  const std::lock_guard alone(calling_);
  if (games % batch_.size() != 0)
    throw InputError("A learner with batches of " + std::to_string(batch_.size()) +
                     " games cannot go on from game " + std::to_string(games) +
                     ", which is inside a batch.");
  games_ = games;
  begin_batch();
  weights_.refresh();
}

TdLearner::Bytes TdLearner::bytes() const {
  return {weights_.tables()->all().size_bytes(), weights_.entries().size_bytes(),
          weights_.updates().size_bytes(),
          batch_.size() * (sizeof(PlayedGame) + sizeof(TdFigures) +
                           kMaxMoves * (sizeof(Step) + sizeof(IndexVector)))};
}

}  // namespace ludus::patterns
