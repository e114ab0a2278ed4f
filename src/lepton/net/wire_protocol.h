#pragma once

#include <cstddef>
#include <span>

#include "lepton/core/event_loop.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/limits.h"
#include "lepton/net/message.h"
#include "lepton/net/peer.h"

namespace lepton::net {

// The byte side of a connection, as the protocol spoken on it sees it. Confined to its loop.
class Wire {
public:
    virtual ~Wire() = default;

    // Sends `head` then `body` in one system call where the kernel takes them; what it does not
    // take is copied and sent later. Never blocks, never calls back. After a failure it does
    // nothing: on_closed() of the session follows.
    virtual void write(std::span<const std::byte> head, std::span<const std::byte> body = {}) = 0;
    // The same, but takes a large body over instead of copying it, and leaves an empty one.
    virtual void write(std::span<const std::byte> head, memory::Buffer& body) {
        write(head, body.bytes());
    }

    // Bytes that the kernel has not taken yet. The session stops producing above
    // limits().max_unsent_bytes, and is told by on_writable() when they are gone.
    [[nodiscard]] virtual std::size_t unsent_bytes() const = 0;

    // Reading goes on after read_space() was empty.
    virtual void resume_reading() {}

    // Closes once everything written was sent.
    virtual void close_when_sent() = 0;

    [[nodiscard]] virtual EventLoop& loop() = 0;
    [[nodiscard]] virtual memory::BufferPool& pool() = 0;
    [[nodiscard]] virtual Handler& handler() = 0;
    [[nodiscard]] virtual const Limits& limits() const = 0;
    [[nodiscard]] virtual const Peer& peer() const { return kNobody; }
};

// One protocol on one connection: turns bytes into exchanges and replies into bytes. Owned by the
// connection, which outlives it. Confined to its loop.
class WireProtocol {
public:
    virtual ~WireProtocol() = default;

    // Where the next bytes from the socket should go. Empty: do not read until resume_reading().
    virtual std::span<std::byte> read_space() = 0;

    // `count` bytes were read into read_space() at `now`. May call the handler.
    virtual void on_read(std::size_t count, Clock::time_point now) = 0;
    // Bytes are left that would have been too much work at once: once others have had their turn,
    // on_read(0) goes on with them. Nothing is to be read until then.
    [[nodiscard]] virtual bool has_unread() const { return false; }

    // Everything written was taken by the kernel.
    virtual void on_writable() {}

    // When, if nothing comes of the client until then, on_timeout() is due; kNoDeadline: never.
    [[nodiscard]] virtual Clock::time_point read_deadline() const = 0;
    virtual void on_timeout(Clock::time_point now) = 0;

    // A message is with the handler, whose answer the client waits for.
    [[nodiscard]] virtual bool owes_answer() const = 0;
    // No message is under way: the connection may end without a loss.
    [[nodiscard]] virtual bool resting() const = 0;
    // Since when nothing has gone on, where no answer is owed.
    [[nodiscard]] virtual Clock::time_point waits_since() const = 0;
    // Gives memory that only the next message would need back. True when read_space() would be a
    // smaller one now. Precondition: resting().
    virtual bool shrink() = 0;
    // Says goodbye, and close_when_sent(). Precondition: !owes_answer().
    virtual void end_resting() = 0;

    // The client has shut its side, and everything it sent was read. True: it is still owed
    // answers, which end with close_when_sent(), and is to be told from one that has gone, as
    // probe() helps to.
    virtual bool on_end() { return false; }
    // Sends of the answer that is being made what is known of it, if anything: the kernel of a peer
    // that has closed its socket, and not only its side of the connection, refuses it.
    virtual void probe() {}

    // The peer is gone, or the connection is being torn down: marks open calls as cancelled. Open
    // exchanges stay alive until they are sent; idle() tells when the last one is.
    virtual void on_closed() = 0;
    [[nodiscard]] virtual bool idle() const = 0;

    // The server is draining: the next answer is the last one, and the client is told so.
    virtual void on_drain() = 0;
    // The client has had its time to hear of it: nothing new is taken, what is open is finished,
    // then close_when_sent().
    virtual void on_last_call() = 0;
    // The server waits no longer: whatever is open is answered as unavailable, though the handler
    // is still at work on it.
    virtual void abandon() = 0;
};

}  // namespace lepton::net
