#include "lepton/scheduler/fifo_policy.h"

#include <algorithm>

namespace lepton::scheduler {

Result<> FifoPolicy::admit(InferCall& call, const Moment& at, std::vector<Refused>&) {
    QueuedCall waiting = describe(call, at.now);
    waiting.due = due_of(waiting);
    if (auto fits = check_bounds(waiting); !fits) {
        return tl::unexpected<Error>(busy(std::move(fits).error(), at));
    }
    insert(waiting);
    return {};
}

Clock::time_point FifoPolicy::next_batch(const Moment& at,
                                         std::vector<InferCall*>& batch,
                                         std::vector<Refused>& refused) {
    expire(at.now, refused);
    while (!queue_.empty() && batch.empty()) {
        const std::int64_t most = most_rows(at);
        const auto calls = queue_.calls();
        places_.clear();
        std::int64_t rows = 0;
        std::size_t preferred = 0;  // Calls that make up the largest preferred size.
        bool full = false;
        for (std::size_t i = 0; i < calls.size() && !full; ++i) {
            full = i > 0 && (rows + calls[i].rows > most ||
                             calls[i].shape_class != calls.front().shape_class);
            if (full) break;
            places_.push_back(i);
            rows += calls[i].rows;
            full = rows >= most;
            const auto& sizes = options_.preferred_batch_sizes;
            if (std::find(sizes.begin(), sizes.end(), rows) != sizes.end()) {
                preferred = places_.size();
            }
        }
        const Clock::time_point leaves = calls.front().arrived + options_.max_queue_delay;
        if (!full && preferred == 0 && at.now < leaves) return leaves;
        if (!full && preferred > 0) places_.resize(preferred);
        take(places_, batch, refused);
    }
    return kNoDeadline;
}

}  // namespace lepton::scheduler
