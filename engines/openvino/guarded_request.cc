#include "engines/openvino/guarded_request.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <openvino/runtime/allocator.hpp>

#include "engines/openvino/aligned_bytes.h"
#include "engines/openvino/failure.h"
#include "engines/openvino/run_marks.h"

namespace lepton::openvino {
namespace {

const std::array<std::string, kMarks.size()> kTextMarks{std::string("\x01 not written \x02"),
                                                        std::string("\x02 not written \x01")};

void mark(ov::Tensor& tensor, std::size_t pass, bool thorough) {
    if (tensor.get_size() == 0) return;
    if (tensor.get_element_type() == ov::element::string) {
        tensor.data<std::string>()[0] = kTextMarks[pass];
        return;
    }
    const std::span bytes{static_cast<std::byte*>(tensor.data()), tensor.get_byte_size()};
    thorough ? fill_with_marks(bytes, kMarks[pass]) : put_mark(bytes, kMarks[pass]);
}

bool is_marked(const ov::Tensor& tensor, std::size_t pass, bool thorough) {
    if (tensor.get_size() == 0) return false;
    if (tensor.get_element_type() == ov::element::string) {
        return tensor.data<const std::string>()[0] == kTextMarks[pass];
    }
    const std::span bytes{static_cast<const std::byte*>(tensor.data()), tensor.get_byte_size()};
    return thorough ? has_mark_anywhere(bytes, kMarks[pass]) : has_mark(bytes, kMarks[pass]);
}

// An allocator of memory that is marked from the start.
class MarkedMemory {
public:
    explicit MarkedMemory(std::uint64_t mark) : mark_(mark) {}
    // NOLINTNEXTLINE(readability-convert-member-functions-to-static): ov::Allocator calls it so.
    void* allocate(std::size_t bytes, std::size_t alignment) {
        static_cast<void>(alignment);
        AlignedBytes memory = make_aligned_bytes(bytes);
        fill_with_marks({memory.get(), bytes}, mark_);
        return memory.release();
    }
    void deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept {
        static_cast<void>(bytes), static_cast<void>(alignment);
        FreeBytes()(static_cast<std::byte*>(memory));
    }
    [[nodiscard]] bool is_equal(const MarkedMemory& other) const { return mark_ == other.mark_; }

private:
    std::uint64_t mark_;
};

// Returns the shape with `extent` in place of each open extent.
ov::Shape closed(const ov::PartialShape& shape, std::size_t extent) {
    ov::Shape dims;
    for (const ov::Dimension& dim : shape) {
        dims.push_back(dim.is_static() ? static_cast<std::size_t>(dim.get_length()) : extent);
    }
    return dims;
}

}  // namespace

Result<GuardedRequest> GuardedRequest::make(ov::CompiledModel compiled,
                                            std::shared_ptr<const Plan> plan) {
    return guarded(ErrorCode::kInternal, "no request can be made", [&] {
        GuardedRequest made;
        made.request_ = compiled.create_infer_request();
        made.plan_ = std::move(plan);
        made.outputs_.resize(compiled.outputs().size());
        for (std::size_t i = 0; i < made.outputs_.size(); ++i) {
            const auto& port = compiled.output(i);
            made.outputs_[i].tensor = ov::Tensor(port.get_element_type(), ov::Shape{0});
            made.outputs_[i].fixed_shape = port.get_partial_shape();
            made.open_output(i, port.get_partial_shape());
            if (i < made.output_count() || port.get_partial_shape().is_dynamic()) continue;
            made.set_output(i, ov::Tensor(port.get_element_type(), port.get_shape()));
        }
        return made;
    });
}

void GuardedRequest::set_output(std::size_t index, const ov::Tensor& tensor) {
    outputs_[index].tensor = tensor;
    outputs_[index].open = false;
    request_.set_output_tensor(index, tensor);
}

void GuardedRequest::open_output(std::size_t index, const ov::PartialShape& shape) {
    outputs_[index].open = true;
    outputs_[index].shape = shape;
}

void GuardedRequest::run(std::size_t pass, bool thorough) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        Output& output = outputs_[i];
        if (!output.open) {
            mark(output.tensor, pass, thorough);
            continue;
        }
        // Empty in the first pass, because a run nearly always gives more than nothing.
        output.tensor = ov::Tensor(output.tensor.get_element_type(),
                                   closed(output.shape, pass),
                                   ov::Allocator(MarkedMemory(kMarks[pass])));
        request_.set_output_tensor(i, output.tensor);
    }
    if (plan_->keeps_state) request_.reset_state();
    request_.infer();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        if (outputs_[i].open) outputs_[i].tensor = request_.get_output_tensor(i);
    }
}

std::size_t GuardedRequest::unwritten(std::size_t pass, bool thorough) const {
    const auto found = std::find_if(outputs_.begin(), outputs_.end(), [&](const Output& output) {
        if (is_marked(output.tensor, pass, thorough || output.open)) return true;
        // It is empty, as it was before the run: the other pass begins with more.
        return output.open && pass == 0 && output.tensor.get_size() == 0 &&
               output.tensor.get_shape() == closed(output.shape, pass);
    });
    return static_cast<std::size_t>(found - outputs_.begin());
}

Result<> GuardedRequest::infer(bool thorough) {
    run(0, thorough);
    if (unwritten(0, thorough) < outputs_.size()) {
        run(1, thorough);
        if (const std::size_t left = unwritten(1, thorough); left < outputs_.size()) {
            return fail(ErrorCode::kInternal,
                        "OpenVINO did not compute all of output " + std::to_string(left) +
                            ", and gave no reason");
        }
    }
    for (std::size_t i = 0; i < plan_->faults.size(); ++i) {
        const ov::Tensor& flag = outputs_[output_count() + i].tensor;
        if (*static_cast<const std::uint8_t*>(flag.data()) != 0) {
            return fail(ErrorCode::kInvalidArgument, plan_->faults[i]);
        }
    }
    return {};
}

}  // namespace lepton::openvino
