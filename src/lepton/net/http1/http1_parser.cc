#include "lepton/net/http1/http1_parser.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <boost/beast/http/error.hpp>

namespace lepton::net {
namespace {

namespace http = boost::beast::http;

// What a field counts beyond its name and its value, as over HTTP/2 (RFC 9113 section 6.5.2).
constexpr std::size_t kFieldOverhead = 32;

Method to_method(http::verb verb) {
    switch (verb) {
        case http::verb::get:
            return Method::kGet;
        case http::verb::head:
            return Method::kHead;
        case http::verb::post:
            return Method::kPost;
        case http::verb::put:
            return Method::kPut;
        case http::verb::delete_:
            return Method::kDelete;
        default:
            return Method::kOther;
    }
}

constexpr bool is_decimal(char c) { return c >= '0' && c <= '9'; }

constexpr bool is_name_char(char c) {
    return is_decimal(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~' || c == '%';
}

// RFC 3986 section 3.2.2, reg-name. Each request has one of them: a table takes a third of the
// time.
constexpr std::array<bool, 256> kInHost = [] {
    std::array<bool, 256> in_host{};
    for (std::size_t c = 0; c < in_host.size(); ++c)
        in_host[c] = is_name_char(static_cast<char>(c));
    for (const char c : std::string_view("!$&'()*+,;="))
        in_host[static_cast<unsigned char>(c)] = true;
    return in_host;
}();

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

// `lower` in lower case.
bool equal_ignoring_case(std::string_view text, std::string_view lower) {
    return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b;
    });
}

std::string_view trim(std::string_view text) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) return {};
    return text.substr(start, text.find_last_not_of(" \t") + 1 - start);
}

// uri-host [ ":" port ], RFC 9110 section 7.2. Empty where the client's URI has no authority.
bool is_host(std::string_view text) {
    std::size_t end = 0;
    if (text.starts_with('[')) {
        end = text.find(']');
        if (end == std::string_view::npos) return false;
        const std::string_view address = text.substr(1, end - 1);
        const auto fits = [](char c) { return is_name_char(c) || c == ':'; };
        if (address.empty() || !std::all_of(address.begin(), address.end(), fits)) return false;
        ++end;
    } else {
        while (end < text.size() && kInHost[static_cast<unsigned char>(text[end])]) ++end;
    }
    const std::string_view port = text.substr(end);
    return port.empty() ||
           (port.front() == ':' && std::all_of(port.begin() + 1, port.end(), is_decimal));
}

// Beast joins the lines of a folded value (RFC 9112 section 5.2), which then does not lie behind
// its name with nothing but blanks between them.
bool is_folded(std::string_view name, std::string_view value, std::size_t max_bytes) {
    const char* const colon = name.data() + name.size();
    const auto gap =
        reinterpret_cast<std::uintptr_t>(value.data()) - reinterpret_cast<std::uintptr_t>(colon);
    return gap > max_bytes || std::find(colon, colon + gap, '\r') != colon + gap;
}

}  // namespace

Http1Parser::Http1Parser(Message& message, const Limits& limits)
    : message_(message), limits_(limits) {
    eager(false);
    header_limit(static_cast<std::uint32_t>(limits.max_head_bytes));
    body_limit(limits.max_body_bytes);
}

void Http1Parser::refuse(error_code& error, std::string_view reason, int status) {
    fault_ = {status, reason};
    error = http::error::bad_value;
}

void Http1Parser::on_request_impl(
    http::verb method, string_view, string_view target_text, int version, error_code& error) {
    version_ = version;
    message_.method = to_method(method);
    const std::string_view target(target_text.data(), target_text.size());
    if (!take_target(target, method == http::verb::options, method == http::verb::connect)) {
        refuse(error, "the target is none that its method may have");
    }
}

// The four forms of RFC 9112 section 3.2.
bool Http1Parser::take_target(std::string_view target, bool may_be_any, bool connects) {
    if (target.find('#') != std::string_view::npos) return false;
    if (connects) {
        message_.path.assign(target);
        return is_host(target);
    }
    if (target.front() == '/' || (may_be_any && target == "*")) {
        take_origin_form(target);
        return true;
    }
    // "http://host/path" is what a client sends to a proxy; servers must accept it, and take the
    // host from there whatever the field says.
    const std::size_t mark = target.find("://");
    if (mark == std::string_view::npos) return false;
    const std::string_view scheme = target.substr(0, mark);
    if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) return false;
    target.remove_prefix(mark + 3);
    const std::string_view authority = target.substr(0, target.find_first_of("/?"));
    if (authority.empty() || authority.front() == ':' || !is_host(authority)) return false;
    has_authority_ = true;
    message_.fields.add("host", authority);
    take_origin_form(target.substr(authority.size()));
    return true;
}

void Http1Parser::take_origin_form(std::string_view target) {
    const std::size_t mark = target.find('?');
    const std::string_view path = target.substr(0, mark);
    message_.path.assign(path.empty() ? "/" : path);
    if (mark != std::string_view::npos) message_.query.assign(target.substr(mark + 1));
}

void Http1Parser::on_field_impl(http::field field,
                                string_view name_text,
                                string_view value_text,
                                error_code& error) {
    const std::string_view name(name_text.data(), name_text.size());
    const std::string_view value(value_text.data(), value_text.size());
    if (is_folded(name, value, limits_.max_head_bytes)) {
        return refuse(error, "a field is folded over several lines");
    }
    if (head_complete_) return;  // A trailer field is none of the head's (RFC 9110 section 6.5.1).
    field_bytes_ += name.size() + value.size() + kFieldOverhead;
    if (field_bytes_ > limits_.max_head_bytes) {
        error = http::error::header_limit;
        return;
    }
    switch (field) {
        case http::field::host:
            check_host(value, error);
            if (has_authority_) return;
            break;
        case http::field::content_length:
            check_content_length(value, error);
            break;
        case http::field::transfer_encoding:
            check_transfer_encoding(value, error);
            break;
        case http::field::expect:
            // RFC 9110 section 10.1.1: HTTP/1.0 has no such expectation.
            expects_continue_ = version_ >= 11 && equal_ignoring_case(value, "100-continue");
            break;
        default:
            break;
    }
    message_.fields.add_any_case(name, value);
}

// RFC 9112 section 3.2: exactly one, and a valid one.
void Http1Parser::check_host(std::string_view value, error_code& error) {
    if (has_host_) return refuse(error, "field \"host\" is there twice");
    if (!is_host(value)) return refuse(error, "field \"host\" is not a host and a port");
    has_host_ = true;
}

// Beast takes a number that is said several times.
void Http1Parser::check_content_length(std::string_view value, error_code& error) {
    if (has_length_) return refuse(error, "field \"content-length\" is there twice");
    if (!std::all_of(value.begin(), value.end(), is_decimal)) {
        return refuse(error, "field \"content-length\" is not one number");
    }
    has_length_ = true;
}

// RFC 9112 sections 6.1 and 6.3. Beast passes over codings that it does not know, which leaves the
// message without the body that its sender means it to have.
void Http1Parser::check_transfer_encoding(std::string_view value, error_code& error) {
    if (version_ < 11) return refuse(error, "HTTP/1.0 has no field \"transfer-encoding\"");
    if (equal_ignoring_case(value, "chunked")) return;
    std::size_t chunked = 0;
    bool ends_chunked = false;
    for (std::string_view rest = value;;) {
        const std::size_t comma = rest.find(',');
        ends_chunked = equal_ignoring_case(trim(rest.substr(0, comma)), "chunked");
        if (ends_chunked) ++chunked;
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    if (!ends_chunked || chunked > 1) {
        return refuse(error, "field \"transfer-encoding\" does not end in the one \"chunked\"");
    }
    refuse(error, "field \"transfer-encoding\" names more than \"chunked\"", 501);
}

void Http1Parser::on_header_impl(error_code& error) {
    head_complete_ = true;
    if (version_ >= 11 && !has_host_) refuse(error, "field \"host\" is missing");
}

void Http1Parser::on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& error) {
    // Beast lets a quoted string hold line breaks, which other readers end the line at.
    if (std::any_of(extensions.begin(), extensions.end(), is_control)) {
        error = http::error::bad_chunk_extension;
    }
}

std::size_t Http1Parser::on_chunk_body_impl(std::uint64_t, string_view body, error_code& error) {
    if (message_.body.size() + body.size() > limits_.max_body_bytes) {
        error = http::error::body_limit;
        return 0;
    }
    message_.body.append(std::string_view(body.data(), body.size()));
    return body.size();
}

}  // namespace lepton::net
