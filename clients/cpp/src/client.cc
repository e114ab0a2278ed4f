#include "lepton/client.h"

#include <algorithm>
#include <utility>

#include "background.h"
#include "blocking.h"
#include "client_state.h"

namespace lepton {
namespace {

using client::Answer;
using client::Ended;
using client::Operation;

// When a call ends: the earlier of its request's deadline and its timeout, plus its grace.
Clock::time_point deadline_of(const InferRequest& request, const ClientOptions& options) {
    constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(24 * 365);
    const std::chrono::nanoseconds timeout =
        request.timeout.count() > 0 ? request.timeout : options.timeout;
    return std::min(request.deadline, Clock::now() + std::min(timeout, kLongest)) +
           client::grace_of(request);
}

Result<> ask(client::ClientState& state, Operation operation, Answer& answer) {
    operation.deadline = Clock::now() + state.options.timeout;
    Ended ended = client::run_blocking(state, operation, answer);
    if (ended.error) return tl::unexpected<Error>(*std::move(ended.error));
    return {};
}

// For the routes that answer yes or no: the server reports no as an error, the caller gets false.
Result<bool> ask_whether(client::ClientState& state, Operation operation) {
    operation.deadline = Clock::now() + state.options.timeout;
    Answer answer;
    Ended ended = client::run_blocking(state, operation, answer);
    if (!ended.error) return true;
    const bool no = ended.error->code == ErrorCode::kUnavailable ||
                    ended.error->code == ErrorCode::kModelNotFound ||
                    // How Triton says "not ready".
                    ended.error->code == ErrorCode::kInvalidArgument;
    if (ended.was_answered && no) return false;
    return tl::unexpected<Error>(*std::move(ended.error));
}

Operation about(Operation::Kind kind, std::string_view model, std::string_view version) {
    Operation operation;
    operation.kind = kind;
    operation.model = model;
    operation.version = version;
    return operation;
}

}  // namespace

void CallHandle::cancel() const {
    if (const auto background = background_.lock()) background->cancel(slot_, generation_);
}

Result<Client> Client::open(ClientOptions options) {
    LEPTON_TRY(std::unique_ptr<client::ClientState> state,
               client::ClientState::open(std::move(options)));
    return Client(std::move(state));
}

Result<Client> Client::open(std::string endpoint) {
    ClientOptions options;
    options.endpoints = {std::move(endpoint)};
    return open(std::move(options));
}

Client::Client(std::unique_ptr<client::ClientState> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<> Client::infer(const InferRequest& request, InferResult& result) {
    Operation operation;
    operation.request = &request;
    operation.deadline = deadline_of(request, state_->options);
    Answer answer;
    answer.result.swap(result);
    Ended ended = client::run_blocking(*state_, operation, answer);
    result.swap(answer.result);
    if (ended.error) return tl::unexpected<Error>(*std::move(ended.error));
    return {};
}

Result<InferResult> Client::infer(const InferRequest& request) {
    InferResult result;
    LEPTON_RETURN_IF_ERROR(infer(request, result));
    return result;
}

CallHandle Client::infer_async(const InferRequest& request,
                               Callback callback,
                               InferResult storage) {
    return state_->background().submit(
        request, deadline_of(request, state_->options), std::move(callback), std::move(storage));
}

std::future<Result<InferResult>> Client::infer_future(const InferRequest& request) {
    auto promise = std::make_shared<std::promise<Result<InferResult>>>();
    auto future = promise->get_future();
    infer_async(request,
                [promise](Result<InferResult> result) { promise->set_value(std::move(result)); });
    return future;
}

Result<ModelInfo> Client::model(std::string_view name, std::string_view version) {
    Answer answer;
    LEPTON_RETURN_IF_ERROR(
        ask(*state_, about(Operation::Kind::kModelMetadata, name, version), answer));
    return std::move(answer.model);
}

Result<std::vector<std::string>> Client::models() {
    Answer answer;
    LEPTON_RETURN_IF_ERROR(ask(*state_, about(Operation::Kind::kListModels, {}, {}), answer));
    return std::move(answer.models);
}

Result<bool> Client::server_live() {
    return ask_whether(*state_, about(Operation::Kind::kServerLive, {}, {}));
}

Result<bool> Client::server_ready() {
    return ask_whether(*state_, about(Operation::Kind::kServerReady, {}, {}));
}

Result<bool> Client::model_ready(std::string_view name, std::string_view version) {
    return ask_whether(*state_, about(Operation::Kind::kModelReady, name, version));
}

ClientStatistics Client::statistics() const {
    constexpr auto kRelaxed = std::memory_order_relaxed;
    const client::ClientState::Counters& counters = state_->counters;
    return {.calls = counters.calls.load(kRelaxed),
            .failures = counters.failures.load(kRelaxed),
            .retries = counters.retries.load(kRelaxed),
            .hedges = counters.hedges.load(kRelaxed),
            .hedges_won = counters.hedges_won.load(kRelaxed),
            .connections_opened = state_->pool.opened()};
}

}  // namespace lepton
