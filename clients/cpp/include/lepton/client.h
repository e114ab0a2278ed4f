#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/inference.h"

namespace lepton {

namespace client {
class Background;
class Core;
}  // namespace client

// A failed attempt is made again where that is safe: the connection was refused, the server said
// that it did not run the request (503, 429; UNAVAILABLE, RESOURCE_EXHAUSTED), or the connection
// was cut (inference keeps no state, so that running it twice is harmless; once only).
struct RetryOptions {
    int max_attempts = 3;  // Of one call, the first included; 1 for no retry.
    // Retries per call, averaged: a server in trouble is not to be asked several times as much.
    double budget_ratio = 0.2;
    int budget_burst = 10;  // Retries that are always left to a client that made none for long.
    // Before a second attempt on the same endpoint, doubled with each further one, randomized.
    std::chrono::milliseconds backoff{10};
    std::chrono::milliseconds max_backoff{1000};
};

// A second request, to another endpoint where there is one, when the first takes longer than most
// do; the first answer is taken, the other one cancelled.
struct HedgeOptions {
    bool enabled = false;
    double quantile = 0.95;                    // Of the latencies that this client measured lately.
    std::uint64_t min_samples = 100;           // Before so many calls nobody knows what is slow.
    std::chrono::microseconds min_delay{100};  // Never earlier than that.
    double budget_ratio = 0.05;                // Hedges per call, averaged.
    bool same_endpoint = false;                // Also where there is no other one.
};

struct TlsOptions {
    std::string ca_file;           // PEM; empty: the system's.
    std::string certificate_file;  // PEM, with the key: shown to a server that asks.
    std::string key_file;
    std::string server_name;  // Checked in place of the endpoint's host.
    bool verify = true;       // False: any certificate is taken; for tests.
};

struct ClientOptions {
    // Where to ask. "http://host:port" is HTTP/1.1 with binary tensors, "grpc://host:port" gRPC;
    // "https://" and "grpcs://" are the same over TLS; "unix:/path" and "grpc+unix:/path" a Unix
    // domain socket. Of several, calls go to the one with fewer in flight of two drawn at random.
    std::vector<std::string> endpoints = {"http://127.0.0.1:8000"};

    std::chrono::milliseconds timeout{30'000};  // Of a call that names none of its own.
    std::chrono::milliseconds connect_timeout{5'000};
    // A call that finds them all busy waits for one, no longer than its deadline.
    std::size_t max_connections_per_endpoint = 256;
    std::size_t max_answer_bytes = std::size_t{1} << 30;

    RetryOptions retry;
    HedgeOptions hedge;
    TlsOptions tls;

    // Asked on the calling thread when a signal interrupts a blocking call; true ends the call with
    // kCancelled. May be empty.
    std::function<bool()> interrupted;
};

// What a client has done since it was opened.
struct ClientStatistics {
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::uint64_t retries = 0;
    std::uint64_t hedges = 0;
    std::uint64_t hedges_won = 0;
    std::uint64_t connections_opened = 0;
};

// A call that was started without waiting for it. Copyable; holds nothing alive. Thread-safe.
class CallHandle {
public:
    CallHandle() = default;

    // Ends the call with kCancelled unless it has ended; the callback is called in either case,
    // on the client's thread. The connection that it used is closed, or its stream is reset.
    void cancel() const;

private:
    friend class client::Background;
    std::weak_ptr<client::Background> background_;
    std::uint32_t slot_ = 0;
    std::uint64_t generation_ = 0;
};

// Asks models on one or several servers: Lepton's, or others that speak KServe v2.
//
// Each call in flight has a connection of its own, which is kept for the next. A blocking call runs
// on the calling thread, without a hand-off, and allocates nothing once its connection is warm and
// the result is passed in again. Calls with a callback or a future run on one thread of the client,
// started by the first of them.
//
// Tensors are sent from where they are: what a request's views look at (names, tensor data, string
// parameters) stays alive and unchanged until a blocking call has returned, a callback was called
// or a future is ready. The request itself is copied by the calls that do not block.
//
// Errors: kInvalidArgument, kModelNotFound, ... as the server says (docs/reference/errors.md);
// kDeadlineExceeded after the deadline, whoever noticed; kUnavailable where no server answers;
// kCancelled; kInternal for an answer that breaks its protocol. A process that forks opens a client
// after the fork. Thread-safe.
class Client {
public:
    // Does not connect. kInvalidArgument: an endpoint or an option that cannot be; names it.
    [[nodiscard]] static Result<Client> open(ClientOptions options);
    // With one endpoint and all else as it comes.
    [[nodiscard]] static Result<Client> open(std::string endpoint);

    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    // Ends calls in flight with kCancelled: their callbacks have been called when it returns. Not
    // to be called from a callback.
    ~Client();

    // Blocks until the answer or the deadline. On an error `result` is empty.
    [[nodiscard]] Result<> infer(const InferRequest& request, InferResult& result);
    [[nodiscard]] Result<InferResult> infer(const InferRequest& request);

    // Calls `callback` exactly once, on the client's thread: it must not block, and may make
    // further calls that do not block either. `storage` is a result to be reused.
    using Callback = std::function<void(Result<InferResult>)>;
    CallHandle infer_async(const InferRequest& request,
                           Callback callback,
                           InferResult storage = {});
    [[nodiscard]] std::future<Result<InferResult>> infer_future(const InferRequest& request);

    // The routes beside inference; they block, no longer than the client's timeout.
    [[nodiscard]] Result<ModelInfo> model(std::string_view name, std::string_view version = {});
    // Names of all models that are ready; kUnsupported where the server has no such route.
    [[nodiscard]] Result<std::vector<std::string>> models();
    // Whether the server says so; an error where no server answers.
    [[nodiscard]] Result<bool> server_live();
    [[nodiscard]] Result<bool> server_ready();
    [[nodiscard]] Result<bool> model_ready(std::string_view name, std::string_view version = {});

    [[nodiscard]] ClientStatistics statistics() const;

private:
    explicit Client(std::unique_ptr<client::Core> core);
    std::unique_ptr<client::Core> core_;
};

}  // namespace lepton
