#include "lepton/net/http2/http2_exchange.h"

#include <new>
#include <utility>

#include "lepton/net/gzip.h"

namespace lepton::net {
namespace {

// What a closed stream's buffers keep for the next one; more goes back to the pool, so that many
// quiet connections do not each hold the memory of their largest message.
constexpr std::size_t kKeptBytes = std::size_t{4} << 10;
// Below this a shorter message would not save a packet.
constexpr std::size_t kCompressFrom = std::size_t{1} << 10;
// What takes longer, some 0.6 ms, is compressed aside.
constexpr std::size_t kCompressedOnLoop = std::size_t{64} << 10;

void shrink_buffer(memory::Buffer& buffer, memory::BufferPool& pool) {
    // A handler may have moved its buffer away.
    if (buffer.capacity() > kKeptBytes || buffer.capacity() == 0) buffer = pool.take(0);
}

}  // namespace

Http2Exchange::Http2Exchange(Connection& connection, EventLoop& loop, memory::BufferPool& pool)
    : outbound(pool), connection_(connection), pool_(pool) {
    message.body = pool.take(0);
    reply.body = pool.take(0);
    scratch = pool.take(0);
    call.loop = &loop;
    call.client = reinterpret_cast<std::uintptr_t>(&connection);
}

void Http2Exchange::open(std::int32_t id) { stream_id = id; }

void Http2Exchange::clear() {
    reset();
    shrink_buffer(message.body, pool_);
    shrink_buffer(reply.body, pool_);
    shrink_buffer(scratch, pool_);
    message.fields.shrink(kKeptBytes);
    packed.release();
    inbox.release();
    inbox_read = 0;
    outbound.reset(kKeptBytes);
    reader.next();
    head = {};
    stream_id = 0;
    head_complete = request_ended = end_delivered = with_handler = answered = headers_sent = false;
    deferred = unpacking = closed = reply_packed = false;
    abandoned = resetting = resume_queued = counted_incomplete = false;
    counted_held = counted_reserved = counted_unsent = owed_credit = 0;
}

void Http2Exchange::begin_message() {
    message.body.clear();
    if (message.body.capacity() == 0) message.body = pool_.take(0);
    if (packed.capacity() == 0 && head.encoding != RequestHead::Encoding::kIdentity) {
        packed = pool_.take(0);
    }
    packed.clear();
    scratch.clear();
    reply.clear();
    reply_packed = false;
    call.reset();
}

void Http2Exchange::set_message_aside() {
    aside_bytes_ = message.body.size() + packed.size();
    aside_capacity_ = message.body.capacity() + packed.capacity();
}

void Http2Exchange::unpack(std::size_t max_bytes) {
    set_message_aside();
    unpacking = true;
    most_unpacked_ = max_bytes;
    aside(
        [](Exchange& of) noexcept {
            auto& self = static_cast<Http2Exchange&>(of);
            Result<> unpacked = fail(ErrorCode::kCancelled, "the client went away");
            try {
                if (!self.call.cancelled.load(std::memory_order_relaxed)) {
                    unpacked = gunzip(self.packed.bytes(), self.most_unpacked_, self.message.body);
                }
            } catch (const std::bad_alloc&) {
                unpacked = fail(ErrorCode::kUnavailable, "no memory left for the request");
            }
            self.packed.release();
            if (!unpacked) self.call.response.error = std::move(unpacked).error();
        },
        [](Exchange& of) noexcept {
            auto& self = static_cast<Http2Exchange&>(of);
            self.connection_.on_unpacked(self);
        });
}

void Http2Exchange::send() {
    reply_packed = false;
    const std::size_t size = reply.has_body ? reply.body.size() : 0;
    if (!message.grpc || !compresses_replies() || size < kCompressFrom) {
        connection_.on_send(*this);
    } else if (size <= kCompressedOnLoop) {
        pack_reply();
        connection_.on_send(*this);
    } else {
        aside([](Exchange& of) noexcept { static_cast<Http2Exchange&>(of).pack_reply(); },
              [](Exchange& of) noexcept {
                  auto& self = static_cast<Http2Exchange&>(of);
                  self.connection_.on_send(self);
              });
    }
}

// Leaves it as it is where that would not make it shorter.
void Http2Exchange::pack_reply() noexcept {
    try {
        memory::Buffer shorter = pool_.take(reply.body.size());
        reply_packed = gzip(reply.body.bytes(), shorter);
        if (reply_packed) reply.body.swap(shorter);
    } catch (const std::bad_alloc&) {
        reply_packed = false;
    }
}

bool Http2Exchange::incomplete() const {
    if (!has_stream() || !head_complete || with_handler || unpacking || ignores_input()) {
        return false;
    }
    return message.grpc ? !reader.between_messages() : !request_ended;
}

void Http2Exchange::stash(std::span<const std::byte> bytes) {
    if (inbox.capacity() == 0) inbox = pool_.take(bytes.size());
    inbox.append(bytes);
}

std::size_t Http2Exchange::held_bytes() const {
    const std::size_t of_message =
        with_handler || unpacking ? aside_bytes_ : message.body.size() + packed.size();
    return of_message + inbox.size() + outbound.held_bytes();
}

std::size_t Http2Exchange::reserved_bytes() const {
    return with_handler || unpacking ? aside_capacity_
                                     : message.body.capacity() + packed.capacity();
}

}  // namespace lepton::net
