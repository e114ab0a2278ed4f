#include "lepton/pipeline/model_directory.h"

#include <charconv>
#include <iterator>
#include <utility>

namespace lepton::pipeline {

std::int64_t version_number(std::string_view version) {
    std::int64_t number = -1;
    const char* const begin = version.data();
    const char* const end = begin + version.size();
    const auto parsed = std::from_chars(begin, end, number);
    return parsed.ec == std::errc() && parsed.ptr == end ? number : -1;
}

ModelDirectory::ModelDirectory() {
    const MutexLock lock(mutex_);
    swap_in({});
}

void ModelDirectory::swap_in(Snapshot snapshot) {
    static std::atomic<std::uint64_t> last_generation{0};
    snapshot_ = std::make_shared<const Snapshot>(std::move(snapshot));
    // Whoever sees the new number takes the lock, which orders the rest.
    generation_.store(++last_generation, std::memory_order_release);
}

const ModelDirectory::Snapshot& ModelDirectory::snapshot() const {
    struct Seen {
        std::uint64_t generation = 0;
        std::shared_ptr<const Snapshot> snapshot;
    };
    thread_local Seen seen;
    if (seen.generation != generation_.load(std::memory_order_acquire)) [[unlikely]] {
        const MutexLock lock(mutex_);
        seen = {generation_.load(std::memory_order_relaxed), snapshot_};
    }
    return *seen.snapshot;
}

std::shared_ptr<Node> ModelDirectory::find(std::string_view name, std::string_view version) const {
    while (true) {
        const Snapshot& models = snapshot();
        const auto model = models.find(name);
        if (model == models.end()) return nullptr;
        const Versions& versions = model->second;
        const auto found =
            version.empty() ? std::prev(versions.end()) : versions.find(version_number(version));
        if (found == versions.end()) return nullptr;
        if (std::shared_ptr<Node> node = found->second.lock()) return node;
        // It was removed, and freed, since the snapshot was looked at: there is another.
    }
}

void ModelDirectory::put(std::string_view name,
                         std::string_view version,
                         const std::shared_ptr<Node>& node) {
    const MutexLock lock(mutex_);
    Snapshot changed = *snapshot_;
    changed[std::string(name)][version_number(version)] = node;
    swap_in(std::move(changed));
}

void ModelDirectory::remove(std::string_view name, std::string_view version) {
    const MutexLock lock(mutex_);
    Snapshot changed = *snapshot_;
    const auto model = changed.find(name);
    if (model == changed.end()) return;
    model->second.erase(version_number(version));
    if (model->second.empty()) changed.erase(model);
    swap_in(std::move(changed));
}

void ModelDirectory::clear() {
    const MutexLock lock(mutex_);
    swap_in({});
}

}  // namespace lepton::pipeline
