#pragma once

#include <boost/beast/http/basic_parser.hpp>

#include "lepton/net/limits.h"
#include "lepton/net/message.h"

namespace lepton::net {

// Beast's HTTP/1 grammar, writing into a Message instead of a container of its own. Chunked bodies
// are gathered here; a body with a Content-Length is left to the session, which can read it into
// place. Not thread-safe; the owner serialises.
class Http1Parser final : public boost::beast::http::basic_parser<true> {
public:
    // Both must outlive the parser.
    Http1Parser(Message& message, const Limits& limits);

    [[nodiscard]] int version() const { return version_; }  // 10 or 11.
    // The client waits for "100 Continue" before it sends the body.
    [[nodiscard]] bool expects_continue() const { return expects_continue_; }

private:
    using error_code = boost::beast::error_code;
    using string_view = boost::beast::string_view;

    void on_request_impl(boost::beast::http::verb method,
                         string_view method_name,
                         string_view target,
                         int version,
                         error_code& error) override;
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_field_impl(boost::beast::http::field name,
                       string_view name_text,
                       string_view value,
                       error_code& error) override;
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t remaining,
                                   string_view body,
                                   error_code& error) override;
    void on_finish_impl(error_code&) override {}

    Message& message_;
    const Limits& limits_;
    int version_ = 11;
    bool expects_continue_ = false;
};

}  // namespace lepton::net
