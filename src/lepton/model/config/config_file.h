#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lepton/core/file_draft.h"
#include "lepton/core/model_control.h"
#include "lepton/core/result.h"

namespace lepton::model {

using NamedSettings = std::vector<std::pair<std::string, SettingValue>>;

// They have an effect with policy "fifo" only.
inline constexpr std::string_view kSettingsOfFifo[] = {"max_queue_delay_us",
                                                       "preferred_batch_sizes"};

// The text of a config.pbtxt with these settings in force: they stand as `parameters` in a block at
// its end, between two marks, where the last word counts; settings that an earlier block holds stay
// unless they are among them. All else, comments and fields that Lepton does not know included, is
// kept byte for byte.
[[nodiscard]] std::string with_settings(std::string_view text, const NamedSettings& settings);

// The draft of such a config.pbtxt, once it is sure that it is read as it should. Errors:
// kUnavailable for a file that cannot be read or written.
Result<FileDraft> draft_with_settings(std::filesystem::path file, const NamedSettings& settings);

}  // namespace lepton::model
