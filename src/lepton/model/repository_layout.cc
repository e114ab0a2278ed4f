#include "lepton/model/repository_layout.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

// Read by the engine through the model beside which they lie.
constexpr std::array<std::string_view, 4> kSideCars{".bin", ".data", ".pdiparams", ".onnx_data"};

// Only the plain decimal form, so that each version has one name on the wire.
std::optional<std::int64_t> version_number(const std::string& name) {
    std::int64_t number = 0;
    const char* end = name.data() + name.size();
    const auto [parsed, error] = std::from_chars(name.data(), end, number);
    if (error != std::errc() || parsed != end || number < 1 || name.front() == '0') {
        return std::nullopt;
    }
    return number;
}

// Folders, and links to folders, sorted by name.
std::vector<fs::path> folders_in(const fs::path& root) {
    std::vector<fs::path> folders;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
        std::error_code not_there;
        const std::string name = entry.path().filename().string();
        if (!name.starts_with('.') && entry.is_directory(not_there))
            folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

bool is_model_folder(const fs::path& folder) {
    std::error_code error;
    return fs::exists(folder / "config.pbtxt", error) || !scan_model(folder).versions.empty();
}

bool is_side_car(const fs::path& path) {
    return std::find(kSideCars.begin(), kSideCars.end(), path.extension().string()) !=
           kSideCars.end();
}

}  // namespace

ModelFolder scan_model(const fs::path& folder) {
    ModelFolder model{folder.filename().string(), folder, {}};
    for (const fs::path& path : folders_in(folder)) {
        if (const auto number = version_number(path.filename().string())) {
            model.versions.push_back({*number, path});
        }
    }
    std::sort(model.versions.begin(), model.versions.end(), [](const auto& a, const auto& b) {
        return a.number < b.number;
    });
    return model;
}

Result<std::vector<ModelFolder>> scan_roots(std::span<const fs::path> roots) {
    std::vector<ModelFolder> models;
    for (const fs::path& given : roots) {
        std::error_code error;
        const fs::path root = fs::canonical(given, error);  // "." has a name then.
        if (error || !fs::is_directory(root, error)) {
            return fail(ErrorCode::kInvalidArgument,
                        "model repository " + given.string() + " is not a folder");
        }
        if (is_model_folder(root)) {
            models.push_back(scan_model(root));
            continue;
        }
        for (const fs::path& folder : folders_in(root)) models.push_back(scan_model(folder));
    }
    std::sort(
        models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    const auto twice =
        std::adjacent_find(models.begin(), models.end(), [](const auto& a, const auto& b) {
            return a.name == b.name;
        });
    if (twice != models.end()) {
        return fail(ErrorCode::kInvalidArgument,
                    "model \"" + twice->name + "\" is in two repositories: " +
                        twice->path.string() + " and " + (twice + 1)->path.string());
    }
    return models;
}

Result<fs::path> find_model_file(const fs::path& version_folder, const std::string& file_name) {
    std::error_code error;
    if (!file_name.empty()) {
        fs::path path = version_folder / file_name;
        if (fs::exists(path, error)) return path;
        return fail(ErrorCode::kInvalidArgument, path.string() + " does not exist");
    }
    std::vector<fs::path> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(version_folder, error)) {
        const fs::path& path = entry.path();
        if (path.stem() == "model" && path.has_extension() && !is_side_car(path)) {
            found.push_back(path);
        }
    }
    if (found.size() == 1) return found.front();
    if (found.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    version_folder.string() + " holds no file model.<extension>");
    }
    std::sort(found.begin(), found.end());
    return fail(ErrorCode::kInvalidArgument,
                version_folder.string() + " holds more than one model: " +
                    found[0].filename().string() + " and " + found[1].filename().string());
}

fs::file_time_type written(const fs::path& path) {
    std::error_code error;
    const fs::file_time_type time = fs::last_write_time(path, error);
    return error ? fs::file_time_type::min() : time;
}

}  // namespace lepton::model
