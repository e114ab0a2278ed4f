#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/error.h"
#include "lepton/core/sync.h"
#include "lepton/core/timeline.h"
#include "lepton/observe/histogram.h"

namespace lepton::observe {

// Why a well-formed request got no answer in time.
enum class Refusal : std::uint8_t {
    kHopeless,    // On arrival: its deadline could not be met even if it ran alone.
    kOverloaded,  // On arrival: no plan serves it together with those before it.
    kQueueFull,   // On arrival.
    kExpired,     // Admitted; its deadline passed, or could no longer be met, in the queue.
    // Admitted; displaced by more important requests, or by those of a client with fewer.
    kMadeRoom,
};
inline constexpr std::size_t kRefusalCount = 5;

// Counters of one version of a model. Thread-safe.
class ModelMetrics {
public:
    ModelMetrics(std::string_view of_model, std::string_view of_version)
        : model(of_model), version(of_version) {}

    // `error` is null if the request was answered. Times count only for answered requests.
    void on_finished(const Timeline& timeline,
                     Clock::time_point deadline,
                     const ErrorCode* error,
                     std::int64_t rows);
    // Counts a run of the engine, next to what the latency model had predicted for it.
    void on_run(std::int64_t rows, Clock::duration predicted, Clock::duration took);

    const std::string model;
    const std::string version;
    DurationHistogram request;   // Received -> computed.
    DurationHistogram queue;     // Decoded -> dispatched.
    DurationHistogram compute;   // Engine called -> returned.
    DurationHistogram total;     // Received -> answer handed to the kernel.
    DurationHistogram slack;     // Answer handed to the kernel -> deadline, if in time.
    DurationHistogram lateness;  // Deadline -> answer handed to the kernel, if late.
    // Calls wait and an instance is idle, but other models have the cores.
    DurationHistogram core_wait;
    RowHistogram batch_rows;              // Rows per run of the engine.
    std::atomic<std::int64_t> run_ns{0};  // Total of all runs.
    // How much longer a run took than predicted, in percent of the prediction.
    PercentHistogram under_predicted;
    PercentHistogram over_predicted;                 // How much shorter it was.
    std::atomic<std::uint64_t> deadlines_missed{0};  // Answered, but late.
    std::atomic<std::uint64_t> core_nanoseconds{0};  // Time of runs, times their threads.
    std::atomic<std::uint64_t> rows_ok{0};
    std::atomic<std::uint64_t> requests_ok{0};
    std::array<std::atomic<std::uint64_t>, kErrorCodeCount> requests_failed{};
    std::array<std::atomic<std::uint64_t>, kRefusalCount> refused{};  // Indexed by Refusal.
    std::atomic<std::int64_t> pending{0};  // Requests in the queue or running.
};

// Everything that /metrics shows. Thread-safe.
class Metrics {
public:
    // Returns the same object for the same model and version for as long as this lives, so that
    // counters go on when a version is loaded again.
    [[nodiscard]] std::shared_ptr<ModelMetrics> of(std::string_view model,
                                                   std::string_view version);

    // Adds a value that is read when the page is made. `read` must be thread-safe and stay
    // callable. A counter only rises.
    void add_gauge(std::string name, std::string help, std::function<double()> read);
    void add_counter(std::string name, std::string help, std::function<double()> read);
    // One counter for each value of `label`.
    struct Labelled {
        std::string value;
        std::function<double()> read;
    };
    void add_counters(std::string name,
                      std::string help,
                      std::string label,
                      std::vector<Labelled> counters);

    // Renders the page in Prometheus's text exposition format 0.0.4.
    [[nodiscard]] std::string page() const;

private:
    struct Value {
        std::string name;
        std::string help;
        bool counter = false;
        std::string label;  // Empty: a single value without a label.
        std::vector<Labelled> read;
    };
    mutable Mutex mutex_;
    std::vector<std::shared_ptr<ModelMetrics>> models_ LEPTON_GUARDED_BY(mutex_);
    std::vector<Value> values_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::observe
