#include "engines/openvino/tokenizers.h"

#include <dlfcn.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include <openvino/core/version.hpp>

#include "engines/openvino/failure.h"

namespace lepton::openvino {
namespace {

namespace fs = std::filesystem;

// The wheel has OpenVINO's version with a fourth number.
std::string what_to_install() {
    const std::string full = ov::get_openvino_version().buildNumber;
    return "pip install openvino-tokenizers==" + full.substr(0, full.find('-')) + ".*";
}

}  // namespace

bool asks_for_tokenizers(std::string_view openvino_message) {
    return openvino_message.find("unsupported opset: extension") != std::string_view::npos;
}

bool has_tokenizers(const ov::Model& model) {
    const std::vector<std::shared_ptr<ov::Node>> nodes = model.get_ops();
    return std::any_of(nodes.begin(), nodes.end(), [](const auto& node) {
        const char* const opset = node->get_type_info().version_id;
        return opset != nullptr && std::string_view(opset) == "extension";
    });
}

fs::path tokenizers_path() {
    Dl_info info{};
    const auto* const inside = reinterpret_cast<const void*>(&ov::get_openvino_version);
    if (::dladdr(inside, &info) == 0 || info.dli_fname == nullptr) return {};
    // site-packages/openvino/libs/libopenvino.so -> site-packages
    std::error_code error;
    const fs::path library = fs::weakly_canonical(info.dli_fname, error);
    return library.parent_path().parent_path().parent_path() /
           "openvino_tokenizers/lib/libopenvino_tokenizers.so";
}

Result<> add_tokenizers(ov::Core& core, const fs::path& path) {
    static std::mutex mutex;
    static std::vector<const ov::Core*> done;
    const std::scoped_lock lock(mutex);
    if (std::find(done.begin(), done.end(), &core) != done.end()) return {};
    std::error_code error;
    if (!fs::exists(path, error)) {
        return fail(ErrorCode::kUnavailable,
                    "the model has operations of OpenVINO Tokenizers, and there is no " +
                        path.string() + ", run: " + what_to_install());
    }
    auto added = guarded(ErrorCode::kUnavailable, path.string() + " cannot be loaded", [&] {
        core.add_extension(path.string());
    });
    if (!added) {
        added.error().message += ", run: " + what_to_install();
        return added;
    }
    done.push_back(&core);
    return {};
}

}  // namespace lepton::openvino
