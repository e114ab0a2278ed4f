#pragma once

#include <string_view>

#include <boost/beast/http/basic_parser.hpp>

#include "lepton/net/limits.h"
#include "lepton/net/message.h"

namespace lepton::net {

// Beast's HTTP/1 grammar, writing into a Message instead of a container of its own, and stricter
// where two readers of one request could disagree on where it ends or whom it is for. Chunked
// bodies are gathered here, their trailer fields checked and dropped; a body with a Content-Length
// is left to the session, which can read it into place. Not thread-safe; the owner serialises.
class Http1Parser final : public boost::beast::http::basic_parser<true> {
public:
    // Why a request is refused that Beast would have taken.
    struct Fault {
        int status = 400;
        std::string_view reason;  // Static storage; empty: there is none.
    };

    // Both must outlive the parser.
    Http1Parser(Message& message, const Limits& limits);

    [[nodiscard]] int version() const { return version_; }  // 10 or 11.
    // The client waits for "100 Continue" before it sends the body.
    [[nodiscard]] bool expects_continue() const { return expects_continue_; }
    [[nodiscard]] const Fault& fault() const { return fault_; }

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
    void on_header_impl(error_code& error) override;
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t size,
                              string_view extensions,
                              error_code& error) override;
    std::size_t on_chunk_body_impl(std::uint64_t remaining,
                                   string_view body,
                                   error_code& error) override;
    void on_finish_impl(error_code&) override {}

    bool take_target(std::string_view target, bool may_be_any, bool connects);
    void take_origin_form(std::string_view target);
    void check_host(std::string_view value, error_code& error);
    void check_content_length(std::string_view value, error_code& error);
    void check_transfer_encoding(std::string_view value, error_code& error);
    void refuse(error_code& error, std::string_view reason, int status = 400);

    Message& message_;
    const Limits& limits_;
    Fault fault_;
    int version_ = 11;
    std::size_t field_bytes_ = 0;  // Counted as SETTINGS_MAX_HEADER_LIST_SIZE is.
    bool has_authority_ = false;   // The target has one, which is the request's host then.
    bool has_host_ = false;
    bool has_length_ = false;
    bool head_complete_ = false;
    bool expects_continue_ = false;
};

}  // namespace lepton::net
