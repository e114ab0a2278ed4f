#include "lepton/core/file_draft.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

namespace lepton {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> cannot(const char* what, const fs::path& file, int reason) {
    return fail(ErrorCode::kUnavailable,
                std::string("cannot ") + what + " " + file.string() + ": " +
                    std::generic_category().message(reason));
}

// The reason why it failed; 0: it did not.
int write_anew(const fs::path& file, std::string_view content, mode_t mode, bool durable) {
    // Left by a process that was killed, or laid there by somebody for this one to follow.
    ::unlink(file.c_str());
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) return errno;
    int reason = 0;
    while (reason == 0 && !content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written >= 0) {
            content.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno != EINTR) {
            reason = errno;
        }
    }
    if (reason == 0 && durable && ::fsync(fd) != 0) reason = errno;
    ::close(fd);
    return reason;
}

}  // namespace

Result<FileDraft> FileDraft::write(fs::path file,
                                   std::string_view content,
                                   mode_t mode,
                                   bool durable) {
    // Other processes, and other threads of this one, may write the same.
    static std::atomic<unsigned> drafts = 0;
    fs::path beside = file;
    beside += ".";
    beside += std::to_string(::getpid()) + "." + std::to_string(drafts++) + ".draft";
    FileDraft draft(std::move(file), std::move(beside));
    if (const int reason = write_anew(draft.draft_, content, mode, durable); reason != 0) {
        return cannot("write", draft.file_, reason);
    }
    return draft;
}

FileDraft::FileDraft(fs::path file, fs::path draft)
    : file_(std::move(file)), draft_(std::move(draft)) {}

FileDraft::FileDraft(FileDraft&& other) noexcept
    : file_(std::move(other.file_)), draft_(std::move(other.draft_)) {
    other.draft_.clear();
}

FileDraft::~FileDraft() {
    if (!draft_.empty()) ::unlink(draft_.c_str());
}

Result<> FileDraft::commit() {
    if (::rename(draft_.c_str(), file_.c_str()) != 0) return cannot("replace", file_, errno);
    draft_.clear();
    return {};
}

Result<> replace_file(const fs::path& file, std::string_view content) {
    LEPTON_TRY(FileDraft draft, FileDraft::write(file, content));
    return draft.commit();
}

}  // namespace lepton
