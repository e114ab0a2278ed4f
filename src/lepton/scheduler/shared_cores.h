#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "lepton/core/sync.h"
#include "lepton/scheduler/core_budget.h"
#include "lepton/scheduler/core_seat.h"

namespace lepton::scheduler {

// Waits for cores. Held by shared_ptr.
class CoreWaiter : public std::enable_shared_from_this<CoreWaiter> {
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
    void remove(Model model, Clock::time_point now);
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
    void wake_next(Clock::time_point now);

    // Whether wake_next() may have somebody to tell: without the lock.
    [[nodiscard]] bool anyone_waits() const {
        return anyone_waits_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] int in_use() const;
    // When a core is free, as predicted: without the lock.
    [[nodiscard]] Clock::time_point free_at() const {
        return free_at_.load(std::memory_order_relaxed);
    }

private:
    struct Place {
        int cores = 0;  // The cores of all its instances; 0: the seat is nobody's.
        std::weak_ptr<CoreWaiter> waiter;
    };
    void look_at_demand() LEPTON_REQUIRES(mutex_);
    void publish() LEPTON_REQUIRES(mutex_);

    mutable Mutex mutex_;
    CoreBudget budget_ LEPTON_GUARDED_BY(mutex_);
    std::vector<Place> places_ LEPTON_GUARDED_BY(mutex_);
    const int cores_;
    std::atomic<bool> contended_{false};
    // Whoever gives cores back sees those that waited before: through mutex_, which it held.
    std::atomic<bool> anyone_waits_{false};
    std::atomic<Clock::time_point> free_at_{Clock::time_point::min()};
};

// One model's place in it, for as long as this lives or until leave().
class SharedSeat final : public Cores {
public:
    // `waiter` is told when cores are free, as long as somebody holds it.
    SharedSeat(std::shared_ptr<SharedCores> cores,
               double weight,
               int threads,
               int instances,
               CoreWaiter& waiter)
        : cores_(std::move(cores)),
          waiter_(waiter),
          model_(cores_->add(weight, threads, instances)) {}

    [[nodiscard]] bool contended() const override { return cores_->contended(); }
    CoreBudget::Grant ask(const Work& work, Clock::time_point now) override {
        return cores_->ask(model_, work, now, waiter_.weak_from_this());
    }
    void expect(CoreBudget::Run run, Clock::time_point ends) override { cores_->expect(run, ends); }
    void finish(CoreBudget::Run run, Clock::duration used) override { cores_->finish(run, used); }
    void charge(Clock::duration used) override { cores_->charge(model_, used); }
    [[nodiscard]] Clock::time_point free_at() const override { return cores_->free_at(); }
    [[nodiscard]] double usual_share(Clock::time_point now) const override {
        return cores_->usual_share(model_, now);
    }

    void set_weight(double weight) { cores_->set_weight(model_, weight); }
    // As SharedCores.
    void wake_next() {
        if (cores_->anyone_waits()) cores_->wake_next(Clock::now());
    }
    // Gives the place up; wakes others, too. Nothing else may be called from here on.
    void leave(Clock::time_point now) { cores_->remove(model_, now); }

private:
    const std::shared_ptr<SharedCores> cores_;
    CoreWaiter& waiter_;
    const SharedCores::Model model_;
};

}  // namespace lepton::scheduler
