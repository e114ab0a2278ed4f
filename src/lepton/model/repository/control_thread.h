#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "lepton/core/clock.h"
#include "lepton/core/error.h"
#include "lepton/core/result.h"
#include "lepton/core/sync.h"

namespace lepton::model {

// Does jobs one after the other on a thread of its own, and looks around from time to time when it
// has none. Whatever changes models is a job here, so that no two changes ever meet. Thread-safe;
// jobs run without a lock.
class ControlThread {
public:
    // In which order jobs are taken; those of one lane in the order of their coming.
    enum class Lane : std::uint8_t {
        kChange,       // Somebody waits for the answer.
        kModel,        // A model is to be loaded or unloaded.
        kImprovement,  // What serves already may serve better; nobody waits until it is done.
    };
    // Exactly one of its two functions is called, once.
    struct Job {
        Lane lane = Lane::kChange;
        // A job takes the place of one that waits in its lane under the same key, so that the lane
        // is bounded by the number of keys. Empty: for itself, and counted by max_changes.
        std::string key = {};
        std::function<void()> run = {};
        // Where it will never run: kQueueFull; kUnavailable when another one took its place, or
        // when the thread ends. May be empty.
        std::function<void(const Error&)> drop = {};
    };
    struct Options {
        std::size_t max_changes =
            64;  // That wait. More are refused: each may take as long as a load.
        // When it has to look around again, asked after each job; never: time_point::max(). Both
        // are called on the thread, without a lock.
        std::function<Clock::time_point()> next_look = [] { return Clock::time_point::max(); };
        std::function<void()> look = [] {};
    };

    explicit ControlThread(Options options);
    ~ControlThread();  // stop().
    ControlThread(const ControlThread&) = delete;
    ControlThread& operator=(const ControlThread&) = delete;

    // Never blocks. A job that is not taken is dropped before this returns.
    void add(Job job);

    // Blocks until no change and no model waits or is under way, or until cancel().
    void wait_until_settled();

    // Nothing more is begun, and nobody waits any more. May be called from a job.
    void cancel();
    // cancel(), waits for what is under way, and drops the rest. Not from a job.
    void stop();

    [[nodiscard]] bool cancelled() const;

private:
    static constexpr std::size_t kLanes = 3;

    void work();
    // Moves from `job` only where it is taken.
    Result<> take(Job& job, std::optional<Job>& replaced);
    [[nodiscard]] std::deque<Job>& lane(Lane lane) LEPTON_REQUIRES(mutex_) {
        return lanes_[static_cast<std::size_t>(lane)];
    }
    // Null where nothing waits.
    [[nodiscard]] std::deque<Job>* next_lane() LEPTON_REQUIRES(mutex_);
    [[nodiscard]] bool settled() LEPTON_REQUIRES(mutex_);

    const Options options_;
    mutable Mutex mutex_;
    std::condition_variable changed_;  // Lanes, busy_ or cancelled_.
    std::array<std::deque<Job>, kLanes> lanes_ LEPTON_GUARDED_BY(mutex_);
    bool busy_ LEPTON_GUARDED_BY(mutex_) = false;  // With what wait_until_settled() waits for.
    bool cancelled_ LEPTON_GUARDED_BY(mutex_) = false;
    std::thread thread_;  // Last: it uses the rest.
};

}  // namespace lepton::model
