#include "lepton/core/data_type.h"

#include <array>

namespace lepton {
namespace {

struct Row {
    std::string_view name;
    std::size_t bytes;
};

// Indexed by DataType.
constexpr std::array<Row, kDataTypeCount> kRows{{{"BOOL", 1},
                                                 {"UINT8", 1},
                                                 {"UINT16", 2},
                                                 {"UINT32", 4},
                                                 {"UINT64", 8},
                                                 {"INT8", 1},
                                                 {"INT16", 2},
                                                 {"INT32", 4},
                                                 {"INT64", 8},
                                                 {"FP16", 2},
                                                 {"BF16", 2},
                                                 {"FP32", 4},
                                                 {"FP64", 8},
                                                 {"BYTES", 0}}};

}  // namespace

std::string_view to_string(DataType type) { return kRows[static_cast<std::size_t>(type)].name; }

std::optional<DataType> parse_data_type(std::string_view name) {
    for (std::size_t i = 0; i < kRows.size(); ++i) {
        if (kRows[i].name == name) return static_cast<DataType>(i);
    }
    return std::nullopt;
}

std::size_t element_bytes(DataType type) { return kRows[static_cast<std::size_t>(type)].bytes; }

}  // namespace lepton
