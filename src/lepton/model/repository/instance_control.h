#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "lepton/core/clock.h"
#include "lepton/model/repository/instance_controller.h"
#include "lepton/model/repository/model_lifecycle.h"
#include "lepton/model/repository/model_listener.h"
#include "lepton/model/repository/model_table.h"

namespace lepton::model {

// Looks from time to time at the load of the models whose instances follow it, and has their
// numbers changed as an InstanceController of each decides. Confined to the control thread, except
// for changes().
class InstanceControl {
public:
    struct Options {
        int cores = 1;  // What the models may use.
        Clock::duration interval{};
    };
    InstanceControl(ModelTable& table,
                    ModelLifecycle& lifecycle,
                    ModelListener& listener,
                    Options options)
        : table_(table), lifecycle_(lifecycle), listener_(listener), options_(options) {}

    // Never, where nobody wants it.
    [[nodiscard]] Clock::time_point next_look() const;
    void look();

    // How often a number of instances was changed. Thread-safe.
    [[nodiscard]] std::uint64_t changes() const { return changes_; }

private:
    void look_at(const ServedVersion& version, InstanceController& controller);

    ModelTable& table_;
    ModelLifecycle& lifecycle_;
    ModelListener& listener_;
    const Options options_;
    Clock::time_point looked_at_;
    std::map<std::pair<std::string, std::int64_t>, InstanceController> controllers_;
    std::atomic<std::uint64_t> changes_{0};
};

}  // namespace lepton::model
