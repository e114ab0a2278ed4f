#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "lepton/core/check.h"
#include "lepton/core/error.h"
#include "lepton/core/event_loop.h"
#include "lepton/core/request.h"
#include "lepton/core/response.h"
#include "lepton/core/timeline.h"
#include "lepton/core/trace_context.h"

namespace lepton {

class InferCall;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// Whether an answer is all there is to come. kNo: a part of a stream, which goes on.
enum class Last : bool { kNo, kYes };

// One layer that a call passes on its way in and that hears of it on its way back: the transport
// outermost, then whoever looks on, then the model's node. A layer pushes its stage and hands the
// call on:
//
//     transport: push, infer()  -->  node: push, queue, run
//         on_answer   <--  on_answer  <--  answer()      innermost first
//         written()   -->  on_written of every stage     innermost first
//
// One object may be the stage of many calls at a time. All is called on the call's loop, if it has
// one; else on whichever thread answers, but for expire().
class CallStage {
public:
    // call.response holds the answer, or the next part of it, and the call is this stage's again.
    // It looks at the answer or changes it, and hands it on with call.answer(last), which is all
    // that a stage without interest does. A last answer may be handed on later, from any thread;
    // once that is done, the call must not be touched. A part is handed on before this returns.
    virtual void on_answer(InferCall& call, Last last) noexcept;

    // The transport's last word: the last answer was handed to the kernel, and timeline.written is
    // set; or it was thrown away. All that the call refers to is still there, for the last time.
    virtual void on_written(const InferCall& call) noexcept { static_cast<void>(call); }

    // The client has gone; call.cancelled says so too. For the innermost stage only, and only while
    // the answer has not begun: it answers a call that waits with kCancelled before this returns,
    // and one that runs when its run is over.
    virtual void on_cancelled(InferCall& call) noexcept { static_cast<void>(call); }

    // For the innermost stage only: ends the call, with kDeadlineExceeded, if its deadline is past
    // and it still waits for an instance. See InferCall::expire().
    virtual void expire(InferCall& call) { static_cast<void>(call); }

protected:
    ~CallStage() = default;
};

enum class CallProtocol : std::uint8_t { kInProcess, kHttp, kGrpc };

// One inference on its way through the server. The transport owns and reuses it; between
// InferService::infer() and the transport's on_answer it belongs to the stages further in. As a
// Task it carries its own answer to the loop.
class InferCall final : private Task {
public:
    // A chain is as long as there are layers, not as there are models: who asks several models
    // makes calls of its own.
    static constexpr std::size_t kMostStages = 6;

    Request request;
    Response response;
    Timeline timeline;
    TraceContext trace;
    CallProtocol protocol = CallProtocol::kInProcess;
    // What the protocol calls the way by which it came, such as "/v2/models/{model}/infer": static
    // storage; empty in-process.
    std::string_view route;
    int status = 0;  // The protocol's status: HTTP's, or gRPC's.

    // Whose call it is, where clients share a queue fairly: a number of the transport's, which
    // stands for a connection. Kept from call to call, like the loop; 0: of nobody in particular.
    std::uint64_t client = 0;
    EventLoop* loop = nullptr;  // Null: the answer comes on whichever thread has it.
    // Only without a loop: the thread that hands the call over has nothing to do until the answer,
    // so that a run of any length may take place on it.
    bool caller_waits = false;

    // Set by cancel(). Read without ordering: a late read only costs a wasted run.
    std::atomic<bool> cancelled{false};

    // The scheduler's notes, meaningless to others.
    std::int64_t rows = 1;          // Extent of the batch axis.
    std::uint64_t shape_class = 0;  // Equal for calls that may share a batch.
    std::size_t queued_behind = 0;  // Calls that waited when it was admitted.
    std::int64_t batch_rows = 0;    // Rows of the run that answered it; 0: none did.
    std::size_t row_bytes =
        0;  // Bytes of a row of the inputs as they will be run: the size of its work.

    // Makes `stage` the innermost one: it will have the answer before those that are there. On the
    // way in only, on the thread that hands the call over, and before anybody else can answer it.
    // The stage outlives the call's reset(): by itself, or because the call shares in owning it.
    void push(CallStage& stage) {
        push(std::shared_ptr<CallStage>(std::shared_ptr<void>(), &stage));
    }
    void push(std::shared_ptr<CallStage> stage) {
        LEPTON_CHECK(stages_ < kMostStages);
        chain_[stages_++] = std::move(stage);
        unanswered_ = stages_;
    }

    // Hands call.response on, outwards: to the innermost stage that has not had it. By whoever has
    // the call; the last one from any thread, and the call must not be touched afterwards. A part
    // (Last::kNo) only on the loop's thread, if there is a loop, and when this returns, it was
    // taken, and response may hold the next one.
    void answer(Last last = Last::kYes) {
        if (loop == nullptr || loop->on_loop_thread()) {
            hand_on(last);
        } else {
            loop->post(*this);
        }
    }
    // The answer is that error.
    void answer(Error error) {
        response.error = std::move(error);
        answer();
    }

    // The client went away. By the transport, on the call's loop.
    void cancel() {
        cancelled.store(true, std::memory_order_relaxed);
        if (stages_ > 0 && unanswered_ == stages_) chain_[stages_ - 1]->on_cancelled(*this);
    }

    // For a call without a loop, whose deadline nobody else watches. By the transport, which keeps
    // the call until this has returned. Precondition: infer(call) has.
    void expire() {
        if (stages_ > 0) chain_[stages_ - 1]->expire(*this);
    }

    // The transport's last word: once the answer was handed to the kernel and timeline.written is
    // set; or once it is thrown away.
    void written() const {
        for (std::size_t i = stages_; i-- > 0;) chain_[i]->on_written(*this);
    }

    // Makes the call ready for the next request, keeping its storage.
    void reset();

private:
    void run() noexcept override { hand_on(Last::kYes); }
    void hand_on(Last last) noexcept {
        const std::size_t before = unanswered_;
        unanswered_ = before - 1;
        chain_[before - 1]->on_answer(*this, last);
        if (last == Last::kNo) unanswered_ = before;  // Each part goes all the way.
    }

    // Outermost first; those that outlive the call by themselves are not owned.
    std::array<std::shared_ptr<CallStage>, kMostStages> chain_;
    std::size_t stages_ = 0;
    std::size_t unanswered_ = 0;  // The stages that the answer has not reached.
};

inline void CallStage::on_answer(InferCall& call, Last last) noexcept { call.answer(last); }

}  // namespace lepton
