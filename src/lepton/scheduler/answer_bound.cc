#include "lepton/scheduler/answer_bound.h"

#include <algorithm>
#include <limits>
#include <string>

namespace lepton::scheduler {
namespace {

constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
// No tensor is larger, and a size that overflows is.
constexpr std::size_t kUnbounded = std::numeric_limits<std::ptrdiff_t>::max();
constexpr std::size_t kStringPrefix = sizeof(std::uint32_t);

std::size_t saturating_product(std::size_t a, std::size_t b) {
    std::size_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? kMax : product;
}

std::size_t saturating_sum(std::size_t a, std::size_t b) {
    std::size_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? kMax : sum;
}

// Zero where an extent is open.
std::size_t least_bytes(const TensorSpec& output, bool batches) {
    const Shape shape = batches ? output.shape.row() : output.shape;
    const std::size_t element =
        output.dtype == DataType::kBytes ? kStringPrefix : element_bytes(output.dtype);
    return saturating_product(static_cast<std::size_t>(shape.element_count().value_or(0)), element);
}

tl::unexpected<Error> too_large(const TensorSpec& largest,
                                std::size_t its_bytes,
                                std::size_t bytes,
                                std::size_t most) {
    return fail(ErrorCode::kPayloadTooLarge,
                "output \"" + largest.name + "\" has " + std::to_string(its_bytes) +
                    " bytes of an answer of " + std::to_string(bytes) + ", at most " +
                    std::to_string(most) + " are allowed (--max-answer-bytes)");
}

}  // namespace

bool is_wanted(const Request& request, const TensorSpec& output) {
    return request.outputs.empty() ||
           std::any_of(request.outputs.begin(),
                       request.outputs.end(),
                       [&output](const RequestedOutput& one) { return one.name == output.name; });
}

AnswerBound::AnswerBound(const ModelSpec& spec, std::size_t most)
    : spec_(spec), most_(most == 0 ? kUnbounded : most) {
    for (const TensorSpec& output : spec.outputs) {
        row_bytes_.push_back(least_bytes(output, spec.batches));
        all_row_bytes_ = saturating_sum(all_row_bytes_, row_bytes_.back());
    }
}

Result<> AnswerBound::check(const Request& request, std::int64_t rows) const {
    if (saturating_product(all_row_bytes_, static_cast<std::size_t>(rows)) <= most_) [[likely]]
        return {};
    return check(request, row_bytes_, 1, rows);
}

Result<> AnswerBound::check(const Request& request,
                            std::span<const std::size_t> bytes,
                            std::int64_t of,
                            std::int64_t rows) const {
    std::size_t total = 0;
    std::size_t most = 0;
    std::size_t largest = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (!is_wanted(request, spec_.outputs[i])) continue;
        const std::size_t size = saturating_product(bytes[i] / static_cast<std::size_t>(of),
                                                    static_cast<std::size_t>(rows));
        total = saturating_sum(total, size);
        if (size < most) continue;
        most = size;
        largest = i;
    }
    if (total <= most_) return {};
    return too_large(spec_.outputs[largest], most, total, most_);
}

Result<> AnswerBound::check_run(std::span<const std::size_t> bytes, std::size_t answers) const {
    std::size_t total = 0;
    for (const std::size_t size : bytes) total = saturating_sum(total, size);
    if (total <= std::min(saturating_product(most_, answers), kUnbounded)) [[likely]]
        return {};
    const auto largest = std::max_element(bytes.begin(), bytes.end());
    return too_large(
        spec_.outputs[static_cast<std::size_t>(largest - bytes.begin())], *largest, total, most_);
}

}  // namespace lepton::scheduler
