#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "lepton/core/clock.h"
#include "lepton/core/device.h"
#include "lepton/core/sync.h"
#include "lepton/core/tensor.h"
#include "lepton/engine/engine.h"

namespace lepton::fake {

class DeviceSession;

// Computes by itself, as a GPU does: runs queue up and are computed one at a time, in order, each
// of which takes as long as its model says by the device's own clock. That is the steady clock, or
// one that stands until somebody moves it, so that a test says when a run ends. Thread-safe.
class FakeDevice {
public:
    struct Run {
        DeviceSession* session;
        std::int64_t rows;
        std::span<const TensorView> inputs;
        std::span<TensorView> outputs;
        engine::RunCompletion* done;
        Clock::duration takes;
    };

    explicit FakeDevice(bool clock_stands);
    ~FakeDevice();  // No session is left that has a run here.
    FakeDevice(const FakeDevice&) = delete;
    FakeDevice& operator=(const FakeDevice&) = delete;

    void add(const Run& run);
    // Where the clock stands: that much later.
    void advance(Clock::duration time);
    // Completes what is here of a session, with an error, and returns when it is completed.
    void forget(const DeviceSession& session);

private:
    void work();
    [[nodiscard]] Clock::time_point now() const LEPTON_REQUIRES(mutex_);
    // The first run, once its time is over; nothing at the end.
    [[nodiscard]] std::optional<Run> next();

    const bool clock_stands_;
    mutable Mutex mutex_;
    std::condition_variable changed_;
    std::deque<Run> runs_ LEPTON_GUARDED_BY(mutex_);
    Clock::time_point time_ LEPTON_GUARDED_BY(mutex_);       // Of a clock that stands.
    Clock::time_point free_from_ LEPTON_GUARDED_BY(mutex_);  // When the last run was over.
    const DeviceSession* completing_ LEPTON_GUARDED_BY(mutex_) = nullptr;
    bool stopping_ LEPTON_GUARDED_BY(mutex_) = false;
    std::thread thread_;  // Last: it uses the rest.
};

// The devices of the fake engine besides the CPU, each made when first asked for: "gpu:0", and
// "gpu:1", whose clock stands. Thread-safe.
class FakeDevices {
public:
    static constexpr int kCount = 2;
    static constexpr int kStanding = 1;  // Index of the one whose clock stands.

    // Precondition: a GPU, of an index below kCount.
    std::shared_ptr<FakeDevice> get(Device device);

private:
    Mutex mutex_;
    std::map<Device, std::shared_ptr<FakeDevice>> devices_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::fake
