#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lepton::bench {

enum class Heard : std::uint8_t {
    kPart,     // The answer is not complete.
    kAnswer,   // The answer is complete and right.
    kRefused,  // The answer is complete, and negative or wrong.
};

// What one connection says and hears: one request at a time, in some protocol. It moves no bytes
// itself. After the first answers it does not allocate. Not thread-safe; the owner serializes.
class Dialogue {
public:
    virtual ~Dialogue() = default;

    // Puts the next request into unsent(). Precondition: the answer to the last one was heard.
    virtual void ask() = 0;

    // The bytes to send as soon as the socket takes them, and how many it took.
    [[nodiscard]] virtual std::span<const std::byte> unsent() const = 0;
    virtual void sent(std::size_t count) = 0;

    // Where the next bytes from the socket go, and how many came. hear() throws std::runtime_error
    // if the peer breaks the protocol, since nothing after that would have a meaning.
    [[nodiscard]] virtual std::span<std::byte> space() = 0;
    virtual Heard hear(std::size_t count) = 0;
};

// The first answers of each connection are checked in full; of the later ones only the status.
inline constexpr int kAnswersToVerify = 4;

}  // namespace lepton::bench
