#include "lepton/protocol/http_target.h"

#include <charconv>
#include <optional>

#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

constexpr std::string_view kModels = "/v2/models/";
constexpr std::string_view kVersions = "versions";

tl::unexpected<Error> unknown(std::string_view path) {
    return fail(ErrorCode::kModelNotFound, concat({"there is no route ", in_quotes(path)}));
}

// Takes what stands before the next slash off `rest`. The decoded segment is written over its own
// escapes, which it is shorter than.
Result<std::string_view> take_segment(std::string& path, std::string_view& rest) {
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), segment.size() + 1));
    if (segment.find('%') == std::string_view::npos) return segment;

    const auto start = static_cast<std::size_t>(segment.data() - path.data());
    std::size_t written = 0;
    for (std::size_t read = 0; read < segment.size(); ++read) {
        char c = segment[read];
        if (c == '%') {
            const auto decoded = decode_escape(segment.substr(read + 1, 2));
            if (!decoded) {
                return fail(ErrorCode::kInvalidArgument,
                            concat({"the path has a malformed escape: ",
                                    in_quotes(segment.substr(read, 3))}));
            }
            c = *decoded;
            read += 2;
        }
        path[start + written++] = c;
    }
    return std::string_view(path).substr(start, written);
}

std::optional<Route> model_route(std::string_view rest) {
    if (rest.empty()) return Route::kModel;
    if (rest == "infer") return Route::kInfer;
    if (rest == "ready") return Route::kModelReady;
    if (rest == "config") return Route::kConfig;
    return std::nullopt;
}

Result<HttpTarget> parse_model_target(std::string& path) {
    std::string_view rest = std::string_view(path).substr(kModels.size());
    HttpTarget target;
    LEPTON_TRY(target.model, take_segment(path, rest));
    if (rest.substr(0, rest.find('/')) == kVersions) {
        rest.remove_prefix(std::min(rest.size(), kVersions.size() + 1));
        LEPTON_TRY(target.version, take_segment(path, rest));
        if (target.version.empty()) return unknown(path);
    }
    const auto route = model_route(rest);
    if (!route || target.model.empty()) return unknown(path);
    target.route = *route;
    return target;
}

}  // namespace

std::optional<char> decode_escape(std::string_view digits) {
    unsigned char value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    return static_cast<char>(value);
}

Result<HttpTarget> parse_target(std::string& path) {
    if (path.starts_with(kModels)) return parse_model_target(path);
    std::string_view plain = path;
    if (plain.size() > 1 && plain.ends_with('/')) plain.remove_suffix(1);
    if (plain == "/") return HttpTarget{.route = Route::kRoot, .model = {}, .version = {}};
    if (plain == "/v2") return HttpTarget{.route = Route::kServer, .model = {}, .version = {}};
    if (plain == "/v2/health/live")
        return HttpTarget{.route = Route::kLive, .model = {}, .version = {}};
    if (plain == "/v2/health/ready")
        return HttpTarget{.route = Route::kReady, .model = {}, .version = {}};
    if (plain == "/v2/debug/slow")
        return HttpTarget{.route = Route::kSlow, .model = {}, .version = {}};
    if (plain == "/metrics")
        return HttpTarget{.route = Route::kMetrics, .model = {}, .version = {}};
    return unknown(path);
}

}  // namespace lepton::protocol
