#pragma once

#include <cstddef>
#include <cstdint>

#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/admin/access.h"
#include "lepton/protocol/error_reply.h"
#include "lepton/protocol/path_pattern.h"

namespace lepton::protocol {

enum class Verb : std::uint8_t { kRead, kPost };  // kRead: GET and HEAD.

// One line of a family's table.
template <class Family>
struct RestRoute {
    // On success the reply was sent, or will be.
    using Handler = Result<> (Family::*)(net::Exchange& exchange, const PathVariables& path);

    Verb verb;
    PathPattern pattern;
    Handler handler;
    Access access;  // What it needs of whoever asks.
};

// Routes that belong together, seen from the Router. Thread-safe.
class RestRoutes {
public:
    struct Line {
        Verb verb;
        const PathPattern* pattern;
        Access access;
    };

    virtual ~RestRoutes() = default;
    [[nodiscard]] virtual std::size_t size() const = 0;
    [[nodiscard]] virtual Line line(std::size_t index) const = 0;
    virtual Result<> handle(std::size_t index,
                            net::Exchange& exchange,
                            const PathVariables& path) = 0;
};

// A class with a table `kRoutes` of its own routes becomes a family by deriving from this.
template <class Family>
class RestFamily : public RestRoutes {
public:
    [[nodiscard]] std::size_t size() const final { return Family::kRoutes.size(); }
    [[nodiscard]] Line line(std::size_t index) const final {
        const RestRoute<Family>& route = Family::kRoutes[index];
        return {route.verb, &route.pattern, route.access};
    }
    Result<> handle(std::size_t index, net::Exchange& exchange, const PathVariables& path) final {
        return (static_cast<Family*>(this)->*Family::kRoutes[index].handler)(exchange, path);
    }

private:
    RestFamily() = default;
    friend Family;
};

// The usual handler's end: a body of which `write` says what is in it, for most in this much room.
inline constexpr std::size_t kRoomForPage = 2048;
template <class Write>
Result<> send_page(net::Exchange& exchange, memory::BufferPool& pool, const Write& write) {
    prepare_body(exchange.reply.body, kRoomForPage, pool);
    LEPTON_CHECK_OK(write(exchange.reply.body));
    exchange.send();
    return {};
}

}  // namespace lepton::protocol
