// Reads any bytes as a config.pbtxt, or as the server's JSON for one. Accepted text must be read
// again unchanged after settings are appended to it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lepton/model/config/config_file.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/config/model_settings.h"

namespace lepton::model {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void run(std::string_view text) {
    const auto config = parse_model_config(text, "text");
    if (!config) return require(!config.error().message.empty());
    require(config->instances >= 1);
    require(config->max_batch_size.value_or(0) >= 0);
    (void)settings_of(*config, {});
    if (!text.empty() && text.front() == '{') return;  // It is JSON, to which no text is appended.
    const std::string written = with_settings(text, {{"max_queue_size", std::int64_t{7}}});
    const auto again = parse_model_config(written, "text");
    if (again) require(again->name == config->name && again->instances == config->instances);
}

}  // namespace
}  // namespace lepton::model

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lepton::model::run({reinterpret_cast<const char*>(data), size});
    return 0;
}
