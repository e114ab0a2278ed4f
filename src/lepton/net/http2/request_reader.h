#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lepton/net/http2/http2_exchange.h"
#include "lepton/net/limits.h"

namespace lepton::net {

// Why the connection itself answers a request, without the handler.
struct Refusal {
    int http_status;
    int grpc_status;
    std::string message;
};

// Makes messages of what arrives on a stream: whole HTTP requests, and the messages of gRPC calls,
// one at a time. Checks what belongs to neither protocol's content: sizes, encodings, framing.
// Confined to its loop.
class RequestReader {
public:
    class Host {
    public:
        // The exchange holds a complete message. May come back with its reply sent already.
        virtual void deliver(Http2Exchange& exchange) = 0;
        // It holds one that is still compressed.
        virtual void unpack(Http2Exchange& exchange) = 0;
        virtual void refuse(Http2Exchange& exchange, const Refusal& refusal) = 0;
        // How many bytes of memory may be taken at once on a client's promise to fill them.
        [[nodiscard]] virtual std::size_t spare_bytes() const = 0;

    protected:
        ~Host() = default;
    };

    RequestReader(Host& host, const Limits& limits) : host_(host), limits_(limits) {}

    void on_head(Http2Exchange& exchange);
    // Returns how many bytes the stream's window may be opened again for.
    [[nodiscard]] std::size_t on_data(Http2Exchange& exchange, std::span<const std::byte> data);
    // The client has closed its side.
    void on_end(Http2Exchange& exchange);
    // The handler has answered a message and keeps the call open: goes on with what came behind it.
    // Returns as on_data() does.
    [[nodiscard]] std::size_t resume(Http2Exchange& exchange);
    void refuse(Http2Exchange& exchange, const Error& error);

private:
    void on_grpc_head(Http2Exchange& exchange);
    std::size_t feed(Http2Exchange& exchange, std::span<const std::byte> data);
    void reserve(memory::Buffer& buffer, std::size_t count, std::uint64_t promised);
    bool begin_grpc_message(Http2Exchange& exchange);
    void finish_grpc_message(Http2Exchange& exchange);
    void finish_grpc_call(Http2Exchange& exchange);

    Host& host_;
    const Limits& limits_;
};

}  // namespace lepton::net
