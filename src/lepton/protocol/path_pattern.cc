#include "lepton/protocol/path_pattern.h"

#include <charconv>

#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

// The decoded text is written over its own escapes, which it is shorter than.
Result<> decode(std::string& path, std::string_view& segment) {
    if (segment.find('%') == std::string_view::npos) return {};
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
    segment = std::string_view(path).substr(start, written);
    return {};
}

}  // namespace

PathSegments::PathSegments(std::string_view path) {
    std::size_t count = 0;
    while (path.starts_with('/')) {
        if (count == kMost) return;
        path.remove_prefix(1);
        segments_[count] = path.substr(0, path.find('/'));
        path.remove_prefix(segments_[count++].size());
    }
    if (path.empty()) size_ = count;
}

std::optional<PathVariables> PathPattern::match(const PathSegments& path) const {
    PathVariables variables;
    if (matches(short_form_, path, variables)) return variables;
    variables = {};
    if (long_form_.size > 0 && matches(long_form_, path, variables)) return variables;
    return std::nullopt;
}

bool PathPattern::matches(const Form& form,
                          const PathSegments& path,
                          PathVariables& variables) const {
    if (path.size() != form.size) {
        const bool ends_with_slash = path.size() == form.size + 1 && path[form.size].empty();
        if (!slash_may_follow_ || !ends_with_slash) return false;
    }
    for (std::size_t i = 0; i < form.size; ++i) {
        const std::string_view text = path[i];
        switch (form.segments[i].kind) {
            case Kind::kLiteral:
                if (text != form.segments[i].text) return false;
                break;
            case Kind::kModel:
                if (text.empty()) return false;
                variables.model = text;
                break;
            case Kind::kVersion:
                if (text.empty()) return false;
                variables.version = text;
                break;
        }
    }
    return true;
}

Result<> decode_variables(std::string& path, PathVariables& variables) {
    if (path.find('%') == std::string::npos) return {};
    LEPTON_RETURN_IF_ERROR(decode(path, variables.model));
    return decode(path, variables.version);
}

std::optional<char> decode_escape(std::string_view digits) {
    unsigned char value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    return static_cast<char>(value);
}

}  // namespace lepton::protocol
