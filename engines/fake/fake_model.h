#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lepton/core/model_spec.h"

namespace lepton::fake {

// The content of a .fake file; see FakeEngine.
struct FakeModel {
    std::vector<TensorSpec> inputs;
    std::vector<TensorSpec> outputs;
    double add = 0;
    bool mix_rows = false;
    std::chrono::microseconds delay{0};
    std::chrono::microseconds delay_per_row{0};
    bool busy = false;
    std::string fail;
    std::optional<int> fail_when_first_is;
    bool fatal = false;
    std::string crash;
    std::int64_t crash_rows = 0;
};

}  // namespace lepton::fake
