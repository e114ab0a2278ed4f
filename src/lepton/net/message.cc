#include "lepton/net/message.h"

#include <utility>

#include "lepton/memory/buffer_pool.h"

namespace lepton::net {
namespace {

void shrink_buffer(memory::Buffer& buffer, memory::BufferPool& pool, std::size_t keep_bytes) {
    // A handler may have moved its buffer away.
    if (buffer.capacity() > keep_bytes || buffer.capacity() == 0) buffer = pool.take(0);
}

template <class Storage>
void shrink_storage(Storage& storage, std::size_t keep_bytes) {
    if (storage.capacity() * sizeof(typename Storage::value_type) > keep_bytes) {
        Storage().swap(storage);
    }
}

}  // namespace

void FieldList::shrink(std::size_t keep_bytes) {
    shrink_storage(text_, keep_bytes);
    shrink_storage(fields_, keep_bytes);
}

void FieldList::add(std::string_view name, std::string_view value) {
    fields_.push_back({static_cast<std::uint32_t>(text_.size()),
                       static_cast<std::uint32_t>(name.size()),
                       static_cast<std::uint32_t>(value.size())});
    text_.append(name).append(value);
}

void FieldList::add_any_case(std::string_view name, std::string_view value) {
    const std::size_t start = text_.size();
    add(name, value);
    for (std::size_t i = start; i < start + name.size(); ++i) {
        if (text_[i] >= 'A' && text_[i] <= 'Z') text_[i] = static_cast<char>(text_[i] | 0x20);
    }
}

std::string_view FieldList::find(std::string_view name) const {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (this->name(i) == name) return value(i);
    }
    return {};
}

void Reply::clear() {
    status = 200;
    content_type = "application/json";
    grpc_status = 0;
    grpc_message.clear();
    has_body = last = true;
    fields.clear();
    body.clear();
}

void Exchange::aside(Step work, Step then) {
    errand_.work = work;
    errand_.then = then;
    call.loop->run_aside(errand_, call.client);
}

void Exchange::Errand::run() noexcept {
    if (const Step next = std::exchange(work, nullptr)) {
        next(exchange);
        exchange.call.loop->post(*this);  // From here on the loop's.
    } else {
        then(exchange);
    }
}

void Exchange::reset() {
    message.grpc = false;
    message.has_body = true;
    message.path.clear();
    message.query.clear();
    message.fields.clear();
    message.body.clear();
    message.begun = {};
    reply.clear();
    call.reset();
    scratch.clear();
    draft.reset();
    handler_state = nullptr;
    on_gone = nullptr;
}

void Exchange::shrink(memory::BufferPool& pool, std::size_t keep_bytes) {
    shrink_buffer(message.body, pool, keep_bytes);
    shrink_buffer(reply.body, pool, keep_bytes);
    shrink_buffer(scratch, pool, keep_bytes);
    message.fields.shrink(keep_bytes);
    reply.fields.shrink(keep_bytes);
    shrink_storage(message.path, keep_bytes);
    shrink_storage(message.query, keep_bytes);
    shrink_storage(reply.grpc_message, keep_bytes);
    shrink_storage(call.request.inputs, keep_bytes);
    shrink_storage(call.request.outputs, keep_bytes);
    shrink_storage(call.request.parameters, keep_bytes);
    shrink_storage(call.response.outputs, keep_bytes);
}

}  // namespace lepton::net
