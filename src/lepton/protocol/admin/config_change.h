#pragma once

#include "lepton/core/model_control.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer.h"

namespace lepton::protocol {

// Reads {"<setting>": value, ..., "save": true}. Which settings there are, and their bounds, is for
// the control to know. Changes the text in `body`. Errors: kInvalidArgument naming the member.
Result<ConfigChange> parse_config_change(memory::Buffer& body);

}  // namespace lepton::protocol
