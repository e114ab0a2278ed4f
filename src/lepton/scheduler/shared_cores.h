#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "lepton/core/sync.h"
#include "lepton/scheduler/core_budget.h"

namespace lepton::scheduler {

// Waits for cores.
class CoreWaiter {
public:
    // Cores are free: ask again for what is wanted. With no lock held, on any thread.
    virtual void on_cores_free() = 0;

protected:
    ~CoreWaiter() = default;
};

// The process's CoreBudget, for all its threads. Whoever gives cores back, or is refused some,
// calls wake_next() once it holds no lock: it tells the models whose turn it is. Its lock is
// the innermost: a model may hold its own when it calls anything but wake_next().
class SharedCores {
public:
    using Model = CoreBudget::Model;
    using Run = CoreBudget::Run;

    explicit SharedCores(int cores) : budget_(cores), cores_(cores) {}

    Model add(double weight, int threads, int instances);
    void remove(Model model);
    void set_weight(Model model, double weight);

    // Whether all instances of several models need more cores than there are. If not, nobody has
    // to ask. Changes when models come and go.
    [[nodiscard]] bool contended() const { return contended_.load(std::memory_order_relaxed); }

    // As CoreBudget.
    CoreBudget::Grant ask(Model model,
                          const Work& work,
                          Clock::time_point now,
                          std::weak_ptr<CoreWaiter> waiter);
    [[nodiscard]] double usual_share(Model model, Clock::time_point now) const;
    void expect(Run run, Clock::time_point ends);
    void finish(Run run, Clock::duration used);
    void charge(Model model, Clock::duration used);
    void wake_next();

    [[nodiscard]] int in_use() const;
    // When a core is free, as predicted: without the lock.
    [[nodiscard]] Clock::time_point free_at() const {
        return free_at_.load(std::memory_order_relaxed);
    }

private:
    struct Seat {
        int cores = 0;  // Of all its instances; 0: nobody's.
        std::weak_ptr<CoreWaiter> waiter;
    };
    void look_at_demand() LEPTON_REQUIRES(mutex_);
    void publish() LEPTON_REQUIRES(mutex_);

    mutable Mutex mutex_;
    CoreBudget budget_ LEPTON_GUARDED_BY(mutex_);
    std::vector<Seat> seats_ LEPTON_GUARDED_BY(mutex_);
    const int cores_;
    std::atomic<bool> contended_{false};
    // Whoever gives cores back sees those that waited before: through mutex_, which it held.
    std::atomic<bool> anyone_waits_{false};
    std::atomic<Clock::time_point> free_at_{Clock::time_point::min()};
};

}  // namespace lepton::scheduler
