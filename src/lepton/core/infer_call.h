#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "lepton/core/error.h"
#include "lepton/core/event_loop.h"
#include "lepton/core/request.h"
#include "lepton/core/response.h"
#include "lepton/core/timeline.h"
#include "lepton/core/trace_context.h"

namespace lepton {

class InferCall;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// Looks on at every inference of a transport. Thread-safe.
class CallObserver {
public:
    virtual ~CallObserver() = default;
    // The request was received, nothing of it decoded; call.trace says what its sender sent.
    virtual void on_begin(InferCall& call) noexcept = 0;
    // The answer was handed to the kernel, or thrown away; everything that the call refers to is
    // still there.
    virtual void on_end(const InferCall& call) noexcept = 0;
};

enum class CallProtocol : std::uint8_t { kInProcess, kHttp, kGrpc };

// One inference on its way through the server. The transport owns and reuses it; between infer()
// and on_complete it belongs to the service. As a Task it carries its own completion to the loop.
class InferCall final : public Task {
public:
    Request request;
    Response response;
    Timeline timeline;
    TraceContext trace;
    CallProtocol protocol = CallProtocol::kInProcess;
    int status = 0;                    // As the protocol answered: HTTP's, or gRPC's.
    CallObserver* observer = nullptr;  // Set by the transport; may be null.

    // Whose call it is, where clients share a queue fairly: a number of the transport's, which
    // stands for a connection. Kept from call to call, like the loop; 0: of nobody in particular.
    std::uint64_t client = 0;
    EventLoop* loop = nullptr;  // Null: on_complete runs on whichever thread completes.
    // Only without a loop: the thread that hands the call over has nothing to do until the answer,
    // so that a run of any length may take place on it.
    bool caller_waits = false;
    // Called exactly once, on the loop's thread when there is one.
    void (*on_complete)(InferCall& call) noexcept = nullptr;
    void* context = nullptr;  // The transport's own.
    // Memory of the transport's for that many bytes, at least 1, which stay for as long as the call
    // is not reset. Throws std::bad_alloc. Null only where no loop is set.
    std::byte* (*output_room)(InferCall& call, std::size_t bytes) = nullptr;
    // Set by the service, may be null: see written().
    void (*on_written)(InferCall& call) noexcept = nullptr;

    // Set by cancel(). Read without ordering: a late read only costs a wasted run.
    std::atomic<bool> cancelled{false};
    // Set by the service while it has the call, may be null: see cancel().
    void (*on_cancelled)(InferCall& call) noexcept = nullptr;

    // The scheduler's notes, meaningless to others.
    std::shared_ptr<void> route;    // What the pipeline chose; kept alive until the answer.
    std::int64_t rows = 1;          // Extent of the batch axis.
    std::uint64_t shape_class = 0;  // Equal for calls that may share a batch.
    std::size_t queued_behind = 0;  // Calls that waited when it was admitted.
    std::int64_t batch_rows = 0;    // Of the run that answered it; 0: none did.
    std::size_t row_bytes = 0;      // Of the inputs as they will be run: the size of its work.

    // Moves the outputs to where they outlive on_complete; nothing, if they are there already.
    // Throws std::bad_alloc.
    void keep_outputs();

    // Hands the call back to the transport, from any thread.
    void complete() {
        if (loop == nullptr || loop->on_loop_thread()) {
            run();
        } else {
            loop->post(*this);
        }
    }
    void complete(Error error) {
        response.error = std::move(error);
        complete();
    }

    // The client went away: a call that waits completes now, before this returns, and one that runs
    // when its run is over, with kCancelled. By the transport, on the call's loop.
    void cancel() {
        cancelled.store(true, std::memory_order_relaxed);
        if (on_cancelled != nullptr) on_cancelled(*this);
    }

    void run() noexcept override { on_complete(*this); }

    // The transport's last word: once the answer was handed to the kernel and timeline.written is
    // set; or, with `cancelled` set, once the answer is thrown away.
    void written() {
        if (on_written != nullptr) on_written(*this);
        if (observer != nullptr) observer->on_end(*this);
    }

    // Makes the call ready for the next request, keeping its storage.
    void reset();

private:
    bool outputs_kept_ = false;
};

}  // namespace lepton
