#include "lepton/model/store/repository_layout.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "lepton/observe/log.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

// Read by the engine through the model beside which they lie.
constexpr std::array<std::string_view, 4> kSideCars{".bin", ".data", ".pdiparams", ".onnx_data"};
// Of models. What else is called model.<extension> is one only where it stands alone.
constexpr std::array<std::string_view, 6> kModels{
    ".onnx", ".xml", ".pb", ".savedmodel", ".tflite", ".pdmodel"};

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

// What lies in a folder, as far as that can be read.
std::vector<fs::path> entries_of(const fs::path& folder) {
    std::vector<fs::path> entries;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        entries.push_back(entry->path());
    }
    std::sort(entries.begin(), entries.end());
    return entries;
}

// Folders, and links to folders, sorted by name.
std::vector<fs::path> folders_in(const fs::path& root) {
    std::vector<fs::path> folders = entries_of(root);
    std::erase_if(folders, [](const fs::path& path) {
        std::error_code not_there;
        return path.filename().string().starts_with('.') || !fs::is_directory(path, not_there);
    });
    return folders;
}

template <std::size_t kSize>
bool has_extension_of(const fs::path& path, const std::array<std::string_view, kSize>& extensions) {
    return std::find(extensions.begin(), extensions.end(), path.extension().string()) !=
           extensions.end();
}

std::vector<fs::path> model_files(const fs::path& version_folder) {
    std::vector<fs::path> files = entries_of(version_folder);
    std::erase_if(files, [](const fs::path& path) {
        return path.stem() != "model" || !path.has_extension() || has_extension_of(path, kSideCars);
    });
    const auto is_model = [](const fs::path& path) { return has_extension_of(path, kModels); };
    if (std::any_of(files.begin(), files.end(), is_model)) {
        std::erase_if(files, std::not_fn(is_model));
    }
    return files;
}

bool has_config(const fs::path& folder) {
    std::error_code error;
    return fs::exists(folder / "config.pbtxt", error);
}

// A repository too may hold folders whose names are numbers: those of its models, or of others. A
// version is one that holds a model.
bool is_model_folder(const fs::path& folder) {
    const auto holds_model = [](const VersionFolder& version) {
        return !model_files(version.path).empty();
    };
    const std::vector<VersionFolder> versions = scan_model(folder).versions;
    return has_config(folder) || std::any_of(versions.begin(), versions.end(), holds_model);
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
        for (const fs::path& folder : folders_in(root)) {
            ModelFolder model = scan_model(folder);
            if (model.versions.empty() && !has_config(folder)) {
                // Such as lost+found.
                spdlog::warn("not_a_model folder={} reason=\"neither config.pbtxt nor a version\"",
                             observe::quoted(folder.string()));
                continue;
            }
            models.push_back(std::move(model));
        }
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
    const std::vector<fs::path> found = model_files(version_folder);
    if (found.size() == 1) return found.front();
    if (found.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    version_folder.string() + " holds no file model.<extension>");
    }
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
