#include "engines/openvino/compiled_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lepton/core/sync.h"

namespace lepton::openvino {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "lepton: sealed 1";
constexpr std::size_t kBlock = std::size_t{1} << 20;

struct Seal {
    std::array<char, kMark.size()> mark;
    XXH128_canonical_t digest;
};
static_assert(sizeof(Seal) == 32);

// Files that this process found sound, or sealed, are not read again while they stay as they are.
struct Stamp {
    std::uintmax_t size = 0;
    fs::file_time_type written;

    friend bool operator==(const Stamp&, const Stamp&) = default;
};

struct Known {
    Mutex mutex;
    std::map<fs::path, Stamp> sound LEPTON_GUARDED_BY(mutex);
    int compiling LEPTON_GUARDED_BY(mutex) = 0;
};

Known& known() {
    static Known& one = *std::make_unique<Known>().release();  // Compilations may outlast main.
    return one;
}

Stamp stamp_of(const fs::path& path) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(path, error);
    if (error) return {};
    const fs::file_time_type written = fs::last_write_time(path, error);
    return error ? Stamp{} : Stamp{size, written};
}

// Digests the first `size` bytes; returns nothing if there are fewer.
std::optional<XXH128_canonical_t> digest_of(std::ifstream& file, std::uintmax_t size) {
    struct Free {
        void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
    };
    const std::unique_ptr<XXH3_state_t, Free> state(XXH3_createState());
    XXH3_128bits_reset(state.get());
    std::vector<char> block(kBlock);
    while (size > 0) {
        const std::size_t wanted = size < kBlock ? static_cast<std::size_t>(size) : kBlock;
        if (!file.read(block.data(), static_cast<std::streamsize>(wanted))) return std::nullopt;
        XXH3_128bits_update(state.get(), block.data(), wanted);
        size -= wanted;
    }
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(state.get()));
    return digest;
}

enum class State : std::uint8_t { kSound, kUnsealed, kDamaged };

State state_of(const fs::path& path, std::uintmax_t size) {
    std::ifstream file(path, std::ios::binary);
    Seal seal{};
    if (!file || size < sizeof seal) return State::kUnsealed;
    const std::uintmax_t content = size - sizeof seal;
    file.seekg(static_cast<std::streamoff>(content));
    if (!file.read(reinterpret_cast<char*>(&seal), sizeof seal)) return State::kDamaged;
    if (std::string_view(seal.mark.data(), seal.mark.size()) != kMark) return State::kUnsealed;
    file.seekg(0);
    const auto digest = digest_of(file, content);
    const bool same =
        digest && std::memcmp(digest->digest, seal.digest.digest, sizeof digest->digest) == 0;
    return same ? State::kSound : State::kDamaged;
}

void put_seal(const fs::path& path, std::uintmax_t size) {
    std::error_code ignored;
    // OpenVINO makes its files read-only.
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add, ignored);
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    // If two processes try, only one seals.
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0 && state_of(path, size) == State::kUnsealed) {
        std::ifstream file(path, std::ios::binary);
        if (const auto digest = digest_of(file, size)) {
            Seal seal{{}, *digest};
            std::memcpy(seal.mark.data(), kMark.data(), kMark.size());
            // A part of a seal is not a seal: the file is then compiled anew.
            static_cast<void>(!::write(fd, &seal, sizeof seal));
        }
    }
    ::close(fd);
}

std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        std::error_code not_there;
        if (entry->path().extension() == ".blob" && !entry->is_symlink(not_there) &&
            entry->is_regular_file(not_there)) {
            files.push_back(entry->path());
        }
    }
    return files;
}

}  // namespace

CompiledCache::CompiledCache(fs::path folder) : folder_(std::move(folder)) {
    if (folder_.empty()) return;
    Known& all = known();
    const MutexLock lock(all.mutex);
    const bool alone = all.compiling++ == 0;
    for (const fs::path& path : files_of(folder_)) {
        const Stamp stamp = stamp_of(path);
        const auto found = all.sound.find(path);
        if (found != all.sound.end() && found->second == stamp) continue;
        const State state = state_of(path, stamp.size);
        if (state == State::kSound) {
            all.sound[path] = stamp;
        } else if (state == State::kDamaged || alone) {
            // A file without a seal may be one that another thread is making.
            std::error_code ignored;
            fs::remove(path, ignored);
        }
    }
}

CompiledCache::~CompiledCache() {
    if (folder_.empty()) return;
    Known& all = known();
    const MutexLock lock(all.mutex);
    const bool last = --all.compiling == 0;
    if (!last) return;  // The last one seals what all have made, none of it unfinished.
    for (const fs::path& path : files_of(folder_)) {
        const Stamp stamp = stamp_of(path);
        const auto found = all.sound.find(path);
        if (found != all.sound.end() && found->second == stamp) continue;
        put_seal(path, stamp.size);
        all.sound[path] = stamp_of(path);
    }
}

}  // namespace lepton::openvino
