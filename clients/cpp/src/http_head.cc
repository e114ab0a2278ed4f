#include "http_head.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace lepton::client {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Compares without case; `name` is in lower case.
bool is(std::string_view text, std::string_view name) {
    return std::equal(text.begin(), text.end(), name.begin(), name.end(), [](char a, char b) {
        return lower(a) == b;
    });
}

bool is_space(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

// Accepts decimal digits alone.
std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Whether a list like "keep-alive, Upgrade" has `token`.
bool has_token(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        if (is(trimmed(list.substr(0, comma)), token)) return true;
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
    return false;
}

tl::unexpected<Error> bad(std::string_view what, std::string_view value) {
    constexpr std::size_t kShown = 60;
    std::string message = "the answer is not HTTP/1.1 as it should be: ";
    message.append(what).append(" \"").append(value.substr(0, kShown)).append("\"");
    // Replace bytes that would garble a terminal or a log line.
    for (char& c : message) {
        if (c < ' ' || c > '~') c = '?';
    }
    return fail(ErrorCode::kInternal, std::move(message));
}

Result<> read_status_line(std::string_view line, HttpHead& head) {
    // "HTTP/1.1 200 OK"; the reason may be missing together with its space.
    constexpr std::size_t kVersion = std::string_view("HTTP/1.1 ").size();
    constexpr std::size_t kCode = 3;
    const bool known = line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ");
    const auto status = known && line.size() >= kVersion + kCode
                            ? number(line.substr(kVersion, kCode))
                            : std::nullopt;
    if (!status || *status < 100) return bad("status line", line);
    if (line.size() > kVersion + kCode && line[kVersion + kCode] != ' ') {
        return bad("status line", line);
    }
    head.status = static_cast<int>(*status);
    head.keep_alive = line.starts_with("HTTP/1.1");
    return {};
}

Result<> read_length(std::string_view value, std::optional<std::uint64_t>& length) {
    const auto read = number(value);
    if (!read || (length && *length != *read)) return bad("length", value);
    length = read;
    return {};
}

Result<> read_field(std::string_view line, HttpHead& head) {
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos || is_space(line[colon - 1]) ||
        is_space(line.front())) {
        return bad("header line", line);
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (is(name, "content-length")) return read_length(value, head.content_length);
    if (is(name, "inference-header-content-length")) return read_length(value, head.json_bytes);
    if (is(name, "transfer-encoding")) {
        if (!is(value, "chunked") || head.chunked) return bad("transfer coding", value);
        head.chunked = true;
    } else if (is(name, "connection")) {
        if (has_token(value, "close")) head.keep_alive = false;
    } else if (is(name, "content-encoding")) {
        // The request offered no other coding.
        if (!is(value, "identity")) return bad("content coding", value);
    } else if (is(name, "retry-after")) {
        constexpr std::uint64_t kLongest = 3600;
        if (const auto seconds = number(value)) {
            head.retry_after = std::chrono::seconds(std::min(*seconds, kLongest));
        }
    } else if (is(name, "retry-after-ms")) {
        // The same time to the millisecond; it comes later in the head and replaces the other.
        constexpr std::uint64_t kLongestMs = 3'600'000;
        if (const auto wait = number(value)) {
            head.retry_after = std::chrono::milliseconds(std::min(*wait, kLongestMs));
        }
    } else if (is(name, "server-timing")) {
        head.server_timing = value;
    }
    return {};
}

}  // namespace

std::size_t find_head(std::string_view text, std::size_t searched) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    // The end may have begun in the part that was searched.
    const std::size_t from = searched - std::min(searched, kEnd.size() - 1);
    const std::size_t at = text.find(kEnd, from);
    return at == std::string_view::npos ? 0 : at + kEnd.size();
}

Result<HttpHead> parse_head(std::string_view text) {
    HttpHead head;
    const auto take_line = [&text] {
        const std::size_t end = text.find("\r\n");
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 2);
        return line;
    };
    LEPTON_RETURN_IF_ERROR(read_status_line(take_line(), head));
    while (true) {
        const std::string_view line = take_line();
        if (line.empty()) break;
        LEPTON_RETURN_IF_ERROR(read_field(line, head));
    }
    if (head.chunked && head.content_length) {
        return bad("both a length and a transfer coding", "chunked");
    }
    return head;
}

}  // namespace lepton::client
