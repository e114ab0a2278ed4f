#pragma once

namespace lepton::client {

// A file descriptor that another thread makes readable, to end a poll. Made on first use. wake() is
// thread-safe; the rest belongs to its waiting thread.
class WakeFd {
public:
    WakeFd() = default;
    ~WakeFd();
    WakeFd(const WakeFd&) = delete;
    WakeFd& operator=(const WakeFd&) = delete;

    // Must be called once before wake().
    int fd();
    void clear();

    static void wake(int fd);

private:
    int fd_ = -1;
};

}  // namespace lepton::client
