#include "lepton/net/http2/exchange_list.h"

#include <utility>

namespace lepton::net {

Http2Exchange& ExchangeList::open(std::int32_t stream_id) {
    if (idle_.empty()) {
        open_.push_back(std::make_unique<Http2Exchange>(connection_, loop_, pool_));
    } else {
        open_.push_back(std::move(idle_.back()));
        idle_.pop_back();
    }
    Http2Exchange& exchange = *open_.back();
    exchange.index = open_.size() - 1;
    exchange.open(stream_id);
    return exchange;
}

void ExchangeList::close(Http2Exchange& exchange) {
    held_bytes_ -= exchange.counted_held;
    reserved_bytes_ -= exchange.counted_reserved;
    unsent_bytes_ -= exchange.counted_unsent;
    incomplete_ -= exchange.counted_incomplete ? 1 : 0;
    exchange.clear();
    std::unique_ptr<Http2Exchange>& place = open_[exchange.index];
    if (idle_.size() < max_kept_) idle_.push_back(std::move(place));
    if (&place != &open_.back()) {
        place = std::move(open_.back());
        place->index = static_cast<std::size_t>(&place - open_.data());
    }
    open_.pop_back();
}

void ExchangeList::shrink() {
    if (idle_.size() > 1) {
        idle_.resize(1);
        idle_.shrink_to_fit();
    }
    if (open_.empty()) open_.shrink_to_fit();
    for (const auto& exchange : idle_) exchange->shrink();
}

void ExchangeList::recount(Http2Exchange& exchange) {
    const std::size_t held = exchange.held_bytes();
    held_bytes_ += held - std::exchange(exchange.counted_held, held);
    const std::size_t reserved = exchange.reserved_bytes();
    reserved_bytes_ += reserved - std::exchange(exchange.counted_reserved, reserved);
    const std::size_t unsent = exchange.outbound.held_bytes();
    unsent_bytes_ += unsent - std::exchange(exchange.counted_unsent, unsent);
    const bool incomplete = exchange.incomplete();
    if (incomplete == std::exchange(exchange.counted_incomplete, incomplete)) return;
    incomplete_ += incomplete ? 1 : std::size_t{0} - 1;
}

}  // namespace lepton::net
