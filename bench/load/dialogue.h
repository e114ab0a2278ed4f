#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lepton::bench {

enum class Heard : std::uint8_t {
    kPart,     // The answer is not complete.
    kAnswer,   // It is, and it is what was asked for.
    kRefused,  // It is, and it says no or says the wrong thing.
};

// What one connection says and hears: one request at a time, in some protocol. It moves no bytes
// itself. After the first answers it does not allocate. Not thread-safe; the owner serialises.
class Dialogue {
public:
    virtual ~Dialogue() = default;

    // Puts the next request into unsent(). The answer to the one before was heard.
    virtual void ask() = 0;

    // What is to be sent as soon as the socket takes it, and how much of it was.
    [[nodiscard]] virtual std::span<const std::byte> unsent() const = 0;
    virtual void sent(std::size_t count) = 0;

    // Where the next bytes from the socket go, and how many came. hear() throws std::runtime_error
    // where the peer breaks the protocol, so that nothing after it would have a meaning.
    [[nodiscard]] virtual std::span<std::byte> space() = 0;
    virtual Heard hear(std::size_t count) = 0;
};

// The first answers of each connection are looked into; of the later ones only the status.
inline constexpr int kAnswersToVerify = 4;

}  // namespace lepton::bench
