#include "engines/fake/device_session.h"

#include <condition_variable>
#include <optional>

#include "lepton/core/sync.h"

namespace lepton::fake {
namespace {

class Waiter final : public engine::RunCompletion {
public:
    void on_run(Result<> result) noexcept override {
        // Notified under the lock: whoever waits destroys this as soon as it may.
        const MutexLock lock(mutex_);
        result_ = std::move(result);
        done_.notify_all();
    }
    Result<> wait() {
        MutexLock lock(mutex_);
        while (!result_) done_.wait(lock.native());
        return *std::move(result_);
    }

private:
    Mutex mutex_;
    std::condition_variable done_;
    std::optional<Result<>> result_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace

DeviceSession::~DeviceSession() { device_->forget(*this); }

void DeviceSession::start(std::int64_t rows,
                          std::span<const TensorView> inputs,
                          std::span<TensorView> outputs,
                          engine::RunCompletion& done) {
    if (Result<> checked = check(rows, inputs); !checked) return done.on_run(std::move(checked));
    device_->add({this, rows, inputs, outputs, &done, time_of(rows)});
}

Result<> DeviceSession::run(std::int64_t rows,
                            std::span<const TensorView> inputs,
                            std::span<TensorView> outputs) {
    Waiter waiter;
    start(rows, inputs, outputs, waiter);
    return waiter.wait();
}

}  // namespace lepton::fake
