#include "lepton/net/http2/request_head.h"

#include <charconv>

namespace lepton::net {
namespace {

// RFC 9113 section 6.5.2: what a field counts beyond its name and its value.
constexpr std::size_t kFieldOverhead = 32;

Method method_of(std::string_view name) {
    if (name == "POST") return Method::kPost;
    if (name == "GET") return Method::kGet;
    if (name == "HEAD") return Method::kHead;
    if (name == "PUT") return Method::kPut;
    if (name == "DELETE") return Method::kDelete;
    return Method::kOther;
}

RequestHead::Encoding encoding_of(std::string_view name) {
    if (name == "identity") return RequestHead::Encoding::kIdentity;
    if (name == "gzip") return RequestHead::Encoding::kGzip;
    return name == "deflate" ? RequestHead::Encoding::kDeflate : RequestHead::Encoding::kOther;
}

std::string_view trim(std::string_view value) {
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
    while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
    return value;
}

void split_target(std::string_view target, Message& message) {
    const std::size_t mark = target.find('?');
    message.path = target.substr(0, mark);
    if (mark != std::string_view::npos) message.query = target.substr(mark + 1);
}

}  // namespace

void RequestHead::add(std::string_view name, std::string_view value, Message& message) {
    bytes += name.size() + value.size() + kFieldOverhead;
    if (name.starts_with(':')) {
        if (name == ":path") {
            split_target(value, message);
        } else if (name == ":method") {
            message.method = method_of(value);
            post = message.method == Method::kPost;
            connects = value == "CONNECT";
        } else if (name == ":authority") {
            has_authority = true;
            message.fields.add("host", value);
        }
        return;
    }
    value = trim(value);
    if (name == "content-type") {
        content = grpc_content_of(value);
    } else if (name == "content-length") {
        std::uint64_t length = 0;
        const auto end = std::from_chars(value.data(), value.data() + value.size(), length);
        if (end.ec == std::errc()) content_length = length;
    } else if (name == "host") {
        if (has_authority) {
            hosts_differ = value != message.fields.find("host");
            return;
        }
    } else if (name == "expect") {
        expects_continue = value == "100-continue";
    } else if (name.starts_with("grpc-")) {
        has_grpc_fields = true;
        if (name == "grpc-encoding") encoding = encoding_of(value);
        if (name == "grpc-accept-encoding") accepts_gzip |= accepts_encoding(value, "gzip");
    }
    message.fields.add(name, value);
}

}  // namespace lepton::net
