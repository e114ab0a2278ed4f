#pragma once

#include "client_state.h"
#include "exchange.h"
#include "lepton/core/result.h"

namespace lepton::client {

struct Ended {
    std::optional<Error> error;
    bool was_answered = false;  // A server did answer, if only to refuse.
};

// Runs one call on the calling thread, until its answer or its deadline.
[[nodiscard]] Ended run_blocking(ClientState& state, const Operation& operation, Answer& answer);

}  // namespace lepton::client
