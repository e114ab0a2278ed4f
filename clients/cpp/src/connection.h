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

// One socket to one endpoint, TLS where its endpoint asks for it, and the exchange that speaks on
// it. Blocks to look up a host's name, and where block_once() lets it; else never. Not thread-safe;
// whoever took it from the pool owns it.
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

    // Starts to connect when new, then asks. An error is of the request, not of the connection.
    Result<> ask(const Operation& operation);

    // Does what can be done without waiting. Afterwards the question is done(), or wants() says
    // what to wait for. `readable`: a poll said so; without it nothing is read in vain.
    void advance(bool readable);
    [[nodiscard]] bool done() const;
    // Of poll(): POLLIN, POLLOUT.
    [[nodiscard]] short wants() const { return wants_; }

    // Lets the next advance(true) block for its bytes in place of a poll before it, which saves a
    // system call; for no longer than `at_most`. False where it cannot, or not to the point.
    bool block_once(Clock::duration at_most);
    // A signal ended the wait.
    [[nodiscard]] bool was_interrupted() const { return interrupted_; }

    // Null: answered. Precondition: done().
    [[nodiscard]] const Failure* failure() const;
    // True when no byte of the request can have been taken by the server: it was never reached.
    [[nodiscard]] bool never_connected() const { return !was_open_; }
    // The connection was used before, and ended without a byte of an answer: closed in the
    // meantime.
    [[nodiscard]] bool was_stale() const { return asked_ > 1 && !heard_; }

    // Forgets the question; whether the connection may be kept.
    bool abandon();

    // Takes what came while it was idle; false when it is of no use any more.
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
    Clock::duration receive_timeout_{};  // What the socket has as SO_RCVTIMEO.

    std::uint64_t asked_ = 0;
    bool heard_ = false;
    bool was_open_ = false;
};

}  // namespace lepton::client
