#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/connection_table.h"
#include "lepton/net/limits.h"
#include "lepton/net/message.h"

namespace lepton::net {

struct FrontendOptions {
    std::string host = "0.0.0.0";
    std::uint16_t port = 8000;            // 0: any free one.
    std::filesystem::path unix_socket{};  // Listened on as well, if not empty.
    int reactors = 1;                     // Threads that read, run small models, and write.
    Clock::duration busy_poll{};          // Spin this long before sleeping.
    Limits limits{};
};

// The listeners and the reactor threads: every client comes in here, whatever protocol it speaks.
// Not thread-safe; the owner serialises.
class Frontend {
public:
    // Binds, and answers nothing yet: connections wait in the backlog until start(). `handler` and
    // `pool` must outlive the frontend. Errors: kUnavailable for an address that cannot be had,
    // kInvalidArgument for one that makes no sense.
    static Result<std::unique_ptr<Frontend>> open(const FrontendOptions& options,
                                                  Handler& handler,
                                                  memory::BufferPool& pool);
    ~Frontend();  // stop(), if need be.

    void start();
    // Takes no new connections; clients are told that the next answer is the last one, have a
    // moment to hear of it, and what is running is answered: as unavailable, where it runs until
    // shortly before `deadline`. Returns when every connection has closed, or at `deadline`.
    void drain(Clock::time_point deadline);
    void stop();

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] const ConnectionTable& connections() const;

private:
    struct Impl;
    explicit Frontend(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lepton::net
