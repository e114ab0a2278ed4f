#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "lepton/net/http2/http2_exchange.h"

namespace lepton::net {

// The exchanges of one connection: the open ones, with sums over them, and those that wait for
// their next stream. Confined to its loop.
class ExchangeList {
public:
    ExchangeList(Http2Exchange::Connection& connection,
                 EventLoop& loop,
                 memory::BufferPool& pool,
                 std::size_t max_kept)
        : connection_(connection), loop_(loop), pool_(pool), max_kept_(max_kept) {}

    Http2Exchange& open(std::int32_t stream_id);
    void close(Http2Exchange& exchange);
    // Gives back what it keeps for further streams, but for one of them.
    void shrink();
    // Brings the sums up to date with what has happened to `exchange`.
    void recount(Http2Exchange& exchange);

    [[nodiscard]] std::size_t size() const { return open_.size(); }
    [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }
    [[nodiscard]] std::size_t reserved_bytes() const { return reserved_bytes_; }
    // The bytes of answers that are not all on their way.
    [[nodiscard]] std::size_t unsent_bytes() const { return unsent_bytes_; }
    [[nodiscard]] std::size_t incomplete() const { return incomplete_; }

    // Calls `visit` for each open exchange; it may close any of them.
    template <class Visit>
    void for_each(const Visit& visit) {
        for (std::size_t i = open_.size(); i-- > 0;) {
            if (i < open_.size()) visit(*open_[i]);
        }
    }
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& exchange : open_) visit(std::as_const(*exchange));
    }

private:
    Http2Exchange::Connection& connection_;
    EventLoop& loop_;
    memory::BufferPool& pool_;
    const std::size_t max_kept_;
    std::vector<std::unique_ptr<Http2Exchange>> open_;
    std::vector<std::unique_ptr<Http2Exchange>> idle_;
    std::size_t held_bytes_ = 0;
    std::size_t reserved_bytes_ = 0;
    std::size_t unsent_bytes_ = 0;
    std::size_t incomplete_ = 0;
};

}  // namespace lepton::net
