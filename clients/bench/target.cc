#include "target.h"

#include <algorithm>
#include <utility>

#include "lepton/client.h"
#include "lepton/server.h"

namespace lepton::bench {
namespace {

template <class Infers>
class TargetOf final : public Target {
public:
    explicit TargetOf(Infers infers) : infers_(std::move(infers)) {}

    Result<ModelInfo> model(const std::string& name, const std::string& version) override {
        return infers_.model(name, version);
    }
    Result<std::vector<std::string>> models() override { return infers_.models(); }
    Result<> infer(const InferRequest& request, InferResult& result) override {
        return infers_.infer(request, result);
    }
    void infer_async(const InferRequest& request, Callback callback, InferResult storage) override {
        infers_.infer_async(request, std::move(callback), std::move(storage));
    }

private:
    Infers infers_;
};

}  // namespace

Result<std::unique_ptr<Target>> open_target(const TargetOptions& options) {
    if (options.url.empty()) {
        ServerOptions server;
        server.services = {options.service};
        server.engines_dir = options.engines_dir;
        server.cores = options.cores;
        LEPTON_TRY(Server opened, Server::open(server));
        return std::make_unique<TargetOf<Server>>(std::move(opened));
    }
    ClientOptions client;
    client.endpoints = {options.url};
    client.timeout =
        std::max(std::chrono::milliseconds(1),
                 std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout));
    client.max_connections_per_endpoint = options.connections;
    client.retry.max_attempts = 1;  // Refusals must be visible.
    LEPTON_TRY(Client opened, Client::open(std::move(client)));
    return std::make_unique<TargetOf<Client>>(std::move(opened));
}

}  // namespace lepton::bench
