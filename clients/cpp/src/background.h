#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "call.h"
#include "lepton/client.h"
#include "lepton/core/clock.h"
#include "lepton/core/sync.h"
#include "wake_fd.h"

namespace lepton::client {

// A client's thread for the calls that nobody blocks on: one epoll, one timer per call. Records of
// calls are reused, so that a steady load allocates nothing. Thread-safe, except for the members
// below "The thread's own", which only it touches.
class Background : public std::enable_shared_from_this<Background> {
public:
    // `state` must outlive stop().
    static std::shared_ptr<Background> start(ClientState& state);
    // Use start().
    explicit Background(ClientState& state);
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    CallHandle submit(const InferRequest& request,
                      Clock::time_point deadline,
                      Client::Callback callback,
                      InferResult storage);
    void cancel(std::uint32_t slot, std::uint64_t generation);

    // Cancels all calls. When it returns, every callback has been called and the thread has ended.
    void stop();

private:
    struct AsyncCall;
    using Timers = std::multimap<Clock::time_point, AsyncCall*>;
    struct AsyncCall {
        AsyncCall(ClientState& state, WakeFd& wake, std::uint32_t its_slot)
            : call(state, wake), slot(its_slot) {}

        InferRequest request;
        Operation operation;
        Answer answer;
        Client::Callback callback;
        Call call;
        std::uint32_t slot;
        std::uint64_t generation = 0;  // Guarded like the lists; incremented when the call ends.
        Timers::node_type spare_timer;
        Timers::iterator timer;
        bool has_timer = false;
        bool active = false;
        bool in_waiting = false;
    };
    struct Cancellation {
        std::uint32_t slot;
        std::uint64_t generation;
    };

    // Returns false, and takes nothing, once the thread stops.
    bool enqueue(const InferRequest& request,
                 Clock::time_point deadline,
                 Client::Callback& callback,
                 InferResult& storage,
                 CallHandle& handle);
    AsyncCall& new_call() LEPTON_REQUIRES(mutex_);
    void run();
    // Starts submitted calls and ends canceled ones; returns true when it is time to stop.
    bool take_inbox();
    void wait();
    void on_event(int fd);
    void advance_due();
    void advance_waiting();
    // Called after each step of a call: hands it back when it is done, else registers what it waits
    // for.
    void settle(AsyncCall& call);
    void arm(AsyncCall& call, const Call::Interest& interest);
    void set_timer(AsyncCall& call, Clock::time_point when);
    void clear_timer(AsyncCall& call);
    void hand_back(AsyncCall& call);

    ClientState& state_;
    int epoll_ = -1;
    WakeFd wake_;
    int wake_descriptor_ = -1;

    Mutex mutex_;
    std::vector<std::unique_ptr<AsyncCall>> calls_ LEPTON_GUARDED_BY(mutex_);  // By slot.
    std::vector<AsyncCall*> free_ LEPTON_GUARDED_BY(mutex_);
    std::vector<AsyncCall*> submitted_ LEPTON_GUARDED_BY(mutex_);
    std::vector<Cancellation> cancelled_ LEPTON_GUARDED_BY(mutex_);
    bool stopping_ LEPTON_GUARDED_BY(mutex_) = false;

    // The thread's own:
    std::vector<AsyncCall*> starting_;
    std::vector<AsyncCall*> cancelling_;
    std::vector<AsyncCall*> waiting_;  // Waiting for a connection of the pool.
    std::vector<AsyncCall*> advancing_;
    // By socket; an entry may be out of date, which does no harm.
    std::vector<AsyncCall*> by_socket_;
    Timers timers_;

    std::thread thread_;  // The last member: it uses all of the above.
};

}  // namespace lepton::client
