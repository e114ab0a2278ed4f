#include "lepton/net/http_post.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace lepton::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// The bound on an answer that nobody reads.
constexpr std::uint64_t kMostAnswerBytes = std::uint64_t{64} << 10;

// Asynchronous within, because only so does a tcp_stream keep to its time.
class Post {
public:
    Post(const HttpResource& to, std::string_view content_type, std::string_view body)
        : request_(http::verb::post, to.path, 11) {
        const bool is_v6 = to.host.find(':') != std::string::npos;
        request_.set(http::field::host,
                     (is_v6 ? "[" + to.host + "]" : to.host) + ":" + std::to_string(to.port));
        request_.set(http::field::content_type, {content_type.data(), content_type.size()});
        request_.set(http::field::user_agent, "lepton/" LEPTON_VERSION);
        request_.body() = {body.data(), body.size()};
        request_.prepare_payload();
        answer_.body_limit(kMostAnswerBytes);
    }

    error_code run(const HttpResource& to, Clock::duration timeout) {
        stream_.expires_after(timeout);
        resolver_.async_resolve(
            to.host,
            std::to_string(to.port),
            [this](error_code error, const asio::ip::tcp::resolver::results_type& found) {
                if (!failed(error)) connect(found);
            });
        // A resolver does not know the stream's time; a name that nobody answers for ends here.
        context_.run_for(timeout + std::chrono::milliseconds(100));
        if (!done_ && !error_) error_ = beast::error::timeout;
        return error_;
    }
    [[nodiscard]] int status() const { return static_cast<int>(answer_.get().result_int()); }

private:
    void connect(const asio::ip::tcp::resolver::results_type& found) {
        stream_.async_connect(found, [this](error_code error, const asio::ip::tcp::endpoint&) {
            if (!failed(error)) write();
        });
    }
    void write() {
        http::async_write(stream_, request_, [this](error_code error, std::size_t) {
            if (!failed(error)) read();
        });
    }
    void read() {
        http::async_read(stream_, input_, answer_, [this](error_code error, std::size_t) {
            done_ = !failed(error);
        });
    }
    bool failed(error_code error) {
        error_ = error;
        return error.failed();
    }

    http::request<http::span_body<const char>> request_;
    http::response_parser<http::string_body> answer_;
    beast::flat_buffer input_;
    error_code error_;
    bool done_ = false;
    asio::io_context context_{1};
    asio::ip::tcp::resolver resolver_{context_};
    beast::tcp_stream stream_{context_};
};

}  // namespace

Result<int> http_post(const HttpResource& to,
                      std::string_view content_type,
                      std::string_view body,
                      Clock::duration timeout) {
    Post post(to, content_type, body);
    if (const error_code error = post.run(to, timeout)) {
        return fail(ErrorCode::kUnavailable,
                    "POST to http://" + to.host + ":" + std::to_string(to.port) + to.path + ": " +
                        error.message());
    }
    return post.status();
}

}  // namespace lepton::net
