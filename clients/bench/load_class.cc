#include "load_class.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace lepton::bench {
namespace {

constexpr double kLongestNanoseconds = 24 * 3600 * 1e9;

std::vector<double> shares_of(const std::vector<LoadClass>& classes) {
    std::vector<double> shares;
    shares.reserve(classes.size());
    for (const LoadClass& load_class : classes) shares.push_back(load_class.share);
    return shares;
}

tl::unexpected<Error> bad_field(std::string_view field,
                                std::string_view value,
                                std::string_view expected) {
    std::string message = "class field ";
    message.append(field).append(" is \"").append(value).append("\", expected ").append(expected);
    return fail(ErrorCode::kInvalidArgument, std::move(message));
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const char* const begin = text.data();
    const auto parsed = std::from_chars(begin, begin + text.size(), number);
    return parsed.ec == std::errc() && parsed.ptr == begin + text.size();
}

Result<> set_field(LoadClass& load_class, std::string_view field, std::string_view value) {
    if (field == "name") {
        if (value.empty()) return bad_field(field, value, "a word");
        load_class.name = value;
    } else if (field == "share") {
        if (!parse_number(value, load_class.share) || !(load_class.share > 0) ||
            load_class.share > std::numeric_limits<float>::max()) {
            return bad_field(field, value, "a number above 0");
        }
    } else if (field == "deadline") {
        const auto time = parse_time(value);
        if (!time || time->count() == 0) {
            return bad_field(field, value, "a time from now on, as 500us, 6ms or 1.5s");
        }
        load_class.deadline = *time;
    } else if (field == "priority") {
        if (!parse_number(value, load_class.priority)) {
            return bad_field(field, value, "a whole number: 1 is the highest, 0 the default");
        }
    } else {
        return fail(ErrorCode::kInvalidArgument,
                    "class field \"" + std::string(field) +
                        "\" is not one of name, share, deadline and priority");
    }
    return {};
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_time(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, double>, 4> kUnits{
        {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc()) return std::nullopt;
    const std::string_view unit(parsed.ptr,
                                static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
    for (const auto& [name, nanoseconds] : kUnits) {
        if (unit != name) continue;
        if (!(number >= 0) || number * nanoseconds > kLongestNanoseconds) return std::nullopt;
        return std::chrono::nanoseconds(std::llround(number * nanoseconds));
    }
    return std::nullopt;
}

Result<LoadClass> parse_load_class(std::string_view text) {
    LoadClass load_class;
    std::string_view rest = text;
    while (true) {
        const std::size_t comma = rest.find(',');
        const std::string_view part = rest.substr(0, comma);
        const std::size_t equals = part.find('=');
        if (equals == part.npos) {
            return fail(ErrorCode::kInvalidArgument,
                        "class \"" + std::string(text) + "\": \"" + std::string(part) +
                            "\" is no FIELD=VALUE; write name=fast,share=0.3,deadline=6ms,"
                            "priority=1");
        }
        LEPTON_RETURN_IF_ERROR(
            set_field(load_class, part.substr(0, equals), part.substr(equals + 1)));
        if (comma == rest.npos) break;
        rest.remove_prefix(comma + 1);
    }
    if (load_class.name.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    "class \"" + std::string(text) + "\" has no name; add name=...");
    }
    return load_class;
}

ClassDraw::ClassDraw(const std::vector<LoadClass>& classes, std::uint64_t seed) : random_(seed) {
    const std::vector<double> shares = shares_of(classes);
    draw_ = std::discrete_distribution<std::size_t>(shares.begin(), shares.end());
}

}  // namespace lepton::bench
