#include "lepton/model/repository/instance_control.h"

#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "lepton/model/repository/served_version.h"
#include "lepton/observe/log.h"

namespace lepton::model {
namespace {

// That all threads of the process have used.
Clock::duration cpu_time() {
    struct rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto to_duration = [](const timeval& time) -> Clock::duration {
        return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    };
    return to_duration(usage.ru_utime) + to_duration(usage.ru_stime);
}

bool follows_load(const ModelTable::Serving& version) {
    return version->config.instance_bounds.least > 0;
}

}  // namespace

Clock::time_point InstanceControl::next_look() const {
    const std::vector<ModelTable::Serving> all = table_.all_serving();
    const bool any = std::any_of(all.begin(), all.end(), follows_load);
    return any ? looked_at_ + options_.interval : Clock::time_point::max();
}

void InstanceControl::look() {
    looked_at_ = Clock::now();
    std::map<std::pair<std::string, std::int64_t>, InstanceController> before;
    before.swap(controllers_);
    for (const ModelTable::Serving& version : table_.all_serving()) {
        if (!follows_load(version)) continue;
        std::pair<std::string, std::int64_t> key(version->name(), version->number());
        const InstanceBounds& bounds = version->config.instance_bounds;
        const auto known = before.find(key);
        const InstanceController fresh(bounds, options_.cores, version->config.threads == 0);
        const bool same = known != before.end() && known->second.bounds() == bounds;
        InstanceController& controller =
            controllers_.emplace(std::move(key), same ? known->second : fresh).first->second;
        look_at(*version, controller);
    }
}

void InstanceControl::look_at(const ServedVersion& version, InstanceController& controller) {
    const auto decision = controller.decide({.now = Clock::now(),
                                             .counters = listener_.load_of(*version.spec),
                                             .cpu_time = cpu_time(),
                                             .instances = version.config.instances,
                                             .threads = version.measured.threads});
    if (!decision) return;
    ModelConfig wanted = version.config;
    wanted.instances = decision->instances;
    const Result<bool> changed = lifecycle_.reconfigure(version, wanted);
    if (changed) ++changes_;
    spdlog::info("instances_controlled model={} version={} from={} to={} reason={} result={}",
                 version.name(),
                 version.number(),
                 version.config.instances,
                 decision->instances,
                 observe::quoted(decision->reason),
                 observe::quoted(changed ? "done" : changed.error().message));
}

}  // namespace lepton::model
