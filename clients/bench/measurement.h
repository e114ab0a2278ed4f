#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "histogram.h"
#include "lepton/core/clock.h"
#include "lepton/inference.h"
#include "load_class.h"
#include "tally.h"

namespace lepton::bench {

// What both loops need to know.
struct Plan {
    std::vector<LoadClass> classes;
    InferRequest request;  // For every class, except deadline and priority.
    std::chrono::nanoseconds warmup{};
    std::chrono::nanoseconds duration{};
    std::chrono::nanoseconds timeout{};  // How long to wait for an answer after the deadline.
    std::uint64_t seed = 1;
    std::size_t connections = 0;  // Maximum number; 0: none are needed.

    struct Progress {
        std::chrono::nanoseconds elapsed;  // Includes the warm-up, as `total` does.
        std::chrono::nanoseconds total;
        std::uint64_t sent = 0;
        std::uint64_t in_time = 0;
        std::size_t in_flight = 0;
    };
    // Called a few times a second on the generator's thread; may be empty.
    std::function<void(const Progress&)> progress;
};
inline constexpr std::chrono::milliseconds kProgressPeriod{250};

// What a loop has seen between the end of its warm-up and its end.
struct Measurement {
    std::vector<Tally> by_class;
    // The time in which requests were planned; in a closed loop, the mean over threads of the time
    // in which they were asked and answered.
    double seconds = 0;
    std::uint64_t sent = 0;  // All of them, including those that do not count.
    double sent_per_second = 0;

    // About the generator itself; open loop only.
    Histogram lateness;  // From the planned send time until the client has the request.
    std::size_t max_in_flight = 0;
    std::uint64_t waited_for_connection = 0;  // Requests that found all connections busy.
    bool fell_behind = false;                 // It gave up, because it cannot send that much.

    [[nodiscard]] Tally total() const {
        Tally sum;
        for (const Tally& tally : by_class) sum.merge(tally);
        return sum;
    }
};

// Returns the request of each class.
[[nodiscard]] inline std::vector<InferRequest> requests_of(const Plan& plan) {
    std::vector<InferRequest> requests;
    requests.reserve(plan.classes.size());
    for (const LoadClass& load_class : plan.classes) {
        InferRequest& request = requests.emplace_back(plan.request);
        request.priority = load_class.priority;
        // Wait for the server's answer, however late: the client's own error would hide it.
        if (load_class.deadline.count() > 0) request.grace = plan.timeout;
        request.timeout = plan.timeout + load_class.deadline;
    }
    return requests;
}

// Sets when the request is due, and when the client gives it up, from its planned send time.
inline void set_times(InferRequest& request, const LoadClass& load_class, Ended& times) {
    const bool has_deadline = load_class.deadline.count() > 0;
    times.deadline = has_deadline ? times.planned + load_class.deadline : kNoDeadline;
    times.give_up = has_deadline ? times.deadline + request.grace : times.sent + request.timeout;
    request.deadline = times.deadline;
}

}  // namespace lepton::bench
