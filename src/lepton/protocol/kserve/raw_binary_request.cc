#include "lepton/protocol/kserve/raw_binary_request.h"

#include <cstring>
#include <limits>
#include <string>

#include "lepton/protocol/tensor_bytes.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

tl::unexpected<Error> invalid(const ModelSpec& model, std::initializer_list<std::string_view> why) {
    return fail(
        ErrorCode::kInvalidArgument,
        concat({"model ", in_quotes(model.name), " takes no raw binary request: ", concat(why)}));
}

// Which extent follows from the body's size; the rank where none does.
Result<std::size_t> open_extent(const ModelSpec& model, Shape& shape) {
    std::size_t open = shape.rank();
    std::size_t count = 0;
    for (std::size_t i = 0; i < shape.rank(); ++i) {
        if (shape[i] >= 0) continue;
        ++count;
        open = i;
    }
    if (count == 2 && model.batches) {
        shape[0] = 1;
        return open;
    }
    if (count <= 1) return open;
    return invalid(model,
                   {"input ",
                    in_quotes(model.inputs[0].name),
                    " of shape ",
                    to_string(shape),
                    " has more than one open extent"});
}

Result<Shape> shape_for(const ModelSpec& model, std::size_t body_size) {
    const TensorSpec& input = model.inputs[0];
    Shape shape = input.shape;
    LEPTON_TRY(const std::size_t open, open_extent(model, shape));
    if (open < shape.rank()) shape[open] = 1;
    if (input.dtype == DataType::kBytes) {
        if (shape.element_count() == 1) return shape;
        return invalid(model,
                       {"input ",
                        in_quotes(input.name),
                        " of BYTES has shape ",
                        to_string(input.shape),
                        ", and the body is one element"});
    }
    LEPTON_TRY(const std::size_t count, element_count(input.name, input.dtype, shape));
    const std::size_t step = count * element_bytes(input.dtype);
    if (open < shape.rank() && step > 0) {
        if (body_size % step != 0) {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"the body has ",
                                std::to_string(body_size),
                                " bytes; input ",
                                in_quotes(input.name),
                                " of ",
                                to_string(input.dtype),
                                " and shape ",
                                to_string(input.shape),
                                " takes a multiple of ",
                                std::to_string(step)}));
        }
        shape[open] = static_cast<std::int64_t>(body_size / step);
    }
    return shape;
}

// The model's entry may be gone before the call is answered, so that its name is copied, together
// with the element of a BYTES input behind the prefix that the wire's layout wants.
void copy_to_scratch(net::Exchange& exchange,
                     memory::BufferPool& pool,
                     const TensorSpec& input,
                     InputTensor& wanted) {
    memory::Buffer& scratch = exchange.scratch;
    const std::span<const std::byte> body = exchange.message.body.bytes();
    const bool is_bytes = input.dtype == DataType::kBytes;
    const std::size_t size = input.name.size() + (is_bytes ? kBytesPrefix + body.size() : 0);
    if (scratch.capacity() == 0) scratch = pool.take(size);
    scratch.clear();
    scratch.reserve(size);
    scratch.append(input.name);
    wanted.name = scratch.text();
    TensorView& tensor = wanted.tensor;
    tensor.data = body;
    if (!is_bytes) return;
    const auto length = static_cast<std::uint32_t>(body.size());
    scratch.append(std::as_bytes(std::span(&length, 1)));
    scratch.append(body);
    tensor.data = scratch.bytes().subspan(input.name.size());
}

}  // namespace

Result<> decode_raw_binary(net::Exchange& exchange,
                           Request& request,
                           memory::BufferPool& pool,
                           const ModelCatalog& catalog) {
    LEPTON_TRY(const auto model, catalog.find(request.model_name, request.model_version));
    if (model->inputs.size() != 1) {
        return invalid(*model, {"it has ", std::to_string(model->inputs.size()), " inputs"});
    }
    const TensorSpec& input = model->inputs[0];
    const std::size_t body_size = exchange.message.body.size();
    if (body_size > std::numeric_limits<std::uint32_t>::max() && input.dtype == DataType::kBytes) {
        return invalid(*model, {"the element has ", std::to_string(body_size), " bytes"});
    }
    LEPTON_TRY(const Shape shape, shape_for(*model, body_size));
    request.binary_data_output = true;
    request.inputs.emplace_back();
    TensorView& tensor = request.inputs[0].tensor;
    tensor.dtype = input.dtype;
    tensor.shape = shape;
    copy_to_scratch(exchange, pool, input, request.inputs[0]);
    LEPTON_TRY(const std::size_t count, element_count(input.name, input.dtype, shape));
    return check_tensor_bytes(input.name, input.dtype, shape, count, tensor.data);
}

}  // namespace lepton::protocol
