#include "lepton/inprocess/local_server.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "lepton/observe/log.h"

namespace lepton::inprocess {
namespace {

std::string joined(const std::vector<server::Failure>& failures) {
    std::string text;
    for (const auto& failure : failures)
        text += (text.empty() ? "" : "; ") + server::to_text(failure);
    return text;
}

}  // namespace

class LocalServer::Visit {
public:
    // Errors: kUnavailable once the server is closed.
    static Result<Visit> enter(LocalServer& local) {
        const MutexLock lock(local.mutex_);
        if (local.closed_) {
            return fail(ErrorCode::kUnavailable, "the server is closed; open another one");
        }
        ++local.inside_;
        return Visit(local);
    }
    Visit(Visit&& other) noexcept : local_(std::exchange(other.local_, nullptr)) {}
    Visit& operator=(Visit&&) = delete;
    ~Visit() {
        if (local_ != nullptr) local_->leave();
    }

private:
    explicit Visit(LocalServer& local) : local_(&local) {}
    LocalServer* local_;
};

// A call that nobody blocks on: what its callback needs, until it is called.
struct LocalServer::AsyncCall {
    LocalServer& local;
    Visit visit;
    InferRequest request;
    Server::Callback callback;
    InferResult result;
    std::unique_ptr<LocalCall> call;
};

Result<std::unique_ptr<LocalServer>> LocalServer::open(const ServerOptions& options) {
    if (options.services.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    "no service folder is named; `lepton create` writes one");
    }
    for (const std::string& service : options.services) {
        std::error_code unreadable;
        if (std::filesystem::exists(service, unreadable)) continue;
        return fail(ErrorCode::kInvalidArgument,
                    "service folder " + service + " does not exist; `lepton create` writes one");
    }
    if (options.cores < 0) {
        return fail(ErrorCode::kInvalidArgument,
                    "cores is " + std::to_string(options.cores) + ", at least 0 is needed");
    }
    if (!observe::set_up_logging(options.log_level)) {
        return fail(ErrorCode::kInvalidArgument,
                    "log_level is \"" + options.log_level +
                        "\", expected trace, debug, info, warn, error or off");
    }
    server::Config config;
    config.models.assign(options.services.begin(), options.services.end());
    config.listen = false;
    config.max_answer_bytes = 0;  // The memory is the caller's own, and so is the request.
    config.cores = options.cores;
    config.cache_dir = options.cache_dir;
    config.engines_dir = options.engines_dir;
    config.strict_readiness = options.strict_readiness;
    LEPTON_TRY(std::unique_ptr<server::Server> server, server::Server::start(config));
    const auto failures = server->wait_until_loaded();
    if (!failures.empty() && (options.strict_readiness || server->models().empty())) {
        return fail(ErrorCode::kInvalidArgument, joined(failures));
    }
    if (server->models().empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    options.services.front() + " holds no model; `lepton create` writes one");
    }
    return std::unique_ptr<LocalServer>(new LocalServer(std::move(server)));
}

Result<> LocalServer::infer(const InferRequest& request, InferResult& result) {
    LEPTON_TRY(const Visit visit, Visit::enter(*this));
    std::unique_ptr<LocalCall> call = calls_.take();
    Result<> answered = call->prepare(request, result, server_->observer());
    if (answered) answered = call->run(server_->inferences());
    calls_.give_back(std::move(call));
    return answered;
}

void LocalServer::infer_async(const InferRequest& request,
                              Server::Callback callback,
                              InferResult storage) {
    // Two visits: the call may be over, and its callback still going on, before the scheduler
    // returns to us.
    const auto here = Visit::enter(*this);
    auto visit = Visit::enter(*this);
    if (!visit) return callback(tl::unexpected<Error>(std::move(visit).error()));
    auto started = std::make_unique<AsyncCall>(AsyncCall{
        *this, *std::move(visit), request, std::move(callback), std::move(storage), calls_.take()});
    LocalCall& call = *started->call;
    if (Result<> prepared = call.prepare(started->request, started->result, server_->observer());
        !prepared) {
        calls_.give_back(std::move(started->call));
        return started->callback(tl::unexpected<Error>(std::move(prepared).error()));
    }
    call.start(server_->inferences(), finish, started.release());
}

void LocalServer::finish(LocalCall& call, void* context) {
    const std::unique_ptr<AsyncCall> started(static_cast<AsyncCall*>(context));
    std::optional<Error> error = call.take_error();
    started->local.calls_.give_back(std::move(started->call));
    if (error) return started->callback(tl::unexpected<Error>(*std::move(error)));
    started->callback(std::move(started->result));
}

Result<ModelInfo> LocalServer::model(std::string_view name, std::string_view version) {
    LEPTON_TRY(const Visit visit, Visit::enter(*this));
    LEPTON_TRY(const std::shared_ptr<const ModelSpec> spec, server_->catalog().find(name, version));
    return ModelInfo{.name = spec->name,
                     .versions = server_->catalog().versions(name),
                     .platform = spec->platform,
                     .inputs = spec->inputs,
                     .outputs = spec->outputs,
                     .properties = spec->properties};
}

std::vector<std::string> LocalServer::models() {
    const auto visit = Visit::enter(*this);
    return visit ? server_->catalog().models() : std::vector<std::string>{};
}

Result<std::string> LocalServer::metrics() {
    LEPTON_TRY(const Visit visit, Visit::enter(*this));
    return server_->metrics_page();
}

Result<std::string> LocalServer::slow_requests(std::string_view model, std::size_t limit) {
    LEPTON_TRY(const Visit visit, Visit::enter(*this));
    return server_->slow_page(model, limit);
}

Result<> LocalServer::load(const std::string& model) {
    LEPTON_TRY(const Visit visit, Visit::enter(*this));
    LEPTON_RETURN_IF_ERROR(server_->load(model));
    server_->wait_until_loaded();
    // If a new version does not load, the old one, if there is one, goes on serving.
    if (const auto found = server_->catalog().find(model, {}); !found) {
        return tl::unexpected<Error>(found.error());
    }
    return {};
}

Result<> LocalServer::unload(const std::string& model) {
    LEPTON_TRY(const Visit visit, Visit::enter(*this));
    LEPTON_RETURN_IF_ERROR(server_->unload(model));
    server_->wait_until_loaded();
    return {};
}

void LocalServer::leave() {
    const MutexLock lock(mutex_);
    // Notify under the lock: whoever closes may destroy us as soon as it has the lock.
    if (--inside_ == 0 && closed_) left_.notify_all();
}

void LocalServer::close() {
    {
        MutexLock lock(mutex_);
        if (std::exchange(closed_, true)) return;
        while (inside_ > 0) left_.wait(lock.native());
    }
    server_->stop();
}

}  // namespace lepton::inprocess
