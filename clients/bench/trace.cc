#include <charconv>
#include <fstream>
#include <utility>

#include "arrivals.h"

namespace lepton::bench {
namespace {

constexpr double kLongestSeconds = 7 * 24 * 3600;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r";
    const std::size_t from = text.find_first_not_of(kSpace);
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(kSpace) + 1 - from);
}

}  // namespace

Result<std::vector<TraceEntry>> read_trace(const std::string& path) {
    std::ifstream file(path);
    if (!file) return fail(ErrorCode::kInvalidArgument, "trace " + path + " cannot be read");
    std::vector<TraceEntry> trace;
    std::size_t number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        const std::string_view text = trimmed(std::string_view(line).substr(0, line.find('#')));
        if (text.empty()) continue;
        const auto bad = [&](std::string_view what) {
            std::string message = "trace " + path + ", line " + std::to_string(number);
            message.append(": \"").append(text).append("\" ").append(what);
            return fail(ErrorCode::kInvalidArgument, std::move(message));
        };
        const std::size_t comma = text.find(',');
        const std::string_view time = trimmed(text.substr(0, comma));
        double seconds = 0;
        const auto parsed = std::from_chars(time.data(), time.data() + time.size(), seconds);
        if (parsed.ec != std::errc() || parsed.ptr != time.data() + time.size()) {
            return bad("does not begin with a time in seconds; write 12.5 or 12.5,CLASS");
        }
        if (!(seconds >= 0 && seconds <= kLongestSeconds)) {
            return bad("is at a time outside of 0 to 604800 s, a week");
        }
        const auto at = std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::duration<double>(seconds));
        if (!trace.empty() && at < trace.back().at) {
            return bad("is earlier than the line before; sort the trace by time");
        }
        trace.push_back(
            {at, std::string(comma == text.npos ? "" : trimmed(text.substr(comma + 1)))});
    }
    if (trace.empty()) {
        return fail(ErrorCode::kInvalidArgument, "trace " + path + " holds no request");
    }
    return trace;
}

}  // namespace lepton::bench
