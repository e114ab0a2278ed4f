#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "lepton/core/sync.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/loading/model_loader.h"
#include "lepton/model/tuning/tuning_plan.h"

namespace lepton::model {

// Measures models that serve already, one after the other, in a process that gets only time of the
// processor that nobody else wants. Thread-safe.
class BackgroundTuner {
public:
    struct Job {
        std::string name;
        std::int64_t version = 0;
        std::filesystem::path file;
        ModelConfig config;
    };
    struct Options {
        // From a model's load: who starts a server to ask it something at once, or for a moment
        // only, is not disturbed.
        Clock::duration delay;
        // Called on the tuner's thread.
        std::function<void(const Job&, Result<TuningPlan>)> on_tuned;
    };

    // `loader` must outlive it.
    BackgroundTuner(ModelLoader& loader, Options options);
    ~BackgroundTuner();
    BackgroundTuner(const BackgroundTuner&) = delete;
    BackgroundTuner& operator=(const BackgroundTuner&) = delete;

    // In place of one of the same version that waits.
    void add(Job job);

    // Forgets what waits. Where something is being measured, the loader has to be cancelled.
    void stop();

private:
    struct Waiting {
        Job job;
        Clock::time_point from;
    };
    void work();

    ModelLoader& loader_;
    const Options options_;
    Mutex mutex_;
    std::condition_variable changed_;
    std::deque<Waiting> jobs_ LEPTON_GUARDED_BY(mutex_);  // At most one per version.
    bool stopping_ LEPTON_GUARDED_BY(mutex_) = false;
    std::thread thread_;  // Last: it uses the rest.
};

}  // namespace lepton::model
