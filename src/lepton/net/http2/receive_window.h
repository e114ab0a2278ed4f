#pragma once

#include <cstddef>

#include <nghttp2/nghttp2.h>

#include "lepton/net/http2/exchange_list.h"

namespace lepton::net {

// Decides when a client may send more of its bodies, by opening HTTP/2's windows. Bounds what all
// streams of a connection hold together, in largest bodies:
//
//     0 ........ 2 ................. 4
//      all upload | the oldest goes on |  the connection's window stays shut
//
// so that uploads end one after the other instead of all being stuck half-way. Confined to its
// loop.
class ReceiveWindow {
public:
    ReceiveWindow(ExchangeList& exchanges, std::size_t max_body_bytes)
        : exchanges_(exchanges), slow_above_(2 * max_body_bytes), most_held_(4 * max_body_bytes) {}

    // The windows that a connection begins with.
    static constexpr std::uint32_t kOfStream = std::uint32_t{4} << 20;
    static constexpr std::int32_t kOfConnection = std::int32_t{16} << 20;

    // `count` bytes came in on some stream.
    void on_received(std::size_t count) { owed_ += count; }
    // `count` bytes of the exchange's stream were looked at, or need never be.
    void on_taken(nghttp2_session* session, Http2Exchange& exchange, std::size_t count);
    // Opens what may be opened.
    void update(nghttp2_session* session, bool connection_may_open);

    // While the client has to wait for us, its silence is our doing.
    [[nodiscard]] bool keeps_client_waiting() const { return owed_ > 0; }
    [[nodiscard]] bool is_full() const { return exchanges_.held_bytes() > most_held_; }
    [[nodiscard]] std::size_t most_held_bytes() const { return most_held_; }
    // Memory that may be taken at once on a client's promise to fill it.
    [[nodiscard]] std::size_t spare_bytes() const;
    // When too much is held and only the client could change that, the exchange that must give way:
    // the youngest. Null otherwise.
    [[nodiscard]] Http2Exchange* stuck_exchange();

private:
    static void open(nghttp2_session* session, Http2Exchange& exchange);
    static void reopen(nghttp2_session* session, Http2Exchange& exchange);

    ExchangeList& exchanges_;
    const std::size_t slow_above_;
    const std::size_t most_held_;
    std::size_t owed_ = 0;       // Bytes that the connection's window was not opened again for.
    bool streams_wait_ = false;  // Some exchanges have owed_credit.
};

}  // namespace lepton::net
