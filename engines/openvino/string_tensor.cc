#include "engines/openvino/string_tensor.h"

#include <cstring>
#include <limits>

#include "engines/openvino/utf8.h"

namespace lepton::openvino {

Result<> decode_strings(std::span<const std::byte> data,
                        std::span<std::string> strings,
                        const std::string& name,
                        StringContent content) {
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < strings.size(); ++i) {
        if (data.size() < sizeof length) {
            return fail(ErrorCode::kInvalidArgument,
                        "input \"" + name + "\" ends at element " + std::to_string(i) + " of " +
                            std::to_string(strings.size()));
        }
        std::memcpy(&length, data.data(), sizeof length);  // The wire is little-endian, as we are.
        data = data.subspan(sizeof length);
        if (data.size() < length) {
            return fail(ErrorCode::kInvalidArgument,
                        "element " + std::to_string(i) + " of input \"" + name + "\" claims " +
                            std::to_string(length) + " bytes, " + std::to_string(data.size()) +
                            " are left");
        }
        strings[i].assign(reinterpret_cast<const char*>(data.data()), length);
        data = data.subspan(length);
        if (content == StringContent::kBytes) continue;
        const std::size_t valid = valid_utf8_prefix(strings[i]);
        if (valid < length) {
            return fail(ErrorCode::kInvalidArgument,
                        "element " + std::to_string(i) + " of input \"" + name +
                            "\" is not UTF-8 at its byte " + std::to_string(valid));
        }
    }
    if (!data.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    "input \"" + name + "\" has " + std::to_string(data.size()) +
                        " bytes after its " + std::to_string(strings.size()) + " elements");
    }
    return {};
}

Result<> encode_strings(std::span<const std::string> strings, std::vector<std::byte>& bytes) {
    bytes.clear();
    for (const std::string& text : strings) {
        if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
            return fail(ErrorCode::kInternal, "an output string has 4 GiB or more");
        }
        const auto length = static_cast<std::uint32_t>(text.size());
        const std::size_t start = bytes.size();
        bytes.resize(start + sizeof length + length);
        std::memcpy(bytes.data() + start, &length, sizeof length);
        std::memcpy(bytes.data() + start + sizeof length, text.data(), length);
    }
    return {};
}

}  // namespace lepton::openvino
