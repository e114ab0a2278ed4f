#pragma once

namespace lepton::client {

// A file descriptor that another thread makes readable, to end a poll. Made when first asked for.
// wake() is thread-safe; the rest is its waiting thread's.
class WakeFd {
public:
    WakeFd() = default;
    ~WakeFd();
    WakeFd(const WakeFd&) = delete;
    WakeFd& operator=(const WakeFd&) = delete;

    // Precondition of wake(): it was called once before.
    int fd();
    void clear();

    static void wake(int fd);

private:
    int fd_ = -1;
};

}  // namespace lepton::client
