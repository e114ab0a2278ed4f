#include "lepton/protocol/admin/machine_paths.h"

#include <cstddef>
#include <filesystem>
#include <system_error>

namespace lepton::protocol {
namespace {

constexpr std::string_view kBeforePath = " \t\n\"'`(<[{=:,;|";
constexpr std::string_view kBehindPath = " \t\n\"'`)>]},;|";
constexpr std::string_view kQuotes = "\"'`";

bool exists(std::string_view path) {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::path(path), ignored);
}

// Where the path ends that begins at `start`; `start` itself where none does.
std::size_t end_of_path(std::string_view text, std::size_t start) {
    const char before = start == 0 ? ' ' : text[start - 1];
    if (text[start] != '/' || kBeforePath.find(before) == std::string_view::npos) return start;
    // A path in quotes may have blanks.
    const bool in_quotes = kQuotes.find(before) != std::string_view::npos;
    std::size_t end = in_quotes ? text.find(before, start) : std::string_view::npos;
    if (end == std::string_view::npos) end = text.find_first_of(kBehindPath, start);
    const std::string_view path = text.substr(start, end - start);
    // Two slashes are of a URL, "http://host"; three of one that names a file.
    const std::size_t name = path.find_first_not_of('/');
    if (name == std::string_view::npos || name == 2) return start;
    const std::string_view first = path.substr(name - 1, path.find('/', name) - name + 1);
    return exists(first) ? start + path.size() : start;
}

std::string_view last_part(std::string_view path) {
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::string without_paths(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t end = end_of_path(text, i);
        if (end == i) {
            plain += text[i++];
            continue;
        }
        plain += last_part(text.substr(i, end - i));
        i = end;
    }
    return plain;
}

}  // namespace lepton::protocol
