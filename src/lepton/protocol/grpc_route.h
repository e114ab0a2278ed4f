#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lepton/core/result.h"
#include "lepton/net/message.h"
#include "lepton/protocol/admin/access.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {

// How the messages of a method come, and who sees them.
enum class GrpcTakes : std::uint8_t {
    kName,  // One short message: more than kDecodedOnLoop bytes are refused before they are read.
    kMessage,  // One of any length that the server takes.
    kStream,   // All of them, and their end.
};

// One line of a family's table.
template <class Family>
struct GrpcRoute {
    // On success the reply was sent, or will be by whoever keeps the call.
    using Handler = Result<> (Family::*)(net::Exchange& exchange);

    std::string_view service;  // "inference.GRPCInferenceService"
    std::string_view method;   // "ModelInfer"
    GrpcTakes takes;
    Handler handler;
    Access access;  // What it needs of whoever asks.
};

// Methods that belong together, seen from the Router. Thread-safe.
class GrpcRoutes {
public:
    struct Line {
        std::string_view service;
        std::string_view method;
        GrpcTakes takes;
        Access access;
    };

    virtual ~GrpcRoutes() = default;
    [[nodiscard]] virtual std::size_t size() const = 0;
    [[nodiscard]] virtual Line line(std::size_t index) const = 0;
    virtual Result<> handle(std::size_t index, net::Exchange& exchange) = 0;
};

// A class with a table `kRoutes` of its own methods becomes a family by deriving from this.
template <class Family>
class GrpcFamily : public GrpcRoutes {
public:
    [[nodiscard]] std::size_t size() const final { return Family::kRoutes.size(); }
    [[nodiscard]] Line line(std::size_t index) const final {
        const GrpcRoute<Family>& route = Family::kRoutes[index];
        return {route.service, route.method, route.takes, route.access};
    }
    Result<> handle(std::size_t index, net::Exchange& exchange) final {
        return (static_cast<Family*>(this)->*Family::kRoutes[index].handler)(exchange);
    }

private:
    GrpcFamily() = default;
    friend Family;
};

// For a method that is nobody's, or that this server is not made to offer.
inline tl::unexpected<Error> unknown_method(std::string_view path) {
    return fail(ErrorCode::kUnsupported, concat({"there is no method ", in_quotes(path)}));
}

}  // namespace lepton::protocol
