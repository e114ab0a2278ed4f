#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "endpoint.h"
#include "exchange.h"
#include "lepton/client.h"
#include "lepton/core/clock.h"
#include "tls.h"

namespace lepton::client {

// One socket to one endpoint, with TLS where the endpoint asks for it, and the exchange that runs
// on it. Blocks while it looks up a host name, and where block_once() allows it; never otherwise.
// Not thread-safe; whoever took it from the pool owns it.
class Connection {
public:
    enum class State : std::uint8_t { kNew, kConnecting, kHandshaking, kOpen, kFailed };

    // All three outlive the connection; `tls` is null for an endpoint without it.
    Connection(const Endpoint& endpoint,
               std::size_t endpoint_index,
               const TlsContext* tls,
               std::unique_ptr<Exchange> exchange);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Starts to connect if it is new, then asks. An error is the request's, not the connection's.
    Result<> ask(const Operation& operation);

    // Does what can be done without waiting. Afterwards the question is done(), or wants() says
    // what to wait for. `readable` means that a poll said so; without it no read is tried in vain.
    void advance(bool readable);
    [[nodiscard]] bool done() const;
    // The events to poll for: POLLIN, POLLOUT.
    [[nodiscard]] short wants() const { return wants_; }

    // Lets the next advance(true) block for its bytes in place of a poll before it, which saves a
    // system call. It blocks for at most `at_most`. Returns false where that cannot be done, or not
    // precisely enough.
    bool block_once(Clock::duration at_most);
    // Whether a signal ended the wait.
    [[nodiscard]] bool was_interrupted() const { return interrupted_; }

    // Null if the question was answered. Precondition: done().
    [[nodiscard]] const Failure* failure() const;
    // True when the server cannot have received a byte of the request, since it was never reached.
    [[nodiscard]] bool never_connected() const { return !was_open_; }
    // The connection was used before, and ended without a byte of an answer: the server had closed
    // it in the meantime.
    [[nodiscard]] bool was_stale() const { return asked_ > 1 && !heard_; }

    // Drops the question; returns whether the connection may be kept.
    bool abandon();

    // Takes in what came while it was idle; returns false when it cannot be used any more.
    [[nodiscard]] bool still_open();

    [[nodiscard]] int socket() const { return socket_; }
    [[nodiscard]] std::size_t endpoint_index() const { return endpoint_index_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] Answer& answer() { return answer_; }

    Clock::time_point idle_since;
    bool in_epoll = false;  // The background thread's note.

private:
    void connect_next(std::string why);
    void on_connected();
    bool finish_connecting();
    bool finish_handshake();
    bool send_all();
    bool receive(bool readable);
    IoStep send_some(std::span<const iovec> spans);
    IoStep receive_some(std::span<std::byte> space);
    void fail_connecting(std::string why);
    void broken();
    void close();

    const Endpoint& endpoint_;
    std::size_t endpoint_index_;
    const TlsContext* tls_context_;
    std::unique_ptr<Exchange> exchange_;
    Answer answer_;

    State state_ = State::kNew;
    int socket_ = -1;
    short wants_ = 0;
    std::optional<TlsSession> tls_;
    std::vector<SocketAddress> addresses_;
    std::size_t next_address_ = 0;
    Failure connect_failure_;

    bool block_ = false;
    bool interrupted_ = false;
    Clock::duration receive_timeout_{};  // The socket's current SO_RCVTIMEO.

    std::uint64_t asked_ = 0;
    bool heard_ = false;
    bool was_open_ = false;
};

}  // namespace lepton::client
