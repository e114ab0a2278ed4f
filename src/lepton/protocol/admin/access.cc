#include "lepton/protocol/admin/access.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

using Address = std::array<unsigned char, 16>;  // An IPv4 one as RFC 4291 section 2.5.5.2 maps it.

constexpr Address kLoopback6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr Address kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kMappedBytes = 12;
constexpr unsigned char kLoopback4 = 127;

char in_lower_case(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool same_name(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return in_lower_case(x) == in_lower_case(y);
    });
}

// "127.0.0.1" of "127.0.0.1:8003", "::1" of "[::1]:8003", "a.example" of "a.example.".
std::string_view name_in(std::string_view host) {
    if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
    host = host.substr(0, host.find(':'));
    if (host.ends_with('.')) host.remove_suffix(1);
    return host;
}

std::optional<Address> parse_address(std::string_view name) {
    const std::string text(name);  // inet_pton needs its end.
    Address address = kMapped;
    if (::inet_pton(AF_INET, text.c_str(), address.data() + kMappedBytes) == 1) return address;
    if (::inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
    return std::nullopt;
}

bool is_loopback(const Address& address) {
    const bool mapped =
        std::equal(kMapped.begin(), kMapped.begin() + kMappedBytes, address.begin());
    return address == kLoopback6 || (mapped && address[kMappedBytes] == kLoopback4);
}

// Parameters such as a charset may follow.
bool is_json(std::string_view content_type) {
    content_type = content_type.substr(0, content_type.find(';'));
    while (content_type.ends_with(' ') || content_type.ends_with('\t')) {
        content_type.remove_suffix(1);
    }
    return same_name(content_type, "application/json");
}

// Whether a page has sent it that was not loaded from here, as far as browsers say.
bool is_of_other_site(const net::FieldList& fields) {
    const std::string_view site = fields.find("sec-fetch-site");
    if (!site.empty() && site != "same-origin" && site != "none") return true;
    std::string_view origin = fields.find("origin");
    if (origin.empty()) return false;
    const std::size_t end = origin.find("://");
    const std::string_view scheme = origin.substr(0, end);
    if (scheme != "http" && scheme != "https") return true;
    origin.remove_prefix(end + 3);
    return !same_name(origin, fields.find("host"));
}

std::string_view word_for(Access access) {
    return access == Access::kChange ? "change" : access == Access::kInspect ? "inspect" : "ask";
}

}  // namespace

AccessRules::AccessRules(Options options) : options_(std::move(options)) {}

Result<> AccessRules::check_further(const net::Exchange& exchange,
                                    Access needed,
                                    std::string_view model) const {
    Result<> allowed = exchange.peer->door == net::Door::kAdmin
                           ? check_sender(exchange)
                           : refuse_at_data_port(exchange, needed);
    if (allowed && needed == Access::kChange &&
        !is_json(exchange.message.fields.find("content-type"))) {
        allowed = fail(ErrorCode::kUnsupportedMedia,
                       "a change must be sent with \"Content-Type: application/json\"");
    }
    if (!allowed && options_.audit) {
        AuditEntry entry = audit_entry(exchange, word_for(needed));
        entry.model = model;
        entry.result = allowed.error().message;
        entry.refused = true;
        options_.audit(entry);
    }
    return allowed;
}

Result<> AccessRules::refuse_at_data_port(const net::Exchange& exchange, Access needed) const {
    constexpr std::string_view kElsewhere =
        "which listens on the server's own machine unless --admin-address says otherwise; reach "
        "it through ssh -L, for instance, and name it with --url";
    const std::string url = other_url(exchange);
    const bool exists = options_.admin_url && !options_.admin_url().empty();
    return fail(ErrorCode::kPermissionDenied,
                concat({needed == Access::kChange ? "changes of the server"
                                                  : "the requests of other clients",
                        " are for the admin listener, ",
                        !exists       ? "which this server runs without (--admin-address off)"
                        : url.empty() ? kElsewhere
                                      : "which is at ",
                        url}));
}

Result<> AccessRules::check_sender(const net::Exchange& exchange) const {
    const net::FieldList& fields = exchange.message.fields;
    const std::string_view host = fields.find("host");
    if (!knows_host(host, *exchange.peer)) {
        return fail(ErrorCode::kPermissionDenied,
                    concat({"the admin listener is called ",
                            in_quotes(host),
                            "; it answers to localhost, to its address, and to the names of "
                            "--admin-hosts"}));
    }
    if (is_of_other_site(fields)) {
        return fail(ErrorCode::kPermissionDenied,
                    "the admin listener does not answer the web pages of others");
    }
    return {};
}

bool AccessRules::knows_host(std::string_view host, const net::Peer& peer) const {
    if (peer.unix_socket) return true;  // No browser gets there, and a path has no name.
    const std::string_view name = name_in(host);
    if (same_name(name, "localhost")) return true;
    if (const auto address = parse_address(name)) {
        return is_loopback(*address) || address == parse_address(peer.reached_at);
    }
    return std::any_of(options_.admin_hosts.begin(),
                       options_.admin_hosts.end(),
                       [&](const std::string& known) { return same_name(name, known); });
}

std::string AccessRules::other_url(const net::Exchange& exchange) const {
    const bool may_know = exchange.peer->door == net::Door::kData &&
                          exchange.peer->on_this_machine && check_sender(exchange).has_value();
    return may_know && options_.admin_url ? options_.admin_url() : std::string();
}

}  // namespace lepton::protocol
