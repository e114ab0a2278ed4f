#include "lepton/server.h"

#include <utility>

#include "lepton/inprocess/local_server.h"

namespace lepton {

Result<Server> Server::open(const ServerOptions& options) {
    LEPTON_TRY(std::unique_ptr<inprocess::LocalServer> local,
               inprocess::LocalServer::open(options));
    return Server(std::move(local));
}

Result<Server> Server::open(std::string service) {
    ServerOptions options;
    options.services.push_back(std::move(service));
    return open(options);
}

Server::Server(std::unique_ptr<inprocess::LocalServer> local) : local_(std::move(local)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

Result<> Server::infer(const InferRequest& request, InferResult& result) {
    return local_->infer(request, result);
}

Result<InferResult> Server::infer(const InferRequest& request) {
    InferResult result;
    LEPTON_RETURN_IF_ERROR(local_->infer(request, result));
    return result;
}

void Server::infer_async(const InferRequest& request, Callback callback, InferResult storage) {
    local_->infer_async(request, std::move(callback), std::move(storage));
}

Result<ModelInfo> Server::model(std::string_view name, std::string_view version) const {
    return local_->model(name, version);
}

std::vector<std::string> Server::models() const { return local_->models(); }

Result<std::string> Server::metrics() const { return local_->metrics(); }

Result<std::string> Server::slow_requests(std::string_view model, std::size_t limit) const {
    return local_->slow_requests(model, limit);
}

Result<> Server::load(std::string_view model) { return local_->load(std::string(model)); }

Result<> Server::unload(std::string_view model) { return local_->unload(std::string(model)); }

void Server::close() { local_->close(); }

}  // namespace lepton
