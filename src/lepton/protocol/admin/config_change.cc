#include "lepton/protocol/admin/config_change.h"

#include <algorithm>

#include "lepton/protocol/json/json_reader.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

constexpr std::size_t kMostSettings = 64;
constexpr std::size_t kLongestText = 64;
constexpr std::size_t kLongestList = 256;

tl::unexpected<Error> no_value(std::string_view name, json::value& value) {
    constexpr std::string_view kNeeded =
        "; it must be a number, a short string, true or false, or a list of whole numbers";
    return fail(ErrorCode::kInvalidArgument,
                concat({"setting ", in_quotes(name), " is ", excerpt(value), kNeeded}));
}

Result<SettingValue> read_list(JsonReader& reader, std::string_view name, json::value value) {
    std::vector<std::int64_t> list;
    LEPTON_TRY(const json::array array, reader.as_array(value, "a setting"));
    LEPTON_RETURN_IF_ERROR(reader.for_each_element(array, [&](json::value element) -> Result<> {
        std::int64_t number = 0;
        if (list.size() >= kLongestList || element.get_int64().get(number)) {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"setting ",
                                in_quotes(name),
                                " must be a list of at most ",
                                std::to_string(kLongestList),
                                " whole numbers"}));
        }
        list.push_back(number);
        return {};
    }));
    return SettingValue(std::move(list));
}

Result<SettingValue> read_value(JsonReader& reader, std::string_view name, json::value value) {
    json::json_type type{};
    if (value.type().get(type)) return no_value(name, value);
    if (type == json::json_type::array) return read_list(reader, name, value);
    json::number number;
    bool flag = false;
    std::string_view word;
    if (!reader.text(value).get(word)) {
        if (word.size() > kLongestText) {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"setting ",
                                in_quotes(name),
                                " is ",
                                in_quotes(word),
                                "; at most ",
                                std::to_string(kLongestText),
                                " bytes are allowed"}));
        }
        return SettingValue(std::string(word));
    }
    if (!value.get_bool().get(flag)) return SettingValue(flag);
    if (value.get_number().get(number)) return no_value(name, value);
    if (number.is_int64()) return SettingValue(number.get_int64());
    return SettingValue(number.is_uint64() ? static_cast<double>(number.get_uint64())
                                           : number.get_double());
}

Result<ConfigChange> read_members(JsonReader& reader) {
    ConfigChange change;
    LEPTON_TRY(const json::object root, reader.root());
    LEPTON_RETURN_IF_ERROR(
        reader.for_each_member(root, [&](std::string_view name, json::value value) -> Result<> {
            const bool known = std::any_of(change.settings.begin(),
                                           change.settings.end(),
                                           [name](const auto& s) { return s.first == name; });
            if (known || change.settings.size() >= kMostSettings) {
                return fail(ErrorCode::kInvalidArgument,
                            concat({"setting ",
                                    in_quotes(name),
                                    known ? " is given twice" : " is one too many"}));
            }
            const std::string key(name.substr(0, kLongestText));
            LEPTON_TRY(SettingValue read, read_value(reader, key, value));
            if (key != "save") {
                change.settings.emplace_back(key, std::move(read));
                return {};
            }
            const bool* save = std::get_if<bool>(&read);
            if (save == nullptr) {
                return fail(
                    ErrorCode::kInvalidArgument,
                    concat(
                        {"\"save\" is ", in_quotes(to_text(read)), "; it must be true or false"}));
            }
            change.save = *save;
            return {};
        }));
    if (!reader.at_end()) {
        return fail(ErrorCode::kInvalidArgument, "malformed JSON: more follows the object");
    }
    return change;
}

}  // namespace

Result<ConfigChange> parse_config_change(memory::Buffer& body) {
    JsonReader reader;
    Result<ConfigChange> change;
    const Result<> opened = reader.open({body.data(), body.size()});
    if (opened) {
        change = read_members(reader);
    } else {
        change = tl::unexpected<Error>(opened.error());
    }
    reader.close();
    return change;
}

}  // namespace lepton::protocol
