#include "lepton/server.h"

#include <utility>

#include "lepton/inprocess/core.h"

namespace lepton {

Result<Server> Server::open(const ServerOptions& options) {
    LEPTON_TRY(std::unique_ptr<inprocess::Core> core, inprocess::Core::open(options));
    return Server(std::move(core));
}

Result<Server> Server::open(std::string service) {
    ServerOptions options;
    options.services.push_back(std::move(service));
    return open(options);
}

Server::Server(std::unique_ptr<inprocess::Core> core) : core_(std::move(core)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

Result<> Server::infer(const InferRequest& request, InferResult& result) {
    return core_->infer(request, result);
}

Result<InferResult> Server::infer(const InferRequest& request) {
    InferResult result;
    LEPTON_CHECK_OK(core_->infer(request, result));
    return result;
}

void Server::infer_async(const InferRequest& request, Callback callback, InferResult storage) {
    core_->infer_async(request, std::move(callback), std::move(storage));
}

Result<ModelInfo> Server::model(std::string_view name, std::string_view version) const {
    return core_->model(name, version);
}

std::vector<std::string> Server::models() const { return core_->models(); }

Result<std::string> Server::metrics() const { return core_->metrics(); }

Result<std::string> Server::slow_requests(std::string_view model, std::size_t limit) const {
    return core_->slow_requests(model, limit);
}

Result<> Server::load(std::string_view model) { return core_->load(std::string(model)); }

Result<> Server::unload(std::string_view model) { return core_->unload(std::string(model)); }

void Server::close() { core_->close(); }

}  // namespace lepton
