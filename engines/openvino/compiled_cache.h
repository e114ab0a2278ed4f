#pragma once

#include <filesystem>

namespace lepton::openvino {

// Guards one compilation that may use OpenVINO's cache of compiled models. OpenVINO trusts what it
// finds there: a file that a disk error or an interrupted copy has changed silently gives wrong
// answers. So each file ends with a seal of ours, a digest of everything before it, which OpenVINO
// does not read. Before the compilation, files without a sound seal are removed and made anew;
// after it, new files are sealed.
//
// Other processes may use the folder at the same time: what they are writing may be removed, or its
// seal be wrong. It is then compiled again. Thread-safe.
class CompiledCache {
public:
    // An empty path means no cache.
    explicit CompiledCache(std::filesystem::path folder);
    ~CompiledCache();
    CompiledCache(const CompiledCache&) = delete;
    CompiledCache& operator=(const CompiledCache&) = delete;

private:
    const std::filesystem::path folder_;
};

}  // namespace lepton::openvino
