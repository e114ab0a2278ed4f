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
class ClientState;
}  // namespace client

// A failed attempt is made again where that is safe: the connection was refused, the server said
// that it did not run the request (503, 429; UNAVAILABLE, RESOURCE_EXHAUSTED), or the connection
// was cut (inference keeps no state, so that running it twice is harmless; once only).
struct RetryOptions {
    int max_attempts = 3;  // Attempts per call, the first included; 1 turns retries off.
    // Retries per call, averaged, so that a server in trouble is not asked several times as often.
    double budget_ratio = 0.2;
    int budget_burst = 10;  // Retries that a client may make after a time without any.
    // The wait before a second attempt on the same endpoint: doubled with each further one,
    // randomized.
    std::chrono::milliseconds backoff{10};
    std::chrono::milliseconds max_backoff{1000};
};

// When the first request takes longer than most do, a second one goes to another endpoint, if there
// is one. The first answer is taken and the other request is canceled.
struct HedgeOptions {
    bool enabled = false;
    double quantile = 0.95;  // Taken over the latencies that this client measured recently.
    std::uint64_t min_samples = 100;  // Calls to measure before the client knows what is slow.
    std::chrono::microseconds min_delay{100};  // A hedge never goes out earlier than this.
    double budget_ratio = 0.05;                // Hedges per call, averaged.
    bool same_endpoint = false;                // Whether to hedge where there is no other endpoint.
};

struct TlsOptions {
    std::string ca_file;           // PEM; empty: the system's certificates.
    std::string certificate_file;  // PEM, with the key; shown to a server that asks for one.
    std::string key_file;
    std::string server_name;  // Checked in place of the endpoint's host name.
    bool verify = true;       // False: any certificate is accepted; for tests.
};

struct ClientOptions {
    // Where to send requests. "http://host:port" is HTTP/1.1 with binary tensors and
    // "grpc://host:port" is gRPC; "https://" and "grpcs://" are the same over TLS; "unix:/path" and
    // "grpc+unix:/path" use a Unix domain socket. With several endpoints, each call draws two at
    // random and takes the one with fewer calls in flight.
    std::vector<std::string> endpoints = {"http://127.0.0.1:8000"};

    std::chrono::milliseconds timeout{30'000};  // For a call that sets none of its own.
    std::chrono::milliseconds connect_timeout{5'000};
    // A call that finds all of them busy waits for one, until its deadline at the latest.
    std::size_t max_connections_per_endpoint = 256;
    std::size_t max_answer_bytes = std::size_t{1} << 30;

    RetryOptions retry;
    HedgeOptions hedge;
    TlsOptions tls;

    // Called on the calling thread when a signal interrupts a blocking call; if it returns true,
    // the call ends with kCancelled. May be empty.
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

// A handle on a call that runs in the background. Copyable; keeps nothing alive. Thread-safe.
class CallHandle {
public:
    CallHandle() = default;

    // Ends the call with kCancelled unless it has ended already. The callback is called in either
    // case, on the client's thread. The call's connection is closed, or its stream is reset.
    void cancel() const;

private:
    friend class client::Background;
    std::weak_ptr<client::Background> background_;
    std::uint32_t slot_ = 0;
    std::uint64_t generation_ = 0;
};

// Sends inferences to one or several servers: Lepton's, or others that speak KServe v2.
//
// Each call in flight has a connection of its own, which is kept for the next. A blocking call runs
// on the calling thread, without a hand-off, and allocates nothing once its connection is warm and
// the result is passed in again. Calls with a callback or a future run on one thread of the client,
// which the first such call starts.
//
// Tensors are sent from where they are: what a request's views look at (names, tensor data, string
// parameters) stays alive and unchanged until a blocking call has returned, a callback was called
// or a future is ready. The request itself is copied by the calls that do not block.
//
// Errors: kInvalidArgument, kModelNotFound, ... as the server says (docs/reference/errors.md);
// kDeadlineExceeded after the deadline, whichever side noticed it; kUnavailable where no server
// answers; kCancelled; kInternal for an answer that breaks its protocol. A process that forks opens
// a client after the fork. Thread-safe.
class Client {
public:
    // Does not connect. Fails with kInvalidArgument, which names the endpoint or option that is
    // wrong.
    [[nodiscard]] static Result<Client> open(ClientOptions options);
    // Opens a client of one endpoint, with defaults for all other options.
    [[nodiscard]] static Result<Client> open(std::string endpoint);

    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    // Ends calls in flight with kCancelled; all their callbacks have been called when it returns.
    // Must not be called from a callback.
    ~Client();

    // Blocks until the answer or the deadline. On an error `result` is empty.
    [[nodiscard]] Result<> infer(const InferRequest& request, InferResult& result);
    [[nodiscard]] Result<InferResult> infer(const InferRequest& request);

    // Calls `callback` exactly once, on the client's thread. The callback must not block; it may
    // make further calls that do not block either. `storage` is a result whose storage is reused.
    using Callback = std::function<void(Result<InferResult>)>;
    CallHandle infer_async(const InferRequest& request,
                           Callback callback,
                           InferResult storage = {});
    [[nodiscard]] std::future<Result<InferResult>> infer_future(const InferRequest& request);

    // The other routes; they block, for the client's timeout at most.
    [[nodiscard]] Result<ModelInfo> model(std::string_view name, std::string_view version = {});
    // The names of all models that are ready; kUnsupported where the server has no such route.
    [[nodiscard]] Result<std::vector<std::string>> models();
    // Whether the server says that it is live; an error where no server answers.
    [[nodiscard]] Result<bool> server_live();
    [[nodiscard]] Result<bool> server_ready();
    [[nodiscard]] Result<bool> model_ready(std::string_view name, std::string_view version = {});

    [[nodiscard]] ClientStatistics statistics() const;

private:
    explicit Client(std::unique_ptr<client::ClientState> state);
    std::unique_ptr<client::ClientState> state_;
};

}  // namespace lepton
