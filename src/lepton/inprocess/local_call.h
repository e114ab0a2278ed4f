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

// One inference on its way through the scheduler and back into the caller's InferResult. Reused: a
// warm one allocates nothing. Between start() and the answer it belongs to the service.
class LocalCall final : private CallStage {
public:
    // Keeps a view of `request`, which must live until the answer; `observer` will see the call
    // begin and end. Errors: kInvalidArgument for tensors whose bytes do not match their datatype
    // and shape.
    Result<> prepare(const InferRequest& request, InferResult& result, CallObserver& observer);

    // Hands the call over and returns once its answer is in the prepared result.
    Result<> run(InferService& service);

    // Hands the call over; `done` is called with its answer, on any thread.
    using Done = void (*)(LocalCall& call, void* context);
    void start(InferService& service, Done done, void* context);

    // The error, for `done`; empty if the call succeeded.
    [[nodiscard]] std::optional<Error> take_error() { return std::move(call_.response.error); }

    // Drops the request and keeps the storage.
    void reset() { call_.reset(); }

private:
    void on_answer(InferCall& call, Last last) noexcept override;
    void take_outputs();
    // Returns false when the deadline came first.
    bool complete_by(Clock::time_point deadline);

    InferCall call_;
    InferResult* result_ = nullptr;
    Done done_ = nullptr;
    void* context_ = nullptr;

    Mutex mutex_;
    std::condition_variable changed_;
    bool complete_ LEPTON_GUARDED_BY(mutex_) = false;
};

// A pool of unused calls. Thread-safe.
class CallPool {
public:
    [[nodiscard]] std::unique_ptr<LocalCall> take();
    void give_back(std::unique_ptr<LocalCall> call);

private:
    Mutex mutex_;
    std::vector<std::unique_ptr<LocalCall>> idle_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::inprocess
