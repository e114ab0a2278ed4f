#pragma once

#include "lepton/engine/engine.h"

namespace lepton::fake {

// A runtime for tests: a file `<name>.fake` says in JSON what its model takes, gives, and how long
// a run takes. Deterministic, without threads of its own. Output i is input i.
//
//     {
//       "inputs":  [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
//       "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}],
//       "add": 1,                  // To each element; not for BOOL, FP16, BF16, BYTES.
//       "mix_rows": true,          // Adds (rows - 1) too: the rows of a run are not independent.
//       "delay_us": 100,           // Per run,
//       "delay_us_per_row": 10,    // and for each of its rows,
//       "delay": "busy",           // or "sleep" (the default).
//       "fail": "out of luck",     // Each run fails with this message,
//       "fail_when_first_is": 13,  // or only one whose first byte is 13.
//       "fail_load": "no such op", // The file cannot be opened.
//       "crash": "SIGFPE",         // Each run ends the process by a signal of that name, or by
//                                  // "exit", or never ends: "hang",
//       "crash_rows": 16,          // or only one of that many rows.
//       "probe": true              // Is tried in a process of its own, as one that may crash is.
//     }
//
// Thread-safe.
class FakeEngine final : public engine::Engine {
public:
    [[nodiscard]] std::string_view name() const override { return "fake"; }
    [[nodiscard]] std::string version() const override { return "1"; }
    [[nodiscard]] bool reads(const std::filesystem::path& path) const override;
    [[nodiscard]] bool may_crash(const std::filesystem::path& path) const override;
    Result<std::unique_ptr<engine::Graph>> open(const std::filesystem::path& path,
                                                const engine::OpenOptions& options) override;
};

}  // namespace lepton::fake
