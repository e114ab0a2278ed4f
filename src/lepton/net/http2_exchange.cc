#include "lepton/net/http2_exchange.h"

namespace lepton::net {
namespace {

// What a closed stream's buffers keep for the next one; more goes back to the pool, so that many
// quiet connections do not each hold the memory of their largest message.
constexpr std::size_t kKeptBytes = std::size_t{4} << 10;

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

void Http2Exchange::open(std::int32_t id) {
    stream_id = id;
    call.context = nullptr;
}

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
    abandoned = resetting = resume_queued = counted_incomplete = false;
    counted_held = counted_reserved = owed_credit = 0;
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
    call.reset();
}

bool Http2Exchange::incomplete() const {
    if (!has_stream() || !head_complete || with_handler || ignores_input()) return false;
    return message.grpc ? !reader.between_messages() : !request_ended;
}

void Http2Exchange::stash(std::span<const std::byte> bytes) {
    if (inbox.capacity() == 0) inbox = pool_.take(bytes.size());
    inbox.append(bytes);
}

std::size_t Http2Exchange::held_bytes() const {
    return message.body.size() + packed.size() + inbox.size() + outbound.held_bytes();
}

std::size_t Http2Exchange::reserved_bytes() const {
    return message.body.capacity() + packed.capacity();
}

}  // namespace lepton::net
