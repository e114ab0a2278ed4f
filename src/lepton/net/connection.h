#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <boost/asio/generic/stream_protocol.hpp>

#include "lepton/memory/buffer.h"
#include "lepton/net/connection_table.h"
#include "lepton/net/peer.h"
#include "lepton/net/progress.h"
#include "lepton/net/unsent_bytes.h"
#include "lepton/net/wire_protocol.h"

namespace lepton::net {

class Reactor;

// A client's socket, TCP or Unix. Reads for whichever protocol the first bytes announce and writes
// its answers: at once where the kernel takes them, later otherwise. A read is always outstanding
// while the session has room, so that a client that goes away is noticed while its request runs.
// One that only ends its side still gets its answer: what tells the two apart is that the kernel of
// a peer that has closed its socket resets the connection when bytes come. Owned by its reactor and
// confined to its thread.
class Connection final : public Wire {
public:
    using Socket = boost::asio::generic::stream_protocol::socket;

    // `table` has given it `seat`.
    Connection(Socket socket,
               Peer peer,
               ConnectionTable& table,
               ConnectionTable::Seat seat,
               Reactor& reactor,
               memory::BufferPool& pool,
               Handler& handler,
               const Limits& limits);
    ~Connection() override;

    void start();
    // Ends what is over its time, and gives memory that has been idle back. Returns when it should
    // be looked at again; kNoDeadline: not before something comes of the client.
    Clock::time_point look_after(Clock::time_point now);
    // The client owes the next word, since waits_since().
    [[nodiscard]] bool waits_for_client() const {
        return !closed_ && (session_ == nullptr || lingering_ || !session_->owes_answer());
    }
    [[nodiscard]] Clock::time_point waits_since() const;
    // With a word of goodbye where the protocol has one, but without waiting for it to be read.
    void end_now(Ending ending);
    void drain();
    void last_call();
    void abandon();

    [[nodiscard]] const ConnectionTable::Seat& seat() const { return seat_; }
    [[nodiscard]] bool closed() const { return closed_; }
    // Closed, and nothing refers to it any more.
    [[nodiscard]] bool finished() const {
        return closed_ && !reading_ && !writing_ && !probing_ && !read_again_.scheduled &&
               (session_ == nullptr || session_->idle());
    }

    void write(std::span<const std::byte> head, std::span<const std::byte> body) override;
    void write(std::span<const std::byte> head, memory::Buffer& body) override;
    [[nodiscard]] std::size_t unsent_bytes() const override { return unsent_.size(); }
    void resume_reading() override;
    void close_when_sent() override;
    [[nodiscard]] EventLoop& loop() override;
    [[nodiscard]] memory::BufferPool& pool() override { return pool_; }
    [[nodiscard]] Handler& handler() override { return handler_; }
    [[nodiscard]] const Limits& limits() const override { return limits_; }
    [[nodiscard]] const Peer& peer() const override { return peer_; }

private:
    // Reads again when the turn ends: by then a short run has been answered, which the reading, and
    // the system call it costs, would only have kept waiting.
    struct ReadAgain final : Task {
        explicit ReadAgain(Connection& of) : connection(of) {}
        // NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
        void run() noexcept override {
            scheduled = false;
            connection.read();
        }
        Connection& connection;
        bool scheduled = false;
    };

    void read();
    void read_next();
    void on_read(std::size_t count);
    void on_end();
    // A request runs, its session takes no more bytes, and so nobody reads.
    [[nodiscard]] bool reading_rests() const;
    // Closes when the peer turns out to have closed its socket.
    void probe();
    [[nodiscard]] bool has_unread() const;
    void go_on_reading();
    void sniff(std::size_t count, Clock::time_point now);
    std::size_t write_now(std::span<const std::byte> head, std::span<const std::byte> body);
    template <class Append>
    void write_later(const Append& append);
    void send_unsent();
    void linger();
    void close(Ending ending);
    // Runs `step`, and notes why, if the connection ends by it.
    template <class Step>
    void end_by(Ending ending, const Step& step);
    Clock::time_point look_after_start(Clock::time_point now);
    Clock::time_point look_after_session(Clock::time_point now);
    void shrink();

    Socket socket_;
    Peer peer_;
    ConnectionTable& table_;
    ConnectionTable::Seat seat_;
    Reactor& reactor_;
    memory::BufferPool& pool_;
    Handler& handler_;
    const Limits& limits_;

    memory::Buffer first_bytes_;  // Until the protocol is known; then a waste bin while lingering.
    Clock::time_point begun_;  // When the connection began, then its first bytes, then the linger.
    UnsentBytes unsent_;
    Progress sending_;  // How fast the kernel takes unsent_.
    ReadAgain read_again_{*this};
    bool reading_ = false;
    bool read_ended_ = false;  // The client has shut its side.
    bool writing_ = false;
    bool probing_ = false;  // Waiting for the client to turn out to be gone.
    std::size_t lingered_bytes_ = 0;
    bool closing_ = false;    // Close once unsent_ is empty.
    bool lingering_ = false;  // Our side is shut; waiting for the peer's end.
    bool closed_ = false;
    bool draining_ = false;
    bool shrunk_ = false;     // It has given its idle memory back, and nothing came since.
    bool read_anew_ = false;  // The outstanding read is cancelled, to read into less memory.
    Ending ending_ = Ending::kAnswered;  // The reason of an end that is under way.

    std::unique_ptr<WireProtocol> session_;  // Last: it uses the connection while it is destroyed.
};

}  // namespace lepton::net
