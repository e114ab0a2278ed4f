#include "lepton/model/config/config_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include "model_config.pb.h"
#include "triton_model_config.pb.h"

namespace lepton::model {
namespace {

namespace pb = ::google::protobuf;

// Fields of Triton's without which the answers would be wrong.
constexpr std::array<std::string_view, 7> kRefused{"sequence_batching",
                                                   "ensemble_scheduling",
                                                   "batch_input",
                                                   "batch_output",
                                                   "reshape",
                                                   "optional",
                                                   "allow_ragged_batch"};
// The maximum depth of messages in messages; Triton's fields are within a tenth of it.
constexpr int kDeepest = 64;

struct Place {
    int line = -1;  // From 0; -1: unknown.
    int column = -1;

    friend auto operator<=>(const Place&, const Place&) = default;
};

std::string at(const std::string& source, Place place) {
    if (place.line < 0) return source + ": ";
    return source + ":" + std::to_string(place.line + 1) + ":" + std::to_string(place.column + 1) +
           ": ";
}

// Protobuf's parser calls itself for each level of what it does not know: where text is nested
// deeper than any message, before it sees it.
Result<> check_depth(std::string_view text, const std::string& source) {
    Place place{0, 0};
    int depth = 0;
    char quote = 0;
    bool comment = false;
    for (std::size_t i = 0; i < text.size(); ++i, ++place.column) {
        const char c = text[i];
        if (c == '\n') {
            place = {place.line + 1, -1};
            comment = false;
            quote = 0;  // A string ends with its line.
        } else if (comment) {
            continue;
        } else if (quote != 0) {
            if (c == '\\' && i + 1 < text.size() && text[i + 1] != '\n') {
                ++i;
                ++place.column;
            } else if (c == quote) {
                quote = 0;
            }
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '#') {
            comment = true;
        } else if (c == '{' || c == '<' || c == '[') {
            if (++depth > kDeepest) {
                return fail(ErrorCode::kInvalidArgument,
                            at(source, place) + "nested deeper than " + std::to_string(kDeepest) +
                                " messages");
            }
        } else if (c == '}' || c == '>' || c == ']') {
            --depth;
        }
    }
    return {};
}

// Keeps the first error of the parser. With unknown fields allowed it reports each of them as a
// warning, with its name.
class Findings final : public pb::io::ErrorCollector {
public:
    explicit Findings(const std::string& source) : source_(source) {}

    void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
        keep(at(source_, {line, column}) + message);
    }
    void AddWarning(int line, pb::io::ColumnNumber column, const std::string& message) override {
        // Of: Message type "a.B" has no field named "c".
        constexpr std::string_view kMark = "has no field named \"";
        std::string said = message;
        if (const std::size_t start = message.find(kMark); start != std::string::npos) {
            const std::size_t name = start + kMark.size();
            said = "unknown field \"" + message.substr(name, message.find('"', name) - name) + "\"";
        }
        keep(at(source_, {line, column}) + said);
    }

    [[nodiscard]] const std::string& first_error() const { return first_error_; }

private:
    void keep(std::string message) {
        while (!message.empty() && message.back() == '.') message.pop_back();
        if (first_error_.empty()) first_error_ = std::move(message);
    }

    const std::string& source_;
    std::string first_error_;
};

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = [&text](std::size_t at) {
            return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
        };
        const unsigned lead = byte(i);
        const std::size_t more = lead < 0x80                    ? 0
                                 : lead >= 0xC2 && lead <= 0xDF ? 1
                                 : (lead & 0xF0) == 0xE0        ? 2
                                 : lead >= 0xF0 && lead <= 0xF4 ? 3
                                                                : 4;
        // The first byte that follows excludes longer forms, surrogates, and what is beyond
        // Unicode.
        const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (more == 4 || (more > 0 && (byte(i + 1) < low || byte(i + 1) > high))) return false;
        for (std::size_t k = 2; k <= more; ++k) {
            if ((byte(i + k) & 0xC0) != 0x80) return false;
        }
        i += more + 1;
    }
    return true;
}

// Compares what a message of Triton's has set with what Lepton knows of it.
class Comparison {
public:
    struct Finding {
        Place place;
        std::string text;
    };

    // `tree` is null where places are not known; `ours` where the message is nobody's here.
    void compare(const pb::Message& message,
                 const pb::Descriptor& ours,
                 const pb::TextFormat::ParseInfoTree* tree) {
        const pb::Reflection& reflection = *message.GetReflection();
        std::vector<const pb::FieldDescriptor*> fields;
        reflection.ListFields(message, &fields);
        for (const pb::FieldDescriptor* field : fields) {
            const Place place = place_of(tree, field);
            const auto refused = std::find(kRefused.begin(), kRefused.end(), field->name());
            const pb::FieldDescriptor* known = ours.FindFieldByNumber(field->number());
            if (refused != kRefused.end()) {
                errors.push_back({place, "field \"" + field->name() + "\" is not supported"});
            } else if (known == nullptr) {
                ignored.push_back({place, "field \"" + field->name() + "\" has no effect"});
            } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
                for_each(message, *field, [&](const pb::Message& inner, int index) {
                    const pb::TextFormat::ParseInfoTree* below =
                        tree == nullptr ? nullptr : tree->GetTreeForNested(field, index);
                    compare(inner, *known->message_type(), below);
                });
            } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM &&
                       !field->is_repeated() &&
                       field->enum_type()->FindValueByNumber(
                           reflection.GetEnumValue(message, field)) == nullptr) {
                errors.push_back({place,
                                  "field \"" + field->name() + "\" has no value " +
                                      std::to_string(reflection.GetEnumValue(message, field))});
            } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING &&
                       !field->is_repeated() && !is_utf8(reflection.GetString(message, field))) {
                errors.push_back({place, "field \"" + field->name() + "\" is not UTF-8"});
            }
        }
    }

    std::vector<Finding> errors;
    std::vector<Finding> ignored;

private:
    template <class Use>
    static void for_each(const pb::Message& message,
                         const pb::FieldDescriptor& field,
                         const Use& use) {
        const pb::Reflection& reflection = *message.GetReflection();
        if (!field.is_repeated()) {
            use(reflection.GetMessage(message, &field), -1);
            return;
        }
        for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
            use(reflection.GetRepeatedMessage(message, &field, i), i);
        }
    }

    static Place place_of(const pb::TextFormat::ParseInfoTree* tree,
                          const pb::FieldDescriptor* field) {
        if (tree == nullptr) return {};
        const pb::TextFormat::ParseLocation found =
            tree->GetLocation(field, field->is_repeated() ? 0 : -1);
        return {found.line, found.column};
    }
};

Result<> parse(std::string_view text,
               const std::string& source,
               config::triton::ModelConfig& message,
               pb::TextFormat::ParseInfoTree& tree) {
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        return fail(ErrorCode::kInvalidArgument, source + " is too long");
    }
    const auto size = static_cast<int>(text.size());
    // No protobuf text begins so.
    if (text.find('{') == text.find_first_not_of(" \t\r\n") && !text.empty()) {
        const auto status =
            pb::util::JsonStringToMessage(pb::StringPiece(text.data(), text.size()), &message);
        if (status.ok()) return {};
        return fail(ErrorCode::kInvalidArgument,
                    source + ": " + std::string(status.message().data(), status.message().size()));
    }
    Findings findings(source);
    pb::TextFormat::Parser parser;
    parser.RecordErrorsTo(&findings);
    parser.AllowUnknownField(true);
    parser.WriteLocationsTo(&tree);
    pb::io::ArrayInputStream stream(text.data(), size);
    const bool parsed = parser.Parse(&stream, &message);
    if (!findings.first_error().empty()) {
        return fail(ErrorCode::kInvalidArgument, findings.first_error());
    }
    if (!parsed) return fail(ErrorCode::kInvalidArgument, source + " is not protobuf text");
    return {};
}

}  // namespace

Result<> read_config_text(std::string_view text,
                          const std::string& source,
                          config::ModelConfig& config,
                          std::vector<std::string>& warnings) {
    LEPTON_RETURN_IF_ERROR(check_depth(text, source));
    config::triton::ModelConfig message;
    pb::TextFormat::ParseInfoTree tree;
    LEPTON_RETURN_IF_ERROR(parse(text, source, message, tree));
    Comparison found;
    found.compare(message, *config::ModelConfig::descriptor(), &tree);
    const auto by_place = [](const Comparison::Finding& a, const Comparison::Finding& b) {
        return a.place < b.place;
    };
    if (!found.errors.empty()) {
        const auto& first = *std::min_element(found.errors.begin(), found.errors.end(), by_place);
        return fail(ErrorCode::kInvalidArgument, at(source, first.place) + first.text);
    }
    std::stable_sort(found.ignored.begin(), found.ignored.end(), by_place);
    for (const Comparison::Finding& one : found.ignored) {
        warnings.push_back(at(source, one.place) + one.text);
    }
    // Numbers and types of the fields that both have are the same.
    if (!config.ParseFromString(message.SerializeAsString())) {
        return fail(ErrorCode::kInternal, source + " cannot be taken over");
    }
    config.DiscardUnknownFields();
    return {};
}

}  // namespace lepton::model
