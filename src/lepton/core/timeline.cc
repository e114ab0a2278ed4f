#include "lepton/core/timeline.h"

namespace lepton {
namespace {

// A request refused early never reached the later stations: their share is zero.
Clock::duration between(Clock::time_point from, Clock::time_point to) {
    if (from == Clock::time_point{} || to <= from) return {};
    return to - from;
}

}  // namespace

Breakdown breakdown_of(const Timeline& t, Clock::time_point now) {
    const bool ended_queued = t.admitted > Clock::time_point{} && t.dispatched < t.admitted;
    return {
        .net = between(t.received, t.decoded),
        .queue = between(t.decoded, ended_queued ? now : t.dispatched),
        .input = between(t.dispatched, t.compute_start),
        .compute = between(t.compute_start, t.compute_end),
        .output = between(t.compute_end, now),
        .total = between(t.received, now),
    };
}

}  // namespace lepton
