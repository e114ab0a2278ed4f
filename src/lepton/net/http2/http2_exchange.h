#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lepton/core/error.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/grpc/grpc_framing.h"
#include "lepton/net/http2/request_head.h"
#include "lepton/net/message.h"
#include "lepton/net/outbound_body.h"
#include "lepton/net/progress.h"

namespace lepton::net {

// One HTTP/2 stream: a request and its reply, or a gRPC call with all of its messages. Made by the
// connection and reused for stream after stream. It outlives its stream where the handler still
// owes a reply when the client goes away:
//
//     open() -> [ handed over -> send() ]... -> last reply sent -> open() for another stream
//                      |                          ^
//                      +--- client gone: orphan --+ send() only ends it
//
// A handler that sets `held` keeps the exchange between replies; it owes the last send() also after
// on_gone(). One that does not is not heard of any more once it has answered every message.
// Confined to its loop.
class Http2Exchange final : public Exchange {
public:
    class Connection {
    public:
        virtual void on_send(Http2Exchange& exchange) = 0;
        // The message that unpack() was called for is in message.body; or why not is in
        // unpack_error.
        virtual void on_unpacked(Http2Exchange& exchange) = 0;

    protected:
        ~Connection() = default;
    };

    Http2Exchange(Connection& connection, EventLoop& on, memory::BufferPool& pool);

    void open(std::int32_t id) { stream_id = id; }
    // Empties it; memory beyond a few KiB goes back to the pool.
    void clear();
    // Gives back what it keeps for the next stream. Precondition: it was cleared.
    void shrink() { Exchange::shrink(pool_, 0); }
    void send() override;

    // Makes it ready for the next message of the same call.
    void begin_message();
    // A message is now the handler's: until with_handler is false again, it is not looked at.
    void hand_over() {
        set_message_aside();
        with_handler = true;
    }
    // Decompresses the message in `packed`, of at most `max_bytes`, aside: few bytes may stand for
    // many. Sets `unpacking`, until on_unpacked() is called.
    void unpack(std::size_t max_bytes);

    [[nodiscard]] bool has_stream() const { return stream_id > 0; }
    // Whether the client owes us bytes without which nothing goes on. A gRPC call that waits for
    // its next message does not count: it may rest for as long as the client likes.
    [[nodiscard]] bool incomplete() const;
    // Answers to a gRPC call are compressed if its messages are and the client can take it.
    [[nodiscard]] bool compresses_replies() const {
        return head.encoding != RequestHead::Encoding::kIdentity && head.accepts_gzip;
    }
    // What the client still sends is of no interest.
    [[nodiscard]] bool ignores_input() const { return answered || resetting; }
    // Takes bytes that come behind a message that is with the handler.
    void stash(std::span<const std::byte> bytes);
    // Bytes received and not done with, and bytes to send.
    [[nodiscard]] std::size_t held_bytes() const;
    // Memory for bytes received, whether or not they came.
    [[nodiscard]] std::size_t reserved_bytes() const;

    // The connection's notes.
    std::int32_t stream_id = 0;  // 0 when the stream is gone.
    std::size_t index = 0;       // In the connection's list of open exchanges.
    RequestHead head;
    bool head_complete = false;
    bool request_ended = false;  // The client has closed its side.
    bool end_delivered = false;  // And the handler was told, by a message without a body.
    bool with_handler = false;   // A message was handed over, whose reply has not come.
    bool deferred = false;       // A message waits until the client has taken more of its answers.
    bool unpacking = false;      // A message is being decompressed.
    bool closed = false;         // While that was so: it ends when that does.
    bool reply_packed = false;   // reply.body is compressed.
    bool answered = false;       // The last reply was handed to nghttp2.
    bool resetting = false;      // A RST_STREAM of ours is on its way out.
    bool abandoned = false;      // Answered in place of the handler, which still has it.
    bool headers_sent = false;
    bool resume_queued = false;  // Waits to have its further messages looked at.
    bool counted_incomplete = false;
    std::size_t counted_held = 0;  // Its parts of the connection's sums.
    std::size_t counted_reserved = 0;
    std::size_t counted_unsent = 0;
    std::size_t owed_credit = 0;  // Bytes taken for which the stream's window was not opened yet.

    Progress receiving;  // While it is incomplete().
    Progress sending;    // While it has bytes to send.

    GrpcReader reader;
    std::optional<Error> unpack_error;
    memory::Buffer packed;  // A compressed message as it comes in.
    // Bytes behind a message that is with the handler: [inbox_read, size) is still to be looked at.
    // The stream's flow-control window bounds it, since it is not opened again for these bytes.
    memory::Buffer inbox;
    std::size_t inbox_read = 0;
    OutboundBody outbound;

private:
    void set_message_aside();
    void pack_reply() noexcept;

    Connection& connection_;
    memory::BufferPool& pool_;
    std::size_t most_unpacked_ = 0;
    std::size_t aside_bytes_ = 0;  // Size or capacity of the message that is worked at aside.
    std::size_t aside_capacity_ = 0;
};

}  // namespace lepton::net
