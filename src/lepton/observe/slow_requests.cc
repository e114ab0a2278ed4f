#include "lepton/observe/slow_requests.h"

#include <algorithm>

namespace lepton::observe {
namespace {

bool shorter(const RequestRecord& a, const RequestRecord& b) { return a.total() < b.total(); }

// A request that was refused on arrival has missed nothing: only admission is a promise.
bool missed(const InferCall& call) {
    if (call.timeline.admitted == Clock::time_point{}) return false;
    if (!call.response.error) return call.timeline.written > call.request.deadline;
    const ErrorCode code = call.response.error->code;
    return code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kOverloaded ||
           code == ErrorCode::kQueueFull;
}

}  // namespace

SlowRequests::SlowRequests() {
    for (Slice& slice : slices_) slice.slowest.reserve(kKept);
    missed_.reserve(kKept);
}

void SlowRequests::note(const InferCall& call) noexcept {
    const Clock::time_point written = call.timeline.written;
    if (written == Clock::time_point{}) return;  // Nobody was answered.
    if (missed(call)) [[unlikely]]
        note_missed(call);
    const Clock::duration took = written - call.timeline.received;
    if (took.count() <= longer_than_.load(std::memory_order_relaxed) &&
        written.time_since_epoch().count() < slice_ends_.load(std::memory_order_relaxed)) {
        return;
    }
    note_slow(call);
}

// NOLINTNEXTLINE(bugprone-exception-escape): there is room, and try_lock of this mutex cannot
// throw.
void SlowRequests::note_slow(const InferCall& call) noexcept {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;
    const Count number = call.timeline.written.time_since_epoch() / kSlice;
    if (number > current_) {
        current_ = number;
        longer_than_.store(-1, std::memory_order_relaxed);
        slice_ends_.store(((number + 1) * kSlice).count(), std::memory_order_relaxed);
    }
    Slice& slice = slices_[static_cast<std::size_t>(current_) % kSlices];
    if (slice.number != current_) {
        slice.number = current_;
        slice.slowest.clear();
    }
    if (slice.slowest.size() < kKept) {
        slice.slowest.push_back(record_of(call));
        if (slice.slowest.size() < kKept) return;
    } else {
        RequestRecord record = record_of(call);
        RequestRecord& least =
            *std::min_element(slice.slowest.begin(), slice.slowest.end(), shorter);
        if (shorter(record, least)) return;
        least = std::move(record);
    }
    const auto least = std::min_element(slice.slowest.begin(), slice.slowest.end(), shorter);
    longer_than_.store(least->total().count(), std::memory_order_relaxed);
}

// NOLINTNEXTLINE(bugprone-exception-escape): there is room, and try_lock of this mutex cannot
// throw.
void SlowRequests::note_missed(const InferCall& call) noexcept {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;
    if (missed_.size() < kKept) {
        missed_.push_back(record_of(call));
    } else {
        missed_[next_missed_] = record_of(call);
    }
    next_missed_ = (next_missed_ + 1) % kKept;
}

NotableRequests SlowRequests::read(std::string_view model,
                                   std::size_t limit,
                                   Clock::time_point now) const {
    const auto wanted = [&](const RequestRecord& record) {
        return (model.empty() || record.model_name.view() == ShortText(model).view());
    };
    NotableRequests found;
    {
        const std::scoped_lock lock(mutex_);
        for (const Slice& slice : slices_) {
            for (const RequestRecord& record : slice.slowest) {
                if (now - record.timeline.written <= kWindow && wanted(record)) {
                    found.slowest.push_back(record);
                }
            }
        }
        std::copy_if(missed_.begin(), missed_.end(), std::back_inserter(found.missed), wanted);
    }
    std::sort(found.slowest.begin(), found.slowest.end(), [](const auto& a, const auto& b) {
        return shorter(b, a);
    });
    std::sort(found.missed.begin(), found.missed.end(), [](const auto& a, const auto& b) {
        return a.timeline.written > b.timeline.written;
    });
    const std::size_t most = std::min(limit, kKept);
    if (found.slowest.size() > most) found.slowest.resize(most);
    if (found.missed.size() > most) found.missed.resize(most);
    return found;
}

}  // namespace lepton::observe
