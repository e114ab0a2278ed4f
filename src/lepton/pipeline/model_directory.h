#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "lepton/core/node.h"
#include "lepton/core/sync.h"

namespace lepton::pipeline {

// -1 for what is no version number; no version has that.
[[nodiscard]] std::int64_t version_number(std::string_view version);

// Which node answers for which version of a model. Every request looks here, and hardly anything
// changes: so each thread keeps the snapshot that it saw last, and takes the lock only after a
// change. Snapshots refer to nodes without keeping them alive: a thread that has nothing to do
// keeps nothing that was removed. Thread-safe.
class ModelDirectory {
public:
    ModelDirectory();

    // `version` empty: the latest, by number. Null: nobody answers for it.
    [[nodiscard]] std::shared_ptr<Node> find(std::string_view name, std::string_view version) const;

    // Whoever calls find() from here on gets this node; until it is removed, somebody has to keep
    // it alive. `version` as find() takes it, not empty.
    void put(std::string_view name, std::string_view version, const std::shared_ptr<Node>& node);
    void remove(std::string_view name, std::string_view version);
    void clear();

private:
    // Versions by number, so that the last one is the latest.
    using Versions = std::map<std::int64_t, std::weak_ptr<Node>>;
    using Snapshot = std::map<std::string, Versions, std::less<>>;

    void swap_in(Snapshot snapshot) LEPTON_REQUIRES(mutex_);
    // What this thread saw last, if it still holds; else what holds now.
    [[nodiscard]] const Snapshot& snapshot() const;

    mutable Mutex mutex_;
    std::shared_ptr<const Snapshot> snapshot_ LEPTON_GUARDED_BY(mutex_);
    // The number of snapshot_; no other directory of the process ever has the same.
    std::atomic<std::uint64_t> generation_{0};
};

}  // namespace lepton::pipeline
