#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace lepton::bench {

// Where a server listens: "127.0.0.1:8000" or "unix:/run/lepton.sock".
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    std::string path;  // If not empty: a Unix domain socket; host and port are then unused.

    [[nodiscard]] std::string to_string() const;
};

// Throws std::invalid_argument, with the text.
[[nodiscard]] Endpoint parse_endpoint(const std::string& text);

// Owns a descriptor. Not thread-safe; the owner serializes.
class Socket {
public:
    explicit Socket(int fd = -1) : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket();

    [[nodiscard]] int fd() const { return fd_; }

    // Returns the bytes moved; 0 if the call would block, or was told not to. Both throw
    // std::system_error, and receive() throws std::runtime_error when the peer has closed.
    [[nodiscard]] std::size_t send(std::span<const std::byte> bytes, int flags = 0) const;
    [[nodiscard]] std::size_t receive(std::span<std::byte> space, int flags = 0) const;

private:
    int fd_;
};

// Returns a connected, blocking socket without Nagle's algorithm. Throws std::system_error, with
// the endpoint.
[[nodiscard]] Socket connect_to(const Endpoint& endpoint);

// Listens; a port of 0 is replaced by the one that the kernel chose.
[[nodiscard]] Socket listen_on(Endpoint& endpoint);
[[nodiscard]] Socket accept_from(const Socket& listener);

// Keeps the calling thread on one processor; a negative number changes nothing.
void pin_to(int cpu);

}  // namespace lepton::bench
