#include "engines/openvino/openvino_engine.h"

#include <array>
#include <memory>
#include <system_error>
#include <utility>

#include <openvino/core/version.hpp>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>

#include "engines/openvino/failure.h"
#include "engines/openvino/graph.h"

namespace lepton::openvino {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kPlatforms{{
    {".onnx", "openvino_onnx"},
    {".xml", "openvino_ir"},
    {".pb", "openvino_tensorflow"},
    {".savedmodel", "openvino_tensorflow"},
    {".tflite", "openvino_tflite"},
    {".pdmodel", "openvino_paddle"},
}};

bool is_saved_model(const fs::path& path) {
    std::error_code error;
    return fs::exists(path / "saved_model.pb", error);
}

// Empty for a kind that no front end reads.
std::string_view platform_of(const fs::path& path) {
    const std::string extension = path.extension().string();
    for (const auto& [known, platform] : kPlatforms) {
        if (extension == known) return platform;
    }
    return is_saved_model(path) ? "openvino_tensorflow" : std::string_view{};
}

// One per process: it owns the plug-ins, their thread pools and their caches. Never destroyed,
// because that would unload the plug-ins at exit while their threads may still run.
Result<std::shared_ptr<ov::Core>> shared_core() {
    return guarded(ErrorCode::kInternal, "OpenVINO does not start", [] {
        using SharedCore = std::shared_ptr<ov::Core>;
        static const SharedCore& core = *[] {
            auto made = std::make_unique<SharedCore>(std::make_shared<ov::Core>());
            // A file that is truncated while it is mapped ends the process (ADR 0022).
            (*made)->set_property(ov::enable_mmap(false));
            return made.release();
        }();
        return core;
    });
}

// Says what is wrong with the file itself: the front ends only say that none of them accepted it.
Result<> check_file(const fs::path& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
        return fail(ErrorCode::kInvalidArgument, path.string() + " does not exist");
    }
    if (fs::is_directory(status)) {
        if (is_saved_model(path)) return {};
        return fail(ErrorCode::kInvalidArgument, path.string() + " holds no saved_model.pb");
    }
    if (fs::file_size(path, error) == 0 && !error) {
        return fail(ErrorCode::kInvalidArgument, path.string() + " is empty");
    }
    return {};
}

}  // namespace

std::string OpenVinoEngine::version() const {
    // A version looks like "2026.4.1-22000-abcdef-releases/2026/4".
    const std::string full = ov::get_openvino_version().buildNumber;
    return full.substr(0, full.find('-'));
}

bool OpenVinoEngine::reads(const fs::path& path) const { return !platform_of(path).empty(); }

Result<std::unique_ptr<engine::Graph>> OpenVinoEngine::open(const fs::path& path,
                                                            const engine::OpenOptions& options) {
    const std::string_view platform = platform_of(path);
    if (platform.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    path.string() +
                        " is of no kind that OpenVINO reads: .onnx, .xml, .pb, "
                        ".savedmodel, .tflite, .pdmodel");
    }
    LEPTON_RETURN_IF_ERROR(check_file(path));
    LEPTON_TRY(std::shared_ptr<ov::Core> core, shared_core());
    return Graph::open(std::move(core), path, std::string(platform), options);
}

}  // namespace lepton::openvino
