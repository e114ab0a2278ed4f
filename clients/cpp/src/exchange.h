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

// A request's grace within bounds that can be added to any time.
[[nodiscard]] inline std::chrono::nanoseconds grace_of(const InferRequest& request) {
    return std::clamp<std::chrono::nanoseconds>(
        request.grace, std::chrono::nanoseconds(0), std::chrono::hours(24 * 365));
}

// What is asked of a server, whichever the wire.
struct Operation {
    enum class Kind : std::uint8_t {
        kInfer,
        kServerLive,
        kServerReady,
        kModelReady,
        kModelMetadata,
        kListModels,  // No part of KServe v2: Lepton's "GET /" over HTTP.
    };

    Kind kind = Kind::kInfer;
    const InferRequest* request = nullptr;  // kInfer; else null.
    std::string_view model;                 // Of the routes about a model.
    std::string_view version;               // Empty: the latest.
    // Sent to the server, and enforced by the caller. Never kNoDeadline.
    Clock::time_point deadline = kNoDeadline;  // When the call ends; the server is told another.
    // What the server is told.
    [[nodiscard]] Clock::time_point told_deadline() const {
        return request == nullptr ? deadline : deadline - grace_of(*request);
    }
};

// Where an exchange puts what it was told; reused by the next one.
struct Answer {
    InferResult result;               // kInfer.
    ModelInfo model;                  // kModelMetadata.
    std::vector<std::string> models;  // kListModels.
};

// Why an exchange came to no good.
struct Failure {
    enum class Cause : std::uint8_t {
        kAnswered,  // The server said so, and another attempt would be told the same.
        kRefused,   // The server said that it did not run it (503, 429), or closed (GOAWAY,
                    // REFUSED_STREAM) before it took the request: safe to be tried again.
        kCut,       // The connection ended in mid-answer or without one: may have been run.
        kProtocol,  // The answer breaks the protocol, or a bound of the client's.
    };

    Cause cause = Cause::kAnswered;
    Error error;
    std::optional<std::chrono::milliseconds> retry_after;  // As the server asks.
    bool stranger = false;  // What answered does not say errors as an inference server does.
};

// One question and its answer at a time on one connection, without knowing of sockets: yields what
// is to be sent and takes what was received. Lives as long as its connection, and keeps its
// buffers from one question to the next.
//
//   begin() -> [ to_send() -> sent() | space() -> received() ]* -> done() -> failure(), reusable()
//
// What the peer sends while nothing is asked (settings and pings of HTTP/2) goes through space()
// and received() as well, and its answer through to_send(). Not thread-safe; the owner serializes.
class Exchange {
public:
    virtual ~Exchange() = default;

    // Starts to ask. `operation`, what it points to, and `answer` are the caller's until done() or
    // abandon(). What cannot be sent at all (a name with a line break) is an error here, and
    // leaves the connection as it was. Precondition: reusable(), and nothing is being asked.
    virtual Result<> begin(const Operation& operation, Answer& answer) = 0;

    // What is to be sent now, in order; empty when there is nothing, or the peer's windows are
    // full. Valid until the next call of any method but done().
    virtual std::span<const iovec> to_send() = 0;
    // So many bytes of to_send(), from its first, were taken.
    virtual void sent(std::size_t bytes) = 0;

    // Where to receive to; never empty. Valid until the next call of any method but done().
    virtual std::span<std::byte> space() = 0;
    // So many bytes of space(), from its first, were filled.
    virtual void received(std::size_t bytes) = 0;
    // The peer sends nothing any more. Makes an exchange that was not done fail as kCut, unless
    // the end of the connection is the end of the answer; nothing is reusable after it.
    virtual void received_end() = 0;

    // The question that was begun is answered, or failed. True when nothing was begun.
    [[nodiscard]] virtual bool done() const = 0;
    // Null: answered. Precondition: done(). Valid until begin().
    [[nodiscard]] virtual const Failure* failure() const = 0;

    // Forgets the question: nothing of `operation` and `answer` is touched any more. False: the
    // connection must be closed. True: it may be kept once to_send() (a reset) was sent.
    virtual bool abandon() = 0;

    // Whether another question may be asked on this connection.
    [[nodiscard]] virtual bool reusable() const = 0;
};

// "net;dur=0.003, queue;dur=0, ...", milliseconds, as the header Server-Timing and the trailing
// metadata `server-timing` have it; what is unknown or malformed is left out.
[[nodiscard]] Breakdown parse_server_timing(std::string_view text);

// Moves the outputs' data up, within `contents.bytes`, to where their elements are aligned. The
// outputs lie one behind the other, in order, without overlap. Needs kOutputAlignment bytes of room
// behind the last of them for each output.
inline constexpr std::size_t kOutputAlignment = 8;
void align_outputs(InferResult::Contents& contents);

}  // namespace lepton::client
