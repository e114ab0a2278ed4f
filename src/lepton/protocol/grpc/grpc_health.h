#pragma once

#include <memory>
#include <vector>

#include "lepton/core/model_catalog.h"
#include "lepton/core/result.h"
#include "lepton/core/sync.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

// The service grpc.health.v1.Health: "" (the server) and the inference service are ready together,
// every other name is a model's. A watched call stays open; each loop that has one looks every 100
// ms whether the state changed. Thread-safe: calls are confined to their loops.
class GrpcHealth {
public:
    GrpcHealth(const ModelCatalog& catalog, memory::BufferPool& pool);
    ~GrpcHealth();

    // Fills the reply. Errors: kModelNotFound for a name that is nobody's.
    Result<> check(net::Exchange& exchange);

    // Sends the state and keeps the call open until the client goes. Errors: kInvalidArgument, and
    // then nothing was sent.
    Result<> watch(net::Exchange& exchange);

private:
    class LoopWatchers;
    LoopWatchers& watchers_of(EventLoop& loop);

    const ModelCatalog& catalog_;
    memory::BufferPool& pool_;
    Mutex mutex_;
    // By index of the loop; grows with the first watch of each.
    std::vector<std::unique_ptr<LoopWatchers>> watchers_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::protocol
