#include "engines/fake/fake_session.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include "lepton/core/clock.h"

namespace lepton::fake {
namespace {

template <class T>
void add_to(std::byte* data, std::size_t bytes, double value) {
    for (std::size_t at = 0; at + sizeof(T) <= bytes; at += sizeof(T)) {
        T element;
        std::memcpy(&element, data + at, sizeof element);
        element = static_cast<T>(element + static_cast<T>(value));
        std::memcpy(data + at, &element, sizeof element);
    }
}

void add_to(DataType dtype, std::byte* data, std::size_t bytes, double value) {
    switch (dtype) {
        case DataType::kUint8:
            return add_to<std::uint8_t>(data, bytes, value);
        case DataType::kUint16:
            return add_to<std::uint16_t>(data, bytes, value);
        case DataType::kUint32:
            return add_to<std::uint32_t>(data, bytes, value);
        case DataType::kUint64:
            return add_to<std::uint64_t>(data, bytes, value);
        case DataType::kInt8:
            return add_to<std::int8_t>(data, bytes, value);
        case DataType::kInt16:
            return add_to<std::int16_t>(data, bytes, value);
        case DataType::kInt32:
            return add_to<std::int32_t>(data, bytes, value);
        case DataType::kInt64:
            return add_to<std::int64_t>(data, bytes, value);
        case DataType::kFp32:
            return add_to<float>(data, bytes, value);
        case DataType::kFp64:
            return add_to<double>(data, bytes, value);
        case DataType::kBool:
        case DataType::kFp16:
        case DataType::kBf16:
        case DataType::kBytes:
            return;  // Refused when the file was read.
    }
}

[[noreturn]] void crash(const std::string& how) {
    constexpr int kExitStatus = 7;
    if (how == "exit") std::_Exit(kExitStatus);
    // A sanitizer would make an exit of it.
    for (const auto& [name, signal] : {std::pair("SIGFPE", SIGFPE),
                                       std::pair("SIGSEGV", SIGSEGV),
                                       std::pair("SIGABRT", SIGABRT)}) {
        if (how != name) continue;
        std::signal(signal, SIG_DFL);
        std::raise(signal);
    }
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

}  // namespace

FakeSession::FakeSession(std::shared_ptr<const FakeModel> model, bool batches)
    : model_(std::move(model)), batches_(batches) {
    for (std::size_t i = 0; i < model_->inputs.size(); ++i) slots_.push_back(pool_.take(64));
    for (std::size_t i = 0; i < model_->outputs.size(); ++i) results_.push_back(pool_.take(64));
}

Result<> FakeSession::prepare(std::int64_t rows) {
    if (rows < 1 || (rows > 1 && !batches_)) {
        return fail(ErrorCode::kInvalidArgument,
                    "cannot prepare " + std::to_string(rows) + " rows");
    }
    const auto at = std::lower_bound(prepared_.begin(), prepared_.end(), rows);
    if (at == prepared_.end() || *at != rows) prepared_.insert(at, rows);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        Shape shape = model_->inputs[i].shape;
        if (batches_) shape[0] = prepared_.back();
        const std::optional<std::int64_t> elements = shape.element_count();
        if (!elements) continue;  // Known with the request only.
        const std::size_t element = element_bytes(model_->inputs[i].dtype);
        slots_[i].resize(static_cast<std::size_t>(*elements) * element);
        if (!slots_[i].empty()) std::memset(slots_[i].data(), 0, slots_[i].size());
    }
    return {};
}

std::span<std::byte> FakeSession::slot(std::size_t index) {
    return {slots_[index].data(), slots_[index].size()};
}

Result<> FakeSession::check(std::int64_t rows, std::span<const TensorView> inputs) {
    // With shapes that only a request knows, nothing was prepared that could bound the rows.
    const bool bounded =
        std::all_of(model_->inputs.begin(), model_->inputs.end(), [](const TensorSpec& spec) {
            return !spec.shape.empty() && spec.shape.row().is_static();
        });
    if (batches_ && (rows < 1 || prepared_.empty() || (bounded && rows > prepared_.back()))) {
        return fail(ErrorCode::kInvalidArgument, "cannot run " + std::to_string(rows) + " rows");
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const TensorSpec& spec = model_->inputs[i];
        if (!spec.shape.accepts(inputs[i].shape) || (batches_ && inputs[i].shape[0] != rows)) {
            return fail(ErrorCode::kInvalidArgument,
                        "input \"" + spec.name + "\" has shape " + to_string(inputs[i].shape));
        }
    }
    if (!alive_) return lepton::fail(ErrorCode::kUnavailable, "the device is lost");
    if (model_->fail.empty()) return {};
    const std::span<const std::byte> first = inputs[0].data;
    if (!model_->fail_when_first_is ||
        (!first.empty() && std::to_integer<int>(first[0]) == *model_->fail_when_first_is)) {
        if (model_->fatal) alive_ = false;
        return lepton::fail(ErrorCode::kInternal, model_->fail);
    }
    return {};
}

std::chrono::microseconds FakeSession::time_of(std::int64_t rows) const {
    return model_->delay + model_->delay_per_row * rows;
}

void FakeSession::wait(std::int64_t rows) const {
    const auto time = time_of(rows);
    if (time.count() == 0) return;
    if (!model_->busy) return std::this_thread::sleep_for(time);
    const Clock::time_point end = Clock::now() + time;
    while (Clock::now() < end) {
    }
}

Result<> FakeSession::run(std::int64_t rows,
                          std::span<const TensorView> inputs,
                          std::span<TensorView> outputs) {
    LEPTON_RETURN_IF_ERROR(check(rows, inputs));
    wait(rows);
    return compute(rows, inputs, outputs);
}

Result<> FakeSession::compute(std::int64_t rows,
                              std::span<const TensorView> inputs,
                              std::span<TensorView> outputs) {
    if (!model_->crash.empty() && (model_->crash_rows == 0 || model_->crash_rows == rows)) {
        crash(model_->crash);
    }
    const double add = model_->add + (model_->mix_rows ? static_cast<double>(rows - 1) : 0);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        memory::Buffer& result = results_[i];
        result.clear();
        result.append(inputs[i].data);
        if (add != 0) add_to(inputs[i].dtype, result.data(), result.size(), add);
        outputs[i] = {inputs[i].dtype, inputs[i].shape, result.bytes()};
    }
    return {};
}

}  // namespace lepton::fake
