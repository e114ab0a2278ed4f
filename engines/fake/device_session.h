#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "engines/fake/fake_device.h"
#include "engines/fake/fake_model.h"
#include "engines/fake/fake_session.h"
#include "lepton/engine/engine.h"

namespace lepton::fake {

// A session whose runs a device computes by itself. Not thread-safe; the owner serialises.
class DeviceSession final : public FakeSession {
public:
    DeviceSession(std::shared_ptr<const FakeModel> model,
                  bool batches,
                  std::shared_ptr<FakeDevice> device)
        : FakeSession(std::move(model), batches), device_(std::move(device)) {}
    ~DeviceSession() override;
    DeviceSession(const DeviceSession&) = delete;
    DeviceSession& operator=(const DeviceSession&) = delete;

    void start(std::int64_t rows,
               std::span<const TensorView> inputs,
               std::span<TensorView> outputs,
               engine::RunCompletion& done) override;
    // start(), and waits.
    Result<> run(std::int64_t rows,
                 std::span<const TensorView> inputs,
                 std::span<TensorView> outputs) override;

private:
    const std::shared_ptr<FakeDevice> device_;
};

}  // namespace lepton::fake
