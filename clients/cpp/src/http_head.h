#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lepton/core/result.h"

namespace lepton::client {

// What the head of an HTTP/1.1 answer says, as far as a client of KServe v2 needs it. Views look
// into the text that was parsed.
struct HttpHead {
    int status = 0;
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool keep_alive = true;
    std::optional<std::uint64_t> json_bytes;  // From Inference-Header-Content-Length.
    std::optional<std::chrono::milliseconds> retry_after;
    std::string_view server_timing;
};

inline constexpr std::size_t kMaxHeadBytes = std::size_t{64} << 10;

// Returns the size of the head at the start of `text`, the empty line included; 0 while it is
// incomplete. The first `searched` bytes are known not to end it.
[[nodiscard]] std::size_t find_head(std::string_view text, std::size_t searched);

// Precondition: `text` is what find_head() found. Follows RFC 9112 §2 to §6; where the framing of
// the body could be read in two ways, the answer is refused. Errors: kInternal, saying what is
// wrong.
[[nodiscard]] Result<HttpHead> parse_head(std::string_view text);

}  // namespace lepton::client
