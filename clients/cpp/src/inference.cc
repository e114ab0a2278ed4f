#include "lepton/inference.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace lepton {

void BytesTensor::add(std::string_view element) {
    const auto length = static_cast<std::uint32_t>(element.size());
    const std::size_t at = data_.size();
    data_.resize(at + sizeof length + element.size());
    std::memcpy(data_.data() + at, &length, sizeof length);
    if (!element.empty()) {
        std::memcpy(data_.data() + at + sizeof length, element.data(), element.size());
    }
    ++size_;
}

void BytesTensor::clear() {
    data_.clear();
    size_ = 0;
}

void Output::require(DataType wanted) const {
    if (dtype == wanted) return;
    throw std::invalid_argument("output \"" + std::string(name) + "\" is " +
                                std::string(to_string(dtype)) + ", not " +
                                std::string(to_string(wanted)));
}

std::vector<std::string_view> Output::strings() const {
    require(DataType::kBytes);
    std::vector<std::string_view> elements;
    std::span<const std::byte> rest = data;
    std::uint32_t length = 0;
    while (rest.size() >= sizeof length) {
        std::memcpy(&length, rest.data(), sizeof length);
        rest = rest.subspan(sizeof length);
        if (length > rest.size()) break;
        elements.emplace_back(reinterpret_cast<const char*>(rest.data()), length);
        rest = rest.subspan(length);
    }
    if (!rest.empty()) {
        throw std::invalid_argument("output \"" + std::string(name) +
                                    "\" has BYTES elements that do not fill its data");
    }
    return elements;
}

void InferResult::Contents::clear() {
    bytes.clear();
    model_name = model_version = id = {};
    outputs.clear();
    timing = {};
}

const Output* InferResult::find(std::string_view name) const {
    const auto at = std::find_if(contents_.outputs.begin(),
                                 contents_.outputs.end(),
                                 [name](const Output& output) { return output.name == name; });
    return at == contents_.outputs.end() ? nullptr : &*at;
}

const Output& InferResult::operator[](std::string_view name) const {
    if (const Output* const output = find(name)) return *output;
    std::string names;
    for (const Output& output : contents_.outputs) {
        if (!names.empty()) names += ", ";
        names += output.name;
    }
    throw std::out_of_range("the answer of model \"" + std::string(model_name()) +
                            "\" has no output \"" + std::string(name) + "\"; it has: " + names);
}

}  // namespace lepton
