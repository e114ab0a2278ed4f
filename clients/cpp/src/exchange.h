#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "lepton/inference.h"

namespace lepton::client {

// A request's grace, clamped to what can be added to any time.
[[nodiscard]] inline std::chrono::nanoseconds grace_of(const InferRequest& request) {
    return std::clamp<std::chrono::nanoseconds>(
        request.grace, std::chrono::nanoseconds(0), std::chrono::hours(24 * 365));
}

// What is asked of a server, on either wire.
struct Operation {
    enum class Kind : std::uint8_t {
        kInfer,
        kServerLive,
        kServerReady,
        kModelReady,
        kModelMetadata,
        kListModels,  // Not part of KServe v2: Lepton's "GET /" over HTTP.
    };

    Kind kind = Kind::kInfer;
    const InferRequest* request = nullptr;  // Set for kInfer; otherwise null.
    std::string_view model;                 // Used by the routes about a model.
    std::string_view version;               // Empty: the latest.
    // Enforced by the caller. Never kNoDeadline.
    // When the call ends; the server is told another time.
    Clock::time_point deadline = kNoDeadline;
    // The deadline that is sent to the server.
    [[nodiscard]] Clock::time_point told_deadline() const {
        return request == nullptr ? deadline : deadline - grace_of(*request);
    }
};

// Where an exchange puts what it was told; reused by the next one.
struct Answer {
    InferResult result;               // Filled by kInfer.
    ModelInfo model;                  // Filled by kModelMetadata.
    std::vector<std::string> models;  // Filled by kListModels.
};

// Why an exchange failed.
struct Failure {
    enum class Cause : std::uint8_t {
        kAnswered,  // The server said so, and would tell another attempt the same.
        // The server said that it did not run the request (503, 429), or closed (GOAWAY,
        // REFUSED_STREAM) before it took it: a retry is safe.
        kRefused,
        kCut,       // The connection ended before the whole answer: the request may have run.
        kProtocol,  // The answer breaks the protocol, or exceeds a bound of the client.
    };

    Cause cause = Cause::kAnswered;
    Error error;
    std::optional<std::chrono::milliseconds> retry_after;  // As the server asks.
    bool stranger = false;  // What answered does not say errors as an inference server does.
};

// Asks one question at a time on one connection, and knows nothing of sockets: it yields what to
// send and takes what was received. Lives as long as its connection, and keeps its buffers from one
// question to the next.
//
//   begin() -> [ to_send() -> sent() | space() -> received() ]* -> done() -> failure(), reusable()
//
// What the peer sends between questions (settings and pings of HTTP/2) goes through space() and
// received() as well, and the reply to it through to_send(). Not thread-safe; the owner serializes.
class Exchange {
public:
    virtual ~Exchange() = default;

    // Starts to ask. `operation`, what it points to, and `answer` stay the caller's until done() or
    // abandon(). What cannot be sent at all (a name with a line break) is an error here, and leaves
    // the connection as it was. Precondition: reusable(), and nothing is being asked.
    virtual Result<> begin(const Operation& operation, Answer& answer) = 0;

    // Returns what is to be sent now, in order; empty when there is nothing, or when the peer's
    // windows are full. Valid until the next call of any method but done().
    virtual std::span<const iovec> to_send() = 0;
    // The first `bytes` of to_send() were taken.
    virtual void sent(std::size_t bytes) = 0;

    // Returns where to receive to; never empty. Valid until the next call of any method but done().
    virtual std::span<std::byte> space() = 0;
    // The first `bytes` of space() were filled.
    virtual void received(std::size_t bytes) = 0;
    // The peer sends no more. Makes an exchange that was not done fail as kCut, unless the end of
    // the connection is the end of the answer. Nothing is reusable after it.
    virtual void received_end() = 0;

    // Whether the question was answered or failed. True when nothing was asked.
    [[nodiscard]] virtual bool done() const = 0;
    // Null if it was answered. Precondition: done(). Valid until begin().
    [[nodiscard]] virtual const Failure* failure() const = 0;

    // Drops the question: `operation` and `answer` are not touched any more. Returns false if the
    // connection must be closed, true if it may be kept once to_send() (a reset) was sent.
    virtual bool abandon() = 0;

    // Whether another question may be asked on this connection.
    [[nodiscard]] virtual bool reusable() const = 0;
};

// Parses "net;dur=0.003, queue;dur=0, ...", in milliseconds, as the header Server-Timing and the
// trailing metadata `server-timing` have it. What is unknown or malformed is left out.
[[nodiscard]] Breakdown parse_server_timing(std::string_view text);

// Moves the outputs' data up, within `contents.bytes`, to where their elements are aligned. The
// outputs lie one behind the other, in order, without overlap. Needs kOutputAlignment bytes of room
// after the last of them for each output.
inline constexpr std::size_t kOutputAlignment = 8;
void align_outputs(InferResult::Contents& contents);

}  // namespace lepton::client
