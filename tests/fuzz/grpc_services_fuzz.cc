// Reads any bytes as messages of calls other than inferences: of reflection and health, which stay
// open, and of the routes about models. The input is a list of messages: which call, which method,
// and a length with that many bytes.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "lepton/protocol/router.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

constexpr std::array<std::string_view, 12> kMethods = {
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/inference.GRPCInferenceService/ModelReady",
    "/inference.GRPCInferenceService/ModelMetadata",
    "/inference.GRPCInferenceService/ModelConfig",
    "/inference.GRPCInferenceService/ModelStatistics",
    "/inference.GRPCInferenceService/RepositoryIndex",
    "/inference.GRPCInferenceService/ServerMetadata",
    "/inference.GRPCInferenceService/ServerLive",
    "/grpc.health.v1.Health/List",
};

void require(bool condition) {
    if (!condition) std::abort();
}

class Calls {
public:
    void message(std::size_t which, std::string_view method, std::string_view body) {
        FakeExchange& call = *calls_[which % calls_.size()];
        const std::size_t sent = call.sent.size();
        if (!call.held) {
            call.reset();
            call.message.grpc = true;
            call.message.received = Clock::now();
            call.message.path = method;
        }
        call.set_body(body);
        call.message.has_body = true;
        router_.handle(call);
        require(call.sent.size() <= sent + 1);
        if (call.sent.size() == sent) return;
        require(call.sent.back().grpc_status >= 0 && call.sent.back().grpc_status <= 16);
    }
    void tick() {
        catalog_.is_ready = !catalog_.is_ready;
        for (const auto& call : calls_) call->fake_loop.run_timers();
    }
    // Ends the clients: every call that is held must be ended.
    void end() {
        for (const auto& call : calls_) {
            if (!call->held) continue;
            call->gone();
            require(call->sent.back().last);
        }
        for (const auto& call : calls_) call->fake_loop.run_timers();
        for (const auto& call : calls_) require(call->fake_loop.timers.empty());
    }

private:
    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeService service_{catalog_.model};
    Router router_{{service_, catalog_, pool_}, {}};
    std::array<std::unique_ptr<FakeExchange>, 3> calls_{std::make_unique<FakeExchange>(pool_),
                                                        std::make_unique<FakeExchange>(pool_),
                                                        std::make_unique<FakeExchange>(pool_)};
};

void run(std::string_view input) {
    Calls calls;
    while (input.size() >= 3) {
        const auto which = static_cast<std::uint8_t>(input[0]);
        const auto method = static_cast<std::uint8_t>(input[1]);
        const std::size_t size =
            std::min<std::size_t>(static_cast<std::uint8_t>(input[2]), input.size() - 3);
        calls.message(which, kMethods[method % kMethods.size()], input.substr(3, size));
        if (which % 8 == 7) calls.tick();
        input.remove_prefix(3 + size);
    }
    calls.end();
}

}  // namespace
}  // namespace lepton::protocol

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lepton::protocol::run({reinterpret_cast<const char*>(data), size});
    return 0;
}
