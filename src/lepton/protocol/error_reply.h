#pragma once

#include <new>
#include <string_view>

#include "lepton/core/error.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

enum class ErrorStyle : std::uint8_t {
    kLepton,
    // A full queue and a missed deadline are both 503 / UNAVAILABLE with Triton's texts, for
    // clients that match on them.
    kTriton,
};

// Makes the reply an error: {"error": "..."} for HTTP, status and message for gRPC. Fields that the
// reply already has stay. Paths of this machine are told on the admin listener alone. `admin_url`:
// where the client should ask instead, for it to follow; empty: not told.
void write_error(net::Exchange& exchange,
                 const Error& error,
                 ErrorStyle style,
                 memory::BufferPool& pool,
                 std::string_view admin_url = {});

// What `step` returns, a Result; kUnavailable where the memory for it cannot be had.
template <class Step>
auto within_memory(const Step& step) -> decltype(step()) {
    try {
        return step();
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::kUnavailable, "no memory left for the request");
    }
}

// Makes `body` empty with room for at least `capacity` bytes.
void prepare_body(memory::Buffer& body, std::size_t capacity, memory::BufferPool& pool);

}  // namespace lepton::protocol
