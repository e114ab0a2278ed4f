#include "engines/openvino/failure.h"

#include <algorithm>
#include <cctype>

namespace lepton::openvino {
namespace {

constexpr std::size_t kLongestReason = 400;  // Some messages list every operator of the model.

std::string_view trimmed(std::string_view text) {
    const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

// Removes a front end's "could not" and the list of all front ends, which say nothing about the
// file.
std::string_view without_front_end(std::string_view line) {
    constexpr std::string_view kFrontEnd = "FrontEnd API failed with ";
    if (line.starts_with(kFrontEnd)) {
        const std::size_t colon = line.find(": ");
        if (colon != line.npos) line.remove_prefix(colon + 2);
    }
    return trimmed(line.substr(0, line.find("Available frontends:")));
}

// Drops "Exception from src/x.cpp:12:" and "Check 'a == b' failed at src/x.cpp:12:", as
// ov::Exception::make_what writes them, and keeps the rest of the line.
std::string_view without_location(std::string_view line) {
    const bool location = line.starts_with("Exception from ") ||
                          (line.starts_with("Check '") && line.find("' failed") != line.npos);
    if (!location) return line;
    const std::size_t source = line.find(".cpp:");
    const std::size_t header = source == line.npos ? line.find(".hpp:") : source;
    if (header == line.npos) return {};
    const std::size_t end = line.find(':', header + 5);
    return end == line.npos ? std::string_view{} : trimmed(line.substr(end + 1));
}

}  // namespace

std::string reason_of(std::string_view openvino_message) {
    std::string reason;
    while (!openvino_message.empty()) {
        const std::size_t end = std::min(openvino_message.find('\n'), openvino_message.size());
        const std::string_view line =
            without_front_end(without_location(trimmed(openvino_message.substr(0, end))));
        openvino_message.remove_prefix(std::min(end + 1, openvino_message.size()));
        // Rethrown exceptions repeat the message of the exception inside.
        if (line.empty() || reason.find(line) != std::string::npos) continue;
        if (!reason.empty()) reason += reason.back() == ':' ? " " : "; ";
        reason += line;
    }
    while (!reason.empty() && (reason.back() == '.' || reason.back() == ':')) reason.pop_back();
    if (reason.size() > kLongestReason) reason = reason.substr(0, kLongestReason) + "...";
    return reason.empty() ? "no reason given" : reason;
}

std::string name_of(const ov::Node& node) {
    return std::string(node.get_type_name()) + " \"" + node.get_friendly_name() + "\"";
}

}  // namespace lepton::openvino
