#include "lepton/net/grpc/grpc_fields.h"

namespace lepton::net {

GrpcContent grpc_content_of(std::string_view content_type) {
    constexpr std::string_view kGrpc = "application/grpc";
    if (!content_type.starts_with(kGrpc)) return GrpcContent::kNone;
    std::string_view rest = content_type.substr(kGrpc.size());
    rest = rest.substr(0, rest.find_first_of("; "));
    if (rest.empty() || rest == "+proto") return GrpcContent::kProto;
    return rest.front() == '+' ? GrpcContent::kOther : GrpcContent::kNone;
}

bool accepts_encoding(std::string_view list, std::string_view encoding) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        std::string_view item = list.substr(0, comma);
        while (item.starts_with(' ')) item.remove_prefix(1);
        while (item.ends_with(' ')) item.remove_suffix(1);
        if (item == encoding) return true;
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    }
    return false;
}

void append_percent_encoded(std::string_view message, std::size_t max_bytes, std::string& out) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const std::size_t end = out.size() + max_bytes;
    for (const char c : message) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte >= 0x20 && byte <= 0x7e && c != '%';
        if (out.size() + (plain ? 1 : 3) > end) return;
        if (plain) {
            out.push_back(c);
        } else {
            out.push_back('%');
            out.push_back(kDigits[byte >> 4]);
            out.push_back(kDigits[byte & 0xf]);
        }
    }
}

}  // namespace lepton::net
