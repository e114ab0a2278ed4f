#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/result.h"
#include "lepton/core/sync.h"
#include "lepton/observe/otlp_spans.h"

namespace lepton::observe {

// Sends spans to a collector, in batches, from a thread of its own. What does not fit into the
// queue while the collector is slow or away is dropped and counted. Thread-safe.
class SpanExporter {
public:
    // Posts a body and returns whether it was accepted: kUnavailable where another attempt makes
    // sense, any other code where it does not.
    using Post = std::function<Result<>(const std::string& body)>;

    struct Options {
        ResourceAttributes resource{};
        // A batch is posted when it is this large or this old; the defaults are the OpenTelemetry
        // SDKs'. As many spans again as the queue holds may be on their way to the collector.
        std::size_t batch_spans = 512;
        std::size_t queue_spans = 2048;
        Clock::duration delay = std::chrono::seconds(5);
        int attempts = 5;
        Clock::duration first_backoff = std::chrono::seconds(1);  // Doubles, to 5 s at most.
    };

    SpanExporter(Options options, Post post);
    // Makes one attempt to post what is left.
    ~SpanExporter();

    // Adds a completed request. Waits only for another thread that adds one; allocates only for a
    // tracestate.
    void add(const InferCall& call) noexcept;

    [[nodiscard]] std::uint64_t exported() const {
        return exported_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

private:
    void run();
    // Fills taken_. Returns false if there is nothing, and never will be.
    bool take_spans();
    bool post(std::span<const SpanRecord> spans);
    bool sleep_for(Clock::duration time);  // Returns false when it is time to end.
    bool stopping();
    void log_failure(const Error& error, std::size_t spans);

    const Options options_;
    const Post post_;
    std::atomic<std::uint64_t> exported_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::vector<SpanRecord> taken_;  // The thread's own.
    Clock::time_point last_logged_{};

    Mutex mutex_;
    std::condition_variable wake_;
    std::vector<SpanRecord> queue_ LEPTON_GUARDED_BY(mutex_);
    bool stop_ LEPTON_GUARDED_BY(mutex_) = false;

    std::thread thread_;  // The last member: it uses all of the above.
};

}  // namespace lepton::observe
