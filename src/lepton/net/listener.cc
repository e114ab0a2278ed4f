#include "lepton/net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <sstream>
#include <utility>

namespace lepton::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kBacklog = 1024;
// Out of file descriptors: new clients wait in the backlog until others have left.
constexpr auto kAcceptRetry = std::chrono::milliseconds(20);
// Seconds of silence before the kernel asks whether the client is still there.
constexpr int kKeepAliveSeconds = 60;

}  // namespace

template <class Protocol>
Result<> Listener<Protocol>::open(const typename Protocol::endpoint& endpoint, bool shared) {
    error_code error;
    const auto refused = [&endpoint, &error] {
        std::ostringstream text;
        text << "cannot listen on " << endpoint << ": " << error.message();
        return fail(ErrorCode::kUnavailable, text.str());
    };
    if (acceptor_.open(endpoint.protocol(), error)) return refused();
    if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) {
        acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        const int on = shared ? 1 : 0;
        ::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    if (acceptor_.bind(endpoint, error)) return refused();
    if (acceptor_.listen(kBacklog, error)) return refused();
    return {};
}

template <class Protocol>
void Listener<Protocol>::accept() {
    acceptor_.async_accept([this](const error_code& error, typename Protocol::socket socket) {
        if (error == asio::error::operation_aborted) return;
        if (!error) hand_on(std::move(socket));
        if (!acceptor_.is_open()) return;
        if (!error) return accept();
        on_failure_(error);
        retry_.expires_after(kAcceptRetry);
        retry_.async_wait([this](const error_code& stopped) {
            if (!stopped) accept();
        });
    });
}

template <class Protocol>
void Listener<Protocol>::hand_on(typename Protocol::socket socket) {
    if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) {
        error_code ignored;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        // A client that vanished, with its machine or its network, is found out.
        socket.set_option(asio::socket_base::keep_alive(true), ignored);
        ::setsockopt(socket.native_handle(),
                     IPPROTO_TCP,
                     TCP_KEEPIDLE,
                     &kKeepAliveSeconds,
                     sizeof kKeepAliveSeconds);
    }
    on_accept_(asio::generic::stream_protocol::socket(std::move(socket)));
}

template <class Protocol>
void Listener<Protocol>::stop() {
    error_code error;
    if (!acceptor_.is_open()) return;
    retry_.cancel();
    acceptor_.cancel(error);
    acceptor_.non_blocking(true, error);
    while (!error) {
        typename Protocol::socket socket(acceptor_.get_executor());
        acceptor_.accept(socket, error);
        if (!error) hand_on(std::move(socket));
    }
    acceptor_.close(error);
}

template class Listener<asio::ip::tcp>;
template class Listener<asio::local::stream_protocol>;

}  // namespace lepton::net
