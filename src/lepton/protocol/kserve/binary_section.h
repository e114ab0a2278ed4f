#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lepton/core/request.h"
#include "lepton/core/result.h"

namespace lepton::protocol {

// The tensors behind the JSON part of a request, one after the other in the order of the inputs
// that say `binary_data_size`. Not thread-safe; one per thread, kept for its storage.
class BinarySection {
public:
    void begin() { tensors_.clear(); }

    // The input's next tensor has that many bytes.
    void expect(std::size_t input, std::uint64_t size) { tensors_.push_back({input, size}); }

    // Makes each expected input a view of its bytes; its name, datatype and shape are set.
    // Errors: kInvalidArgument, naming the input, where sizes disagree with each other, with the
    // shape, or with the section.
    Result<> place(std::span<const std::byte> section, Request& request) const;

private:
    struct Tensor {
        std::size_t input;
        std::uint64_t size;
    };
    std::vector<Tensor> tensors_;
};

}  // namespace lepton::protocol
