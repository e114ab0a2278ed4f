#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "exchange.h"

namespace lepton::client {

using Fields = std::vector<std::pair<std::string, std::string>>;

// One gRPC message with its prefix.
[[nodiscard]] std::string framed(std::string_view message);

// The server's side of an HTTP/2 connection in memory: records the requests, and answers as the
// test says. Speaks through nghttp2, as Lepton's server does.
class GrpcPeer {
public:
    struct Options {
        std::uint32_t window = 65535;  // What the client may send per stream.
        std::size_t step = SIZE_MAX;   // Bytes moved at a time, in either direction.
    };
    struct Asked {
        std::map<std::string, std::string> fields;
        std::string body;
        bool complete = false;
        std::uint32_t reset = 0;  // The code with which the client gave it up.
    };

    GrpcPeer() : GrpcPeer(Options{}) {}
    explicit GrpcPeer(Options options);
    ~GrpcPeer();

    // Moves bytes between the two until neither has any. Stops early once the client is done.
    void talk_to(Exchange& client);
    // The same, in one direction each.
    bool hear(Exchange& client);
    bool speak_to(Exchange& client);

    // In order of arrival; streams are 1, 3, 5, ...
    [[nodiscard]] const std::vector<std::int32_t>& streams() const { return streams_; }
    [[nodiscard]] const Asked& asked(std::int32_t stream) const { return asked_.at(stream); }

    void answer(std::int32_t stream, std::string message, Fields trailers = {{"grpc-status", "0"}});
    void answer_with(std::int32_t stream, Fields head, std::string body, Fields trailers);
    void refuse(std::int32_t stream, Fields trailers);  // Sends headers only.
    void reset(std::int32_t stream, std::uint32_t code);
    void go_away(std::int32_t last_stream);
    void send_raw(std::string_view bytes) { raw_ += bytes; }

private:
    struct Callbacks;
    struct Reply {
        std::string body;
        std::size_t sent = 0;
        Fields trailers;
    };

    Options options_;
    nghttp2_session* session_ = nullptr;
    std::vector<std::int32_t> streams_;
    std::map<std::int32_t, Asked> asked_;
    std::map<std::int32_t, Reply> replies_;
    std::string raw_;
    std::string out_;
};

}  // namespace lepton::client
