#include "lepton/model/tuning/cpu_identity.h"

#include <fstream>
#include <string>

#include "lepton/model/model_digest.h"

namespace lepton::model {
namespace {

// The value of a line such as "model name\t: AMD EPYC"; empty for another key.
std::string_view value_of(std::string_view line, std::string_view key) {
    if (!line.starts_with(key)) return {};
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon + 2 > line.size()) return {};
    return line.substr(colon + 2);
}

}  // namespace

std::string parse_cpu_identity(std::string_view cpuinfo) {
    std::string name = "unknown";
    std::string_view flags;
    for (std::size_t at = 0; at < cpuinfo.size();) {
        const std::size_t end = std::min(cpuinfo.find('\n', at), cpuinfo.size());
        const std::string_view line = cpuinfo.substr(at, end - at);
        at = end + 1;
        if (line.empty()) break;  // The first processor stands for all.
        if (const auto value = value_of(line, "model name"); !value.empty()) name = value;
        if (const auto value = value_of(line, "flags"); !value.empty()) flags = value;
        if (const auto value = value_of(line, "Features"); !value.empty()) flags = value;  // Arm.
    }
    return name + ' ' + digest_of(flags).substr(0, 8);
}

const std::string& cpu_identity() {
    static const std::string identity = [] {
        std::ifstream file("/proc/cpuinfo");
        std::string first;
        // Of hundreds of processors the rest would take milliseconds to read.
        for (std::string line; std::getline(file, line) && !line.empty();) first += line + '\n';
        return parse_cpu_identity(first);
    }();
    return identity;
}

}  // namespace lepton::model
