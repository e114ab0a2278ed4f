#pragma once

#include <functional>

#include "lepton/net/message.h"

namespace lepton::fakes {

// A handler's state that tells the test what it hears of its exchange.
struct ToldState final : net::HandlerState {
    explicit ToldState(net::Exchange& of) : exchange(of) {}
    void on_sent(Clock::time_point when) noexcept override {
        if (sent) sent(when);
    }
    void on_gone() noexcept override {
        if (gone) gone(exchange);
    }

    net::Exchange& exchange;
    std::function<void(Clock::time_point when)> sent;
    std::function<void(net::Exchange& exchange)> gone;
};

// Keeps the exchange open, as a handler does that sends several replies.
inline void hold(net::Exchange& exchange, std::function<void(net::Exchange& exchange)> gone) {
    exchange.held = true;
    exchange.state<ToldState>().gone = std::move(gone);
}

}  // namespace lepton::fakes
