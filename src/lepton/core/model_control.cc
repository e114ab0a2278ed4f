#include "lepton/core/model_control.h"

#include <charconv>
#include <system_error>

namespace lepton {
namespace {

struct ToText {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const {
        char text[32];
        const auto [end, error] = std::to_chars(text, text + sizeof text, value);
        return error == std::errc() ? std::string(text, end) : "?";
    }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(const std::vector<std::int64_t>& values) const {
        std::string text;
        for (const std::int64_t value : values) {
            if (!text.empty()) text += ',';
            text += std::to_string(value);
        }
        return text;
    }
};

}  // namespace

std::string_view to_string(SettingOrigin origin) {
    switch (origin) {
        case SettingOrigin::kDefault:
            return "default";
        case SettingOrigin::kConfigured:
            return "configured";
        case SettingOrigin::kTuned:
            return "tuned";
        case SettingOrigin::kChanged:
            return "changed";
    }
    return "";
}

std::string to_text(const SettingValue& value) { return std::visit(ToText{}, value); }

}  // namespace lepton
