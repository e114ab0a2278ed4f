#include "lepton/protocol/kserve/binary_section.h"

#include <string>

#include "lepton/protocol/tensor_bytes.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {

Result<> BinarySection::place(std::span<const std::byte> section, Request& request) const {
    std::span<const std::byte> rest = section;
    for (const Tensor& expected : tensors_) {
        InputTensor& input = request.inputs[expected.input];
        TensorView& tensor = input.tensor;
        LEPTON_TRY(const std::size_t count, element_count(input.name, tensor.dtype, tensor.shape));
        if (expected.size > rest.size()) {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"input ",
                                in_quotes(input.name),
                                ": \"binary_data_size\" is ",
                                std::to_string(expected.size),
                                ", and ",
                                std::to_string(rest.size()),
                                " of the ",
                                std::to_string(section.size()),
                                " bytes that follow the JSON part are left"}));
        }
        tensor.data = rest.first(expected.size);
        rest = rest.subspan(expected.size);
        LEPTON_RETURN_IF_ERROR(
            check_tensor_bytes(input.name, tensor.dtype, tensor.shape, count, tensor.data));
    }
    if (rest.empty()) return {};
    return fail(ErrorCode::kInvalidArgument,
                concat({std::to_string(rest.size()),
                        " bytes follow the last tensor that \"binary_data_size\" tells of"}));
}

}  // namespace lepton::protocol
