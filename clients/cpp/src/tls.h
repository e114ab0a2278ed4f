#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "lepton/client.h"
#include "lepton/core/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace lepton::client {

// The outcome of one step on a nonblocking socket.
struct IoStep {
    enum class State : std::uint8_t { kProgress, kWantRead, kWantWrite, kEnd, kError };
    State state = State::kProgress;
    std::size_t bytes = 0;  // Set with kProgress.
};

class TlsSession;

// Certificates and settings that all connections of a client share: TLS 1.2 and later, with the
// server's certificate and name verified unless told otherwise. Thread-safe after open().
class TlsContext {
public:
    // Errors: kInvalidArgument, with the name of the file that cannot be read.
    static Result<TlsContext> open(const TlsOptions& options);

    // For a connected socket. The certificate must name `host`; `http2` says what ALPN asks for.
    [[nodiscard]] Result<TlsSession> session(int socket, const std::string& host, bool http2) const;

private:
    struct Free {
        void operator()(ssl_ctx_st* context) const noexcept;
    };
    std::unique_ptr<ssl_ctx_st, Free> context_;
    std::string server_name_;
    bool verify_ = true;
};

// TLS on one nonblocking socket. Not thread-safe; its connection owns it.
class TlsSession {
public:
    IoStep handshake();
    IoStep send(std::span<const std::byte> bytes);
    IoStep receive(std::span<std::byte> space);
    // Whether there are decrypted bytes, which no poll will announce.
    [[nodiscard]] bool has_pending() const;
    // Describes the last kError for a person: why the certificate was refused, or OpenSSL's reason.
    [[nodiscard]] const std::string& error() const { return error_; }

private:
    friend class TlsContext;
    struct Free {
        void operator()(ssl_st* session) const noexcept;
    };
    IoStep step(int result);

    std::unique_ptr<ssl_st, Free> session_;
    bool http2_ = false;
    std::string error_;
};

}  // namespace lepton::client
