#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lepton/core/data_type.h"
#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"
#include "lepton/core/shape.h"
#include "lepton/core/warm_up_sample.h"

namespace lepton::model {

// What config.pbtxt declares as a request that the model takes, with its data.
struct DeclaredSample {
    struct Input {
        std::string name;
        DataType dtype = DataType::kFp32;
        Shape shape;  // Whole: batch axis included.
        std::vector<std::byte> data;
    };

    std::string what;       // For messages: warm-up sample "typical".
    std::int64_t rows = 1;  // Where axis 0 counts rows; the inputs may hold fewer, which repeat.
    int count = 1;          // How often it runs.
    std::vector<Input> inputs;
};

// Reads the files, and makes up what is declared as zeros or random. `dims_of_rows` and
// `max_batch_size` are the configuration's. Errors: kInvalidArgument naming sample and input, for a
// file that is not one in `folder`, or holds other than exactly the declared elements, and for
// sizes out of bounds.
Result<std::vector<DeclaredSample>> read_samples(std::span<const WarmUpSample> declared,
                                                 const std::filesystem::path& folder,
                                                 bool dims_of_rows,
                                                 std::optional<std::int64_t> max_batch_size);

// Where the files of a model's samples are; `model_file` is that of one of its versions.
[[nodiscard]] std::filesystem::path samples_folder(const std::filesystem::path& model_file);

// Changes with all that is declared, the content of files included; empty for no sample.
[[nodiscard]] std::string digest_of(std::span<const DeclaredSample> samples);

// Puts the inputs into the order of the signature. Errors: kInvalidArgument naming sample and
// input, for one that the model lacks or that is missing, another datatype, or another shape.
Result<> fit_samples(std::vector<DeclaredSample>& samples, std::span<const TensorSpec> inputs);

// For a model whose axis 0 counts rows, which all inputs have alike: sets `rows` where only the
// shapes say it. Errors: kInvalidArgument naming sample and input.
Result<> count_rows(std::vector<DeclaredSample>& samples);

// Its first row with `extent` in place of each extent of an open axis behind axis 0: cut, or filled
// with zeros. Precondition: it fits `inputs`, none of which is kBytes or without rows.
[[nodiscard]] DeclaredSample padded(const DeclaredSample& sample,
                                    std::span<const TensorSpec> inputs,
                                    std::int64_t extent);

}  // namespace lepton::model
