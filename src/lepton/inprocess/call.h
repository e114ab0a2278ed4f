#pragma once

#include <condition_variable>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lepton/core/infer_service.h"
#include "lepton/core/sync.h"
#include "lepton/inference.h"

namespace lepton::inprocess {

// One inference on its way through the scheduler and back into the InferResult of whoever asked.
// Reused: a warm one allocates nothing. Between start() and the answer it belongs to the service.
class Call final : private CallStage {
public:
    // Looks at `request`, which stays until the answer; `observer` will see the call begin and end.
    // Errors: kInvalidArgument for tensors whose bytes are not what their datatype and shape say.
    Result<> prepare(const InferRequest& request, InferResult& result, CallObserver& observer);

    // Hands the call over and returns with its answer in the prepared result.
    Result<> run(InferService& service);

    // Hands the call over; `done` is called with its answer, on any thread.
    using Done = void (*)(Call& call, void* context);
    void start(InferService& service, Done done, void* context);

    // What `done` gets to know; empty where it succeeded.
    [[nodiscard]] std::optional<Error> take_error() { return std::move(call_.response.error); }

    // Forgets the request, keeping the storage.
    void reset() { call_.reset(); }

private:
    void on_answer(InferCall& call, Last last) noexcept override;
    void take_outputs();
    // False when the deadline came first.
    bool complete_by(Clock::time_point deadline);

    InferCall call_;
    InferResult* result_ = nullptr;
    Done done_ = nullptr;
    void* context_ = nullptr;

    Mutex mutex_;
    std::condition_variable changed_;
    bool complete_ LEPTON_GUARDED_BY(mutex_) = false;
};

// Calls that are not in use. Thread-safe.
class CallPool {
public:
    [[nodiscard]] std::unique_ptr<Call> take();
    void give_back(std::unique_ptr<Call> call);

private:
    Mutex mutex_;
    std::vector<std::unique_ptr<Call>> idle_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::inprocess
