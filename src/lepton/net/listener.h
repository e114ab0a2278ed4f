#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "lepton/core/result.h"

namespace lepton::net {

// Accepts connections on one address and hands each socket on. Confined to its context's thread
// once start() has been called.
template <class Protocol>
class Listener {
public:
    using OnAccept = std::function<void(boost::asio::generic::stream_protocol::socket)>;

    Listener(boost::asio::io_context& context, OnAccept on_accept)
        : acceptor_(context), retry_(context), on_accept_(std::move(on_accept)) {}

    // `shared`: further listeners of this process will take the same port, each with its own queue
    // of connections, filled by the kernel.
    // Errors: kUnavailable, naming the address and the system's reason.
    Result<> open(const typename Protocol::endpoint& endpoint, bool shared);
    void start() { accept(); }
    void stop();

    [[nodiscard]] typename Protocol::endpoint endpoint() const {
        return acceptor_.local_endpoint();
    }

private:
    void accept();

    typename Protocol::acceptor acceptor_;
    boost::asio::steady_timer retry_;
    OnAccept on_accept_;
};

using TcpListener = Listener<boost::asio::ip::tcp>;
using UnixListener = Listener<boost::asio::local::stream_protocol>;

}  // namespace lepton::net
