#include "lepton/scheduler/call_queue.h"

#include <algorithm>
#include <tuple>

namespace lepton::scheduler {
namespace {

// Among calls that are due at the same time, those that are there already come first.
bool before(const QueuedCall& a, const QueuedCall& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.due < b.due;
}

// Its share among `shares`, or where that would be.
template <class Shares>
auto place_among(Shares& shares, const QueuedCall& call) {
    return std::lower_bound(shares.begin(),
                            shares.end(),
                            call,
                            [](const CallQueue::Share& share, const QueuedCall& of) {
                                return std::tie(share.client, share.priority) <
                                       std::tie(of.client, of.priority);
                            });
}

bool is_of(const CallQueue::Share& share, const QueuedCall& call) {
    return share.client == call.client && share.priority == call.priority;
}

}  // namespace

std::size_t CallQueue::calls_like(const QueuedCall& call) const {
    const auto share = place_among(shares_, call);
    return share != shares_.end() && is_of(*share, call) ? share->calls : 0;
}

std::size_t CallQueue::calls_of(std::uint32_t priority) const {
    std::size_t calls = 0;
    for (const Share& share : shares_) {
        if (share.priority == priority) calls += share.calls;
    }
    return calls;
}

std::size_t CallQueue::place_of(const QueuedCall& call) const {
    const auto waiting = calls();
    return static_cast<std::size_t>(std::upper_bound(waiting.begin(), waiting.end(), call, before) -
                                    waiting.begin());
}

std::size_t CallQueue::insert(const QueuedCall& call) {
    const std::size_t place = place_of(call);
    rows_ += call.rows;
    bytes_ += call.bytes;
    auto share = place_among(shares_, call);
    if (share == shares_.end() || !is_of(*share, call)) {
        share = shares_.insert(share, {call.client, call.priority, 0});
    }
    ++share->calls;
    if (place == 0 && begin_ > 0) {
        calls_[--begin_] = call;
        return 0;
    }
    // Half of the block is free at its front: use that before the block grows.
    if (calls_.size() == calls_.capacity() && begin_ > size()) {
        calls_.erase(calls_.begin(), calls_.begin() + static_cast<std::ptrdiff_t>(begin_));
        begin_ = 0;
    }
    calls_.insert(calls_.begin() + static_cast<std::ptrdiff_t>(begin_ + place), call);
    return place;
}

void CallQueue::remove(std::span<const std::size_t> places) {
    if (places.empty()) return;
    // Those before the last removed move back, so that a prefix, the usual case, moves nothing.
    const auto at = [this](std::size_t place) -> QueuedCall& { return calls_[begin_ + place]; };
    for (const std::size_t place : places) {
        rows_ -= at(place).rows;
        bytes_ -= at(place).bytes;
        const auto share = place_among(shares_, at(place));
        if (--share->calls == 0) shares_.erase(share);
    }
    std::size_t to = places.back();
    std::size_t next = places.size() - 1;  // Of places, from the back.
    for (std::size_t from = to; from-- > 0;) {
        if (next > 0 && places[next - 1] == from) {
            --next;
        } else {
            at(to--) = at(from);
        }
    }
    begin_ += places.size();
    if (empty()) {
        calls_.clear();
        begin_ = 0;
    }
}

}  // namespace lepton::scheduler
