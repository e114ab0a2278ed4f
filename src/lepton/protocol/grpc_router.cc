#include "lepton/protocol/grpc_router.h"

#include <algorithm>
#include <utility>

#include <google/protobuf/stubs/logging.h>

#include "lepton/protocol/grpc/standard_services.h"
#include "lepton/protocol/kserve/infer_route.h"
#include "lepton/protocol/kserve/kserve_grpc.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

Result<> check_message(const net::Message& message, GrpcTakes takes) {
    if (takes == GrpcTakes::kStream) return {};
    if (!message.has_body) {
        return fail(ErrorCode::kInvalidArgument, "the call ended without a message");
    }
    if (takes == GrpcTakes::kName && message.body.size() > kDecodedOnLoop) {
        return fail(ErrorCode::kPayloadTooLarge,
                    concat({"a message of this method has at most ",
                            std::to_string(kDecodedOnLoop),
                            " bytes"}));
    }
    return {};
}

}  // namespace

GrpcRouter::GrpcRouter(InferService& service,
                       const ModelCatalog& catalog,
                       memory::BufferPool& pool,
                       const Router::Options& options)
    : pool_(pool),
      style_(options.triton_errors ? ErrorStyle::kTriton : ErrorStyle::kLepton),
      access_(options.access) {
    // In this order they are looked at: first what is asked for most.
    add(std::make_unique<KserveGrpc>(service, catalog, pool, options));
    add(std::make_unique<StandardServices>(catalog, pool));
    // Protobuf writes a line to stderr for each string of a client that is not UTF-8; the client is
    // told, and the log is not its to fill.
    google::protobuf::SetLogHandler(nullptr);
}

void GrpcRouter::add(std::unique_ptr<GrpcRoutes> family) {
    for (std::size_t i = 0; i < family->size(); ++i) {
        const GrpcRoutes::Line line = family->line(i);
        entries_.push_back({concat({"/", line.service, "/", line.method}), line, family.get(), i});
    }
    families_.push_back(std::move(family));
}

void GrpcRouter::handle(net::Exchange& exchange) noexcept {
    const Result<> done = within_memory([&] { return dispatch(exchange); });
    if (done) return;
    write_error(exchange, done.error(), style_, pool_);
    exchange.send();
}

// On success the reply was sent, or will be.
Result<> GrpcRouter::dispatch(net::Exchange& exchange) {
    const std::string_view path = exchange.message.path;
    const auto entry = std::find_if(
        entries_.begin(), entries_.end(), [path](const Entry& one) { return one.path == path; });
    const bool known = entry != entries_.end();
    LEPTON_CHECK_OK(access_.check(exchange, known ? entry->line.access : Access::kData));
    if (!known) return unknown_method(path);
    LEPTON_CHECK_OK(check_message(exchange.message, entry->line.takes));
    return entry->family->handle(entry->index, exchange);
}

std::vector<std::string_view> GrpcRouter::services() const {
    std::vector<std::string_view> names;
    for (const Entry& entry : entries_) {
        const std::string_view name = entry.line.service;
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
}

}  // namespace lepton::protocol
