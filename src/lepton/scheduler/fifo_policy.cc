#include "lepton/scheduler/fifo_policy.h"

#include <algorithm>

namespace lepton::scheduler {

Result<> FifoPolicy::admit(InferCall& call, const Moment& at, std::vector<Refused>&) {
    const QueuedCall waiting = describe(call, at.now);
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
        const auto& sizes = options_.preferred_batch_sizes;
        const std::int64_t largest =
            sizes.empty() ? max_rows_ : *std::max_element(sizes.begin(), sizes.end());
        const auto calls = queue_.calls();
        places_.clear();
        std::int64_t rows = 0;
        std::size_t enough = 0;  // Calls that are sent without waiting for more; 0: none yet.
        bool full = false;
        Clock::time_point oldest = Clock::time_point::max();
        for (std::size_t i = 0; i < calls.size(); ++i) {
            const std::int64_t grown = rows + calls[i].rows;
            if (i > 0 && grown > largest && enough == 0) enough = i;
            full = i > 0 && (grown > most || calls[i].shape_class != calls.front().shape_class);
            if (full) break;
            places_.push_back(i);
            rows = grown;
            oldest = std::min(oldest, calls[i].arrived);
            const bool preferred = sizes.empty()
                                       ? rows == largest
                                       : std::find(sizes.begin(), sizes.end(), rows) != sizes.end();
            if (preferred) enough = places_.size();
        }
        const Clock::time_point leaves = oldest + options_.max_queue_delay;
        const bool waits = options_.max_queue_delay > Clock::duration::zero();
        const bool waited = waits && at.now >= leaves;
        if (enough > 0 && !waited) {
            places_.resize(enough);
        } else if (waits && !waited && !full && rows < largest) {
            return leaves;
        }
        take(places_, batch, refused);
    }
    return kNoDeadline;
}

}  // namespace lepton::scheduler
