#include "lepton/model/model_digest.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = std::size_t{1} << 20;
// A version folder holds a model; beyond it is something else.
constexpr std::size_t kMostFiles = 10'000;

std::string to_hex(XXH128_hash_t hash) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, hash);
    std::string text;
    for (const unsigned char byte : bytes.digest) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

class Hash {
public:
    Hash() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }
    void add(const void* data, std::size_t size) { XXH3_128bits_update(state_.get(), data, size); }
    // With its length, so that what follows cannot be taken for a part of it.
    void add(std::string_view text) {
        const std::uint64_t size = text.size();
        add(&size, sizeof size);
        add(text.data(), text.size());
    }
    [[nodiscard]] std::string hex() const { return to_hex(XXH3_128bits_digest(state_.get())); }

private:
    struct Free {
        void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
    };
    std::unique_ptr<XXH3_state_t, Free> state_;
};

Result<> add_file(Hash& hash, const fs::path& path, std::vector<char>& block) {
    std::ifstream file(path, std::ios::binary);
    std::uint64_t size = 0;
    while (file) {
        file.read(block.data(), static_cast<std::streamsize>(block.size()));
        const auto read = static_cast<std::size_t>(file.gcount());
        hash.add(block.data(), read);
        size += read;
    }
    if (!file.eof()) {
        return fail(ErrorCode::kInvalidArgument, path.string() + " cannot be read");
    }
    hash.add(&size, sizeof size);
    return {};
}

}  // namespace

Result<std::string> digest_of_model(const fs::path& file) {
    const fs::path folder = file.parent_path();
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (!entry->is_regular_file(error)) continue;
        files.push_back(entry->path());
        if (files.size() > kMostFiles) {
            return fail(
                ErrorCode::kInvalidArgument,
                folder.string() + " holds more than " + std::to_string(kMostFiles) + " files");
        }
    }
    if (error) {
        return fail(ErrorCode::kInvalidArgument,
                    folder.string() + " cannot be read: " + error.message());
    }
    std::sort(files.begin(), files.end());
    Hash hash;
    // Which of them is the model may be chosen by the configuration.
    hash.add(file.filename().string());
    std::vector<char> block(kBlock);
    for (const fs::path& path : files) {
        hash.add(path.lexically_relative(folder).string());
        LEPTON_RETURN_IF_ERROR(add_file(hash, path, block));
    }
    return hash.hex();
}

std::string digest_of(std::string_view text) {
    return to_hex(XXH3_128bits(text.data(), text.size()));
}

}  // namespace lepton::model
