#include "lepton/engine/registry.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

namespace lepton::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "lepton_engine_";
constexpr std::string_view kSuffix = ".so";

// Which engines read a file of that ending, the preferred one first. What is not there is passed
// over. A new engine has its lines here.
struct Format {
    std::string_view ending;
    std::array<std::string_view, 2> engines;
};
constexpr std::array<Format, 11> kFormats{{
    {".onnx", {"openvino", "onnxruntime"}},
    {".ort", {"onnxruntime"}},
    {".xml", {"openvino"}},
    {".pb", {"openvino"}},
    {".savedmodel", {"openvino"}},
    {".tflite", {"openvino"}},
    {".pdmodel", {"openvino"}},
    {".pt2", {"torch"}},
    {".pt", {"torch"}},
    {".py", {"python"}},
    {".fake", {"fake"}},
}};

// What Triton calls them, as `backend` or as `platform`; an engine's own name is one as well.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTritonNames{{
    {"onnxruntime_onnx", "onnxruntime"},
    {"pytorch", "torch"},
    {"pytorch_libtorch", "torch"},
    {"pytorch_aoti", "torch"},
    {"openvino_onnx", "openvino"},
}};

std::string_view engine_called(std::string_view backend, std::string_view platform) {
    const std::string_view name = backend.empty() ? platform : backend;
    for (const auto& [triton, engine] : kTritonNames) {
        if (name == triton) return engine;
    }
    return name;
}

std::string joined(const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    return list.empty() ? "none" : list;
}

// dlerror() of the calling thread, without the line breaks that some loaders put in.
std::string loader_error() {
    const char* text = dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps it per thread.
    std::string message = text == nullptr ? "unknown error" : text;
    std::replace(message.begin(), message.end(), '\n', ' ');
    return message;
}

Result<std::unique_ptr<Engine>> make_from(const fs::path& library) {
    const std::string what = "engine plug-in " + library.string();
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr) {
        return fail(ErrorCode::kInternal, what + " does not load: " + loader_error());
    }
    void* symbol = dlsym(handle, kMakeEngineSymbol);
    if (symbol == nullptr) {
        return fail(ErrorCode::kInternal, what + " has no function " + kMakeEngineSymbol);
    }
    std::string error;
    const auto make = reinterpret_cast<MakeEngine>(symbol);
    std::unique_ptr<Engine> engine(make(kPluginAbi, &error));
    if (engine == nullptr) {
        return fail(ErrorCode::kInternal,
                    what + " refuses to start: " + (error.empty() ? "no reason given" : error));
    }
    return engine;
}

}  // namespace

EngineRegistry::EngineRegistry(fs::path folder) : folder_(std::move(folder)) {}

fs::path EngineRegistry::default_folder() {
    std::error_code error;
    const fs::path binary = fs::read_symlink("/proc/self/exe", error);
    if (error) return fs::path("lib") / "engines";
    return binary.parent_path().parent_path() / "lib" / "engines";
}

std::vector<std::string> EngineRegistry::names() const {
    const MutexLock lock(mutex_);
    return names_locked();
}

std::vector<std::string> EngineRegistry::names_locked() const {
    std::vector<std::string> names;
    names.reserve(engines_.size());
    for (const auto& [name, engine] : engines_) names.push_back(name);
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
        const std::string file = entry.path().filename().string();
        if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix)) continue;
        names.push_back(file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size()));
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

Result<Engine*> EngineRegistry::by_name(std::string_view name) {
    const MutexLock lock(mutex_);
    return load(name);
}

Result<Engine*> EngineRegistry::load(std::string_view name) {
    if (const auto found = engines_.find(name); found != engines_.end()) return found->second.get();
    const std::vector<std::string> known = names_locked();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
        return fail(ErrorCode::kUnsupported,
                    "no engine \"" + std::string(name) + "\" in " + folder_.string() +
                        ", there are: " + joined(known));
    }
    const std::string file = std::string(kPrefix) + std::string(name) + std::string(kSuffix);
    LEPTON_TRY(std::unique_ptr<Engine> engine, make_from(folder_ / file));
    return engines_.emplace(name, std::move(engine)).first->second.get();
}

std::vector<std::string> EngineRegistry::candidates(const fs::path& model) const {
    const std::vector<std::string> known = names_locked();
    std::vector<std::string> names;
    const auto add = [&names](std::string_view name) {
        if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
    };
    for (const Format& format : kFormats) {
        if (model.extension().string() != format.ending) continue;
        for (const std::string_view engine : format.engines) {
            if (std::find(known.begin(), known.end(), engine) != known.end()) add(engine);
        }
    }
    // Beyond the table, those that are loaded already answer for nothing.
    for (const auto& [name, engine] : engines_) add(name);
    for (const std::string& name : known) add(name);
    return names;
}

Result<Engine*> EngineRegistry::choose(std::string_view backend,
                                       std::string_view platform,
                                       const fs::path& model) {
    const std::string_view asked = engine_called(backend, platform);
    const std::vector<std::string> known = names();
    // A repository made for Triton names Triton's backends, whose files other engines may read.
    if (std::find(known.begin(), known.end(), asked) == known.end()) return for_model(model);
    LEPTON_TRY(Engine * engine, by_name(asked));
    if (engine->reads(model)) return engine;
    return fail(ErrorCode::kInvalidArgument,
                "config.pbtxt asks for engine \"" + std::string(asked) +
                    "\", which does not read " + model.string());
}

Result<Engine*> EngineRegistry::for_model(const fs::path& model) {
    const MutexLock lock(mutex_);
    const std::vector<std::string> names = candidates(model);
    std::string broken;
    for (const std::string& name : names) {
        const Result<Engine*> engine = load(name);
        if (!engine) {
            broken += "; " + engine.error().message;
        } else if ((*engine)->reads(model)) {
            return *engine;
        }
    }
    return fail(ErrorCode::kUnsupported,
                "no engine reads " + model.string() + ", tried: " + joined(names) + broken);
}

void EngineRegistry::add(std::unique_ptr<Engine> engine) {
    const MutexLock lock(mutex_);
    std::string name(engine->name());
    engines_.insert_or_assign(std::move(name), std::move(engine));
}

}  // namespace lepton::engine
