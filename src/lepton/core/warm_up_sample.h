#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lepton/core/data_type.h"
#include "lepton/core/shape.h"

namespace lepton {

// One entry of config.pbtxt's model_warmup: a request that the model takes, as it was declared.
struct WarmUpSample {
    enum class Content : std::uint8_t { kZero, kRandom, kFile };
    struct Input {
        std::string name;
        DataType dtype = DataType::kFp32;
        Shape dims;  // Without the batch axis where the declaration's max_batch_size is above 0.
        Content content = Content::kZero;
        std::string file;  // Its name in the folder `warmup` of the model, for kFile.
    };

    std::string name;
    std::int64_t batch_size = 1;  // How often the inputs stand behind each other.
    int count = 1;                // How often it runs.
    std::vector<Input> inputs;    // Sorted by name.
};

}  // namespace lepton
