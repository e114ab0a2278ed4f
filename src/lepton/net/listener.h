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
    using OnFailure = std::function<void(const boost::system::error_code&)>;

    // `on_failure`: a connection could not be accepted, most likely for want of descriptors. It is
    // tried again a little later.
    Listener(boost::asio::io_context& context, OnAccept on_accept, OnFailure on_failure)
        : acceptor_(context),
          retry_(context),
          on_accept_(std::move(on_accept)),
          on_failure_(std::move(on_failure)) {}

    // `shared`: further listeners of this process will take the same port, each with its own queue
    // of connections, filled by the kernel.
    // Errors: kUnavailable, naming the address and the system's reason.
    Result<> open(const typename Protocol::endpoint& endpoint, bool shared);
    void start() { accept(); }
    // Those that have connected already are accepted first: they may have sent a request.
    void stop();

    [[nodiscard]] typename Protocol::endpoint endpoint() const {
        return acceptor_.local_endpoint();
    }

private:
    void accept();
    void hand_on(typename Protocol::socket socket);

    typename Protocol::acceptor acceptor_;
    boost::asio::steady_timer retry_;
    OnAccept on_accept_;
    OnFailure on_failure_;
};

using TcpListener = Listener<boost::asio::ip::tcp>;
using UnixListener = Listener<boost::asio::local::stream_protocol>;

}  // namespace lepton::net
