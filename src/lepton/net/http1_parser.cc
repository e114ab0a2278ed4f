#include "lepton/net/http1_parser.h"

#include <string_view>

#include <boost/beast/http/error.hpp>

namespace lepton::net {
namespace {

namespace http = boost::beast::http;

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

// "http://host/path" is what a client sends to a proxy; servers must accept it (RFC 9112 3.2.2).
std::string_view without_authority(std::string_view target) {
    if (target.empty() || target.front() == '/') return target;
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return target;
    const std::size_t path = target.find('/', scheme + 3);
    return path == std::string_view::npos ? "/" : target.substr(path);
}

}  // namespace

Http1Parser::Http1Parser(Message& message, const Limits& limits)
    : message_(message), limits_(limits) {
    eager(false);
    header_limit(static_cast<std::uint32_t>(limits.max_head_bytes));
    body_limit(limits.max_body_bytes);
}

void Http1Parser::on_request_impl(
    http::verb method, string_view, string_view target_text, int version, error_code&) {
    version_ = version;
    message_.method = to_method(method);
    const std::string_view target = without_authority({target_text.data(), target_text.size()});
    const std::size_t mark = target.find('?');
    message_.path.assign(target.substr(0, mark));
    if (mark != std::string_view::npos) message_.query.assign(target.substr(mark + 1));
}

void Http1Parser::on_field_impl(http::field name,
                                string_view name_text,
                                string_view value,
                                error_code&) {
    message_.fields.add_any_case({name_text.data(), name_text.size()},
                                 {value.data(), value.size()});
    if (name == http::field::expect) expects_continue_ = true;
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
