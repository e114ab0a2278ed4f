#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "lepton/core/result.h"

namespace lepton {

// The new content of a file, written beside it, until commit() puts it in its place; thrown away
// without. So whoever reads the file sees the old content or the new one. Follows
// no link that lies where the draft is to be. Not thread-safe; two drafts of one file are.
class FileDraft {
public:
    // `durable`: also after a loss of power, which costs a wait for the disk. Errors: kUnavailable
    // naming the file and the system's reason.
    static Result<FileDraft> write(std::filesystem::path file,
                                   std::string_view content,
                                   mode_t mode = 0644,
                                   bool durable = false);
    ~FileDraft();
    FileDraft(FileDraft&& other) noexcept;
    FileDraft& operator=(FileDraft&&) = delete;
    FileDraft(const FileDraft&) = delete;
    FileDraft& operator=(const FileDraft&) = delete;

    // Errors: as of write().
    Result<> commit();

private:
    FileDraft(std::filesystem::path file, std::filesystem::path draft);

    std::filesystem::path file_;
    std::filesystem::path draft_;  // Empty once it was moved or committed.
};

// All of it at once. Errors: as of FileDraft.
Result<> replace_file(const std::filesystem::path& file, std::string_view content);

}  // namespace lepton
