#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lepton/core/infer_call.h"
#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"
#include "lepton/engine/engine.h"
#include "lepton/model/padding.h"
#include "lepton/scheduler/answer_bound.h"

namespace lepton::scheduler {

// Is told of each run of the engine, just as it `ended`, before the calls that it answers; and
// takes each call once its outputs or its error are set. They are valid during done() only.
class CallSink {
public:
    virtual void ran(std::int64_t rows, Clock::duration took, Clock::time_point ended) = 0;
    virtual void done(InferCall& call) = 0;

protected:
    ~CallSink() = default;
};

// What bounds the runs of all models of a server.
struct RunLimits {
    std::size_t max_answer_bytes = 0;  // The maximum of one answer's tensors; 0: no bound.
    // Once it is set, a call that runs in pieces ends with kUnavailable after the one that runs.
    // Null: never.
    std::shared_ptr<const std::atomic<bool>> stop;
};

// Runs calls on one session: gathers their rows, calls the engine, and gives each its rows of the
// outputs. Keeps its working memory from run to run. Not thread-safe; the owner serialises.
//
//     call A: 1 row  -> slot [A ]                  outputs [A ] -> view for A
//     call B: 2 rows ->      [B0]  -> session.run ->       [B0] -> view for B
//                            [B1]                          [B1]
//
// Where the model's open axes are padded, the slot holds padded rows, and what the padding brought
// forth is cut off the outputs again. A call that runs in pieces ends after the one that runs when
// its client has gone, its deadline has passed, or the server stops.
class BatchRunner {
public:
    // Session and spec must outlive the runner.
    BatchRunner(engine::Session& session, const ModelSpec& spec, RunLimits limits = {});

    // Most rows that calls may bring together.
    [[nodiscard]] std::int64_t max_rows() const { return max_rows_; }

    // Precondition: the calls match the model, share a shape class, and bring at most max_rows()
    // rows, or it is one call. Sets timeline, and response.outputs or response.error, of each and
    // hands it to `sink`.
    void run(std::span<InferCall* const> calls, CallSink& sink);

private:
    Result<> run_one(InferCall& call, CallSink& sink);
    Result<> run_in_pieces(InferCall& call, CallSink& sink);
    Result<> run_together(std::span<InferCall* const> calls, std::int64_t rows, CallSink& sink);
    // One run, of `answers` calls.
    Result<> call_engine(std::int64_t rows, std::size_t answers, CallSink& sink);
    // Whether another run for this call is worth it.
    [[nodiscard]] Result<> may_go_on(const InferCall& call) const;
    // Adds to pieces_ what the last run computed.
    Result<> keep_outputs(const InferCall& call);
    void gather(std::size_t index, std::span<InferCall* const> calls, std::int64_t rows);
    void gather_padded(std::size_t index, std::span<InferCall* const> calls, std::int64_t rows);
    // Room for an input, in the session's slot if it is large enough.
    std::span<std::byte> room(std::size_t index, std::size_t bytes);
    // Takes what padding brought forth off output `index` in rows_.
    void cut(std::size_t index, const model::Padding& padding);
    // Fills the answer of `call` from rows_, unless it is too large.
    void answer(InferCall& call);
    void stamp(InferCall& call) const;

    engine::Session& session_;
    const ModelSpec& spec_;
    const RunLimits limits_;
    const AnswerBound bound_;
    std::int64_t max_rows_;
    std::vector<TensorView> inputs_;                // In the model's order, like all that follow.
    std::vector<TensorView> outputs_;               // The outputs of the whole run.
    std::vector<TensorView> rows_;                  // The outputs of the call at hand.
    std::vector<std::vector<std::byte>> gathered_;  // For inputs without a slot of their own.
    std::vector<std::vector<std::byte>> pieces_;    // Outputs of a call that ran in pieces, or cut.
    std::vector<std::size_t> sizes_;                // The sizes of outputs that are checked.
    Timeline stamps_;                               // The stations of the run.
    std::int64_t run_rows_ = 0;
};

}  // namespace lepton::scheduler
