#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engines/fake/fake_device.h"
#include "lepton/core/clock.h"
#include "lepton/core/device.h"
#include "lepton/core/result.h"
#include "lepton/engine/engine.h"

namespace lepton::fake {

// A runtime for tests: a file `<name>.fake` says in JSON what its model takes, gives, and how long
// a run takes. Deterministic. Output i is input i. Beside the CPU it has two devices that compute
// by themselves, each in a thread of its own: "gpu:0", and "gpu:1", whose clock stands until
// advance().
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
//       "fatal": true,             // and the session that failed is not alive any more.
//       "fail_load": "no such op", // The file cannot be opened.
//       "crash": "SIGFPE",         // Each run ends the process by a signal of that name, or by
//                                  // "exit", or never ends: "hang",
//       "crash_rows": 16,          // or only one of that many rows.
//       "probe": true              // Is tried in a process of its own, as one that may crash is.
//     }
//
// Of parameters it knows "delay_us", which counts instead of the file's: 0 to 60,000,000. Others
// have no effect. Thread-safe.
class FakeEngine final : public engine::Engine {
public:
    [[nodiscard]] std::string_view name() const override { return "fake"; }
    [[nodiscard]] std::string version() const override { return "1"; }
    [[nodiscard]] bool reads(const std::filesystem::path& path) const override;
    [[nodiscard]] bool may_crash(const std::filesystem::path& path) const override;
    [[nodiscard]] std::vector<Device> devices() const override;
    [[nodiscard]] Result<std::vector<std::string>> unknown(
        const engine::Parameters& parameters) const override;
    Result<std::unique_ptr<engine::Graph>> open(const std::filesystem::path& path,
                                                const engine::OpenOptions& options) override;

    // Of the device whose clock stands: that much later.
    void advance(Clock::duration time);

private:
    const std::shared_ptr<FakeDevices> devices_ = std::make_shared<FakeDevices>();
};

}  // namespace lepton::fake
