#include "lepton/inprocess/local_call.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lepton/core/tensor_storage.h"
#include "lepton/protocol/tensor_bytes.h"

namespace lepton::inprocess {
namespace {

// Appends to `bytes`, which have room for it.
std::string_view append(ByteBuffer& bytes, std::string_view text) {
    std::byte* const at = bytes.room().data();
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    bytes.grow_by(text.size());
    return {reinterpret_cast<const char*>(at), text.size()};
}

Clock::time_point deadline_of(const InferRequest& request, Clock::time_point now) {
    if (request.timeout <= request.timeout.zero()) return request.deadline;
    if (request.timeout > kNoDeadline - now) return request.deadline;
    return std::min(request.deadline, now + request.timeout);
}

}  // namespace

Result<> LocalCall::prepare(const InferRequest& request,
                            InferResult& result,
                            CallObserver& observer) {
    result_ = &result;
    result.contents().clear();
    Request& wanted = call_.request;
    wanted.model_name = request.model;
    wanted.model_version = request.version;
    wanted.id = request.id;
    for (const Input& input : request.inputs) {
        LEPTON_TRY(const std::size_t count,
                   protocol::element_count(input.name, input.dtype, input.shape));
        LEPTON_RETURN_IF_ERROR(
            protocol::check_tensor_bytes(input.name, input.dtype, input.shape, count, input.data));
        wanted.inputs.push_back({input.name, {input.dtype, input.shape, input.data}});
    }
    for (const std::string_view name : request.outputs) {
        wanted.outputs.push_back({name, std::nullopt});
    }
    wanted.parameters.assign(request.parameters.begin(), request.parameters.end());
    wanted.priority = request.priority;
    const Clock::time_point now = Clock::now();
    wanted.deadline = deadline_of(request, now);
    call_.timeline.begun = call_.timeline.received = call_.timeline.decoded = now;
    call_.push(*this);
    call_.push(observer);
    observer.on_begin(call_);
    return {};
}

Result<> LocalCall::run(InferService& service) {
    done_ = nullptr;
    {
        const MutexLock lock(mutex_);
        complete_ = false;
    }
    call_.caller_waits = true;
    service.infer(call_);
    if (!complete_by(call_.request.deadline)) {
        call_.expire();
        complete_by(kNoDeadline);
    }
    if (!call_.response.error) return {};
    return tl::unexpected<Error>(*std::move(call_.response.error));
}

bool LocalCall::complete_by(Clock::time_point deadline) {
    MutexLock lock(mutex_);
    while (!complete_) {
        if (deadline == kNoDeadline) {
            changed_.wait(lock.native());
        } else if (changed_.wait_until(lock.native(), deadline) == std::cv_status::timeout) {
            return complete_;
        }
    }
    return true;
}

void LocalCall::start(InferService& service, Done done, void* context) {
    done_ = done;
    context_ = context;
    service.infer(call_);
}

// NOLINTNEXTLINE(bugprone-exception-escape): only when memory runs out, which ends the process.
void LocalCall::on_answer(InferCall& /*call*/, Last /*last*/) noexcept {
    take_outputs();
    if (done_ != nullptr) return done_(*this, context_);
    const MutexLock lock(mutex_);
    complete_ = true;
    // Notify under the lock: whoever waits may reuse the call as soon as it sees the answer.
    changed_.notify_one();
}

// Takes the outputs out of the instance, whose next run overwrites them.
void LocalCall::take_outputs() {
    if (!call_.response.error) {
        InferResult::Contents& contents = result_->contents();
        const ModelSpec& model = *call_.response.model;
        std::size_t tensors = 0;
        std::size_t texts = model.name.size() + model.version.size() + call_.request.id.size();
        for (const OutputTensor& output : call_.response.outputs) {
            tensors += aligned_tensor(output.tensor.data.size());
            texts += output.name.size();
        }
        contents.bytes.reserve(tensors + texts);
        for (const OutputTensor& output : call_.response.outputs) {
            const auto& data = output.tensor.data;
            std::byte* const at = contents.bytes.room().data();
            if (!data.empty()) std::memcpy(at, data.data(), data.size());
            contents.bytes.grow_by(aligned_tensor(data.size()));
            contents.outputs.push_back(
                {{}, output.tensor.dtype, output.tensor.shape, {at, data.size()}});
        }
        contents.model_name = append(contents.bytes, model.name);
        contents.model_version = append(contents.bytes, model.version);
        contents.id = append(contents.bytes, call_.request.id);
        for (std::size_t i = 0; i < contents.outputs.size(); ++i) {
            contents.outputs[i].name = append(contents.bytes, call_.response.outputs[i].name);
        }
        call_.timeline.encoded = Clock::now();
        contents.timing = breakdown_of(call_.timeline, call_.timeline.encoded);
    }
    call_.timeline.written = Clock::now();
    call_.written();
}

std::unique_ptr<LocalCall> CallPool::take() {
    {
        const MutexLock lock(mutex_);
        if (!idle_.empty()) {
            std::unique_ptr<LocalCall> call = std::move(idle_.back());
            idle_.pop_back();
            return call;
        }
    }
    return std::make_unique<LocalCall>();
}

void CallPool::give_back(std::unique_ptr<LocalCall> call) {
    call->reset();
    const MutexLock lock(mutex_);
    idle_.push_back(std::move(call));
}

}  // namespace lepton::inprocess
