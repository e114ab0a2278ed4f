#pragma once

#include "lepton/core/clock.h"

namespace lepton {

// When a request passed each station. Points are ordered as listed; one that was not reached stays
// at the epoch.
struct Timeline {
    Clock::time_point begun{};          // First byte of the request was read.
    Clock::time_point received{};       // Last byte of the request was read.
    Clock::time_point decoded{};        // Tensors are views; admission comes next.
    Clock::time_point admitted{};       // Taken into the queue.
    Clock::time_point dispatched{};     // Left the queue: its batch is being gathered.
    Clock::time_point compute_start{};  // Engine called.
    Clock::time_point compute_end{};    // Engine returned.
    Clock::time_point encoded{};        // Answer is in the wire's format.
    Clock::time_point written{};        // Answer handed to the kernel, or thrown away.

    // From when a deadline counts: the first byte, or the last where the first is not known.
    [[nodiscard]] Clock::time_point arrival() const {
        return begun == Clock::time_point{} ? received : begun;
    }
};

// What an answer says about where its time went.
struct Breakdown {
    Clock::duration net{};    // received -> decoded.
    Clock::duration queue{};  // decoded -> dispatched, or `now` for a call that ends in the queue.
    Clock::duration input{};  // dispatched -> compute start.
    Clock::duration compute{};  // compute start -> compute end.
    Clock::duration output{};   // compute end -> `now`, when the answer is encoded.
    Clock::duration total{};    // received -> `now`.
};

[[nodiscard]] Breakdown breakdown_of(const Timeline& timeline, Clock::time_point now);

}  // namespace lepton
