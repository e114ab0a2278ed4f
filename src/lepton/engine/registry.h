#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/core/sync.h"
#include "lepton/engine/engine.h"

namespace lepton::engine {

// The model runtimes of this process: plug-ins `lepton_engine_<name>.so` of one folder, each loaded
// when first asked for and kept until the process ends. A runtime starts threads and registers exit
// handlers of its own, so that its library is never unloaded. Must outlive every Graph and Session.
// Off the request path. Thread-safe.
class EngineRegistry {
public:
    explicit EngineRegistry(std::filesystem::path folder);

    // lib/engines beside the folder of the running binary, as the build tree and the wheel have it.
    [[nodiscard]] static std::filesystem::path default_folder();

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

    // Engines of the folder, sorted, loaded or not; those of add() included.
    [[nodiscard]] std::vector<std::string> names() const;

    // Never null. Errors: kUnsupported for a name that is not there, naming those that are;
    // kInternal for a plug-in that does not load, with the reason.
    Result<Engine*> by_name(std::string_view name);

    // The engine that reads a model of that file name: as the table of formats (registry.cc) says,
    // and beyond it those that say that they do, by name. Errors: kUnsupported, naming what was
    // tried.
    Result<Engine*> for_model(const std::filesystem::path& model);

    // The same, of a model whose config.pbtxt asks for a `backend`, an engine's name or Triton's,
    // or has Triton's `platform`; either may be empty. An engine that is asked for and not there is
    // no error: another one may read the file. Errors: as for_model(); kInvalidArgument where the
    // engine is there and does not read the file.
    Result<Engine*> choose(std::string_view backend,
                           std::string_view platform,
                           const std::filesystem::path& model);

    // An engine that is linked in.
    void add(std::unique_ptr<Engine> engine);

private:
    Result<Engine*> load(std::string_view name) LEPTON_REQUIRES(mutex_);
    // In the order in which they are asked, each once.
    [[nodiscard]] std::vector<std::string> candidates(const std::filesystem::path& model) const
        LEPTON_REQUIRES(mutex_);
    [[nodiscard]] std::vector<std::string> names_locked() const LEPTON_REQUIRES(mutex_);

    const std::filesystem::path folder_;
    // Held while a plug-in loads: two threads must not load the same one, and loads are rare.
    mutable Mutex mutex_;
    std::map<std::string, std::unique_ptr<Engine>, std::less<>> engines_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::engine
