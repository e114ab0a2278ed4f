#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/tuning/tuning_plan.h"
#include "lepton/model/tuning/tuning_record.h"

namespace lepton::model {

// Tries models in a process of its own, lepton-probe, so that one that ends its process ends that
// one: a division by zero in an engine is a signal that cannot be caught. The process is started
// anew, not forked, because other threads run here; it inherits no descriptor but its pipe, and
// ends with us. Blocks until the model was tried; off the request path. Thread-safe.
class Probe {
public:
    struct Options {
        std::filesystem::path program;
        // Between two steps of it, such as a compilation and a run; what takes longer hangs.
        Clock::duration longest_step = std::chrono::minutes(5);
    };
    struct Request {
        std::filesystem::path engines_folder;
        std::string engine;  // Its name.
        std::filesystem::path file;
        std::filesystem::path cache_dir;
        const ModelConfig& config;
        const TuningSubject& subject;
        bool tune = false;        // Otherwise only what makes the model ready.
        bool background = false;  // Only with time of the processor that nobody else wants.
    };

    explicit Probe(Options options);
    ~Probe();
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;

    // Whether the program is there.
    [[nodiscard]] bool available() const;

    // How the model is run. Errors: those of the model, as if it had been tried here; kInternal for
    // one that ended the process or hangs, with what it did last; kUnavailable after cancel().
    Result<TuningPlan> run(const Request& request);

    // Ends what runs, and refuses what comes.
    void cancel();

private:
    class Child;

    const Options options_;
    int cancelled_;  // An eventfd; readable from cancel() on.
};

}  // namespace lepton::model
