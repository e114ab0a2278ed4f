#pragma once

#include <filesystem>

namespace lepton::openvino {

// Stands around one compilation that may use OpenVINO's cache of compiled models. OpenVINO believes
// what it finds there: a file that a disk, or a copy that was cut short, has changed gives wrong
// answers without a word. So each file ends with a seal of ours, a digest of what stands before,
// which OpenVINO does not read. Before the compilation, files without a sound seal are removed, and
// made anew; after it, what has been added is sealed.
//
// Other processes may use the folder at the same time: what they are writing may be removed, or its
// seal be wrong. Then it is compiled again. Thread-safe.
class CompiledCache {
public:
    // An empty path stands for no cache.
    explicit CompiledCache(std::filesystem::path folder);
    ~CompiledCache();
    CompiledCache(const CompiledCache&) = delete;
    CompiledCache& operator=(const CompiledCache&) = delete;

private:
    const std::filesystem::path folder_;
};

}  // namespace lepton::openvino
