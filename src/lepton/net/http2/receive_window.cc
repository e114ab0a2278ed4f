#include "lepton/net/http2/receive_window.h"

#include <algorithm>
#include <utility>

namespace lepton::net {

void ReceiveWindow::on_taken(nghttp2_session* session, Http2Exchange& exchange, std::size_t count) {
    exchange.owed_credit += count;
    if (exchanges_.held_bytes() <= slow_above_) {
        open(session, exchange);
    } else {
        streams_wait_ = true;
    }
}

void ReceiveWindow::update(nghttp2_session* session, bool connection_may_open) {
    if (streams_wait_) {
        streams_wait_ = exchanges_.held_bytes() > slow_above_;
        Http2Exchange* oldest = nullptr;
        exchanges_.for_each([&](Http2Exchange& exchange) {
            if (!exchange.has_stream() || exchange.owed_credit == 0) return;
            if (!streams_wait_) {
                reopen(session, exchange);
            } else if (oldest == nullptr || exchange.stream_id < oldest->stream_id) {
                oldest = &exchange;
            }
        });
        if (oldest != nullptr) reopen(session, *oldest);
    }
    if (owed_ == 0 || is_full() || !connection_may_open) return;
    nghttp2_session_consume_connection(session, std::exchange(owed_, 0));
}

std::size_t ReceiveWindow::spare_bytes() const {
    return slow_above_ - std::min(slow_above_, exchanges_.reserved_bytes());
}

Http2Exchange* ReceiveWindow::stuck_exchange() {
    if (!is_full() || exchanges_.incomplete() < exchanges_.size()) return nullptr;
    Http2Exchange* youngest = nullptr;
    exchanges_.for_each([&youngest](Http2Exchange& exchange) {
        if (youngest == nullptr || exchange.stream_id > youngest->stream_id) youngest = &exchange;
    });
    return youngest;
}

void ReceiveWindow::reopen(nghttp2_session* session, Http2Exchange& exchange) {
    exchange.receiving.restart(Clock::now());  // Its silence was our doing.
    open(session, exchange);
}

void ReceiveWindow::open(nghttp2_session* session, Http2Exchange& exchange) {
    nghttp2_session_consume_stream(
        session, exchange.stream_id, std::exchange(exchange.owed_credit, 0));
}

}  // namespace lepton::net
