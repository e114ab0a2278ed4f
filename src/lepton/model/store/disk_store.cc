#include "lepton/model/store/disk_store.h"

#include <algorithm>

namespace lepton::model {

std::string DiskStore::label() const { return "roots=" + std::to_string(roots_.size()); }

Result<std::vector<ModelFolder>> DiskStore::list() { return scan_roots(roots_); }

ModelFolder DiskStore::list(const ModelFolder& model) { return scan_model(model.path); }

Result<std::filesystem::path> DiskStore::fetch(const ModelFolder& model,
                                               std::int64_t version,
                                               const std::string& file_name) {
    const auto found = std::find_if(
        model.versions.begin(), model.versions.end(), [version](const VersionFolder& candidate) {
            return candidate.number == version;
        });
    if (found == model.versions.end()) {
        return fail(ErrorCode::kInvalidArgument,
                    model.path.string() + " holds no version " + std::to_string(version));
    }
    return find_model_file(found->path, file_name);
}

}  // namespace lepton::model
