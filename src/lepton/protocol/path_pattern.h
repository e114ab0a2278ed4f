#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lepton/core/result.h"

namespace lepton::protocol {

// What a path says of its request; views into the path. Empty: it does not say so.
struct PathVariables {
    std::string_view model;
    std::string_view version;
};

// The path of a request, cut at its slashes. It must stay as long as this and what match() gives.
class PathSegments {
public:
    static constexpr std::size_t kMost = 8;  // What has more is no route's.

    explicit PathSegments(std::string_view path);

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::string_view operator[](std::size_t i) const { return segments_[i]; }

private:
    std::array<std::string_view, kMost> segments_;
    std::size_t size_ = 0;  // 0: it does not begin with a slash, or has too many.
};

// What paths a route has: "/v2/models/{model}[/versions/{version}]/infer". A name in braces stands
// for one segment that is not empty, what is in brackets may be left out, and "[/]" at the end
// allows for a slash there.
class PathPattern {
public:
    // For literals alone: what is not well formed does not compile.
    // NOLINTNEXTLINE(google-explicit-constructor): so that a table shows the texts alone.
    consteval PathPattern(const char* text) : text_(text) {
        std::string_view rest = text_;
        if (rest.ends_with(kSlash)) {
            slash_may_follow_ = true;
            rest.remove_suffix(kSlash.size());
        }
        text_ = rest;
        const std::size_t open = rest.find('[');
        if (open == std::string_view::npos) {
            short_form_.add(rest);
            return;
        }
        const std::size_t close = rest.find(']');
        short_form_.add(rest.substr(0, open));
        short_form_.add(rest.substr(close + 1));
        long_form_.add(rest.substr(0, open));
        long_form_.add(rest.substr(open + 1, close - open - 1));
        long_form_.add(rest.substr(close + 1));
    }

    // The text of the pattern, without "[/]".
    [[nodiscard]] constexpr std::string_view text() const { return text_; }

    // The variables are as they stand in the path, see decode_variables().
    [[nodiscard]] std::optional<PathVariables> match(const PathSegments& path) const;

private:
    static constexpr std::string_view kSlash = "[/]";

    enum class Kind : std::uint8_t { kLiteral, kModel, kVersion };
    struct Segment {
        Kind kind = Kind::kLiteral;
        std::string_view text;
    };
    // One of the two ways to spell it; the second has no segments where there are no brackets.
    struct Form {
        std::array<Segment, PathSegments::kMost> segments{};
        std::size_t size = 0;

        consteval void add(std::string_view part) {
            while (!part.empty()) {
                if (part.front() != '/') throw "a segment begins with a slash";
                part.remove_prefix(1);
                const std::string_view text = part.substr(0, part.find('/'));
                part.remove_prefix(text.size());
                segments.at(size++) = {kind_of(text), text};
            }
        }
        static consteval Kind kind_of(std::string_view text) {
            if (text == "{model}") return Kind::kModel;
            if (text == "{version}") return Kind::kVersion;
            if (text.find('{') != std::string_view::npos) throw "a variable that nobody knows";
            return Kind::kLiteral;
        }
    };

    [[nodiscard]] bool matches(const Form& form,
                               const PathSegments& path,
                               PathVariables& variables) const;

    std::string_view text_;
    Form short_form_;
    Form long_form_;
    bool slash_may_follow_ = false;
};

// Percent-decodes the variables where they stand in `path`, segment by segment, so that an encoded
// slash does not separate. Errors: kInvalidArgument for a malformed escape.
Result<> decode_variables(std::string& path, PathVariables& variables);

// The byte that two hexadecimal digits stand for.
std::optional<char> decode_escape(std::string_view digits);

}  // namespace lepton::protocol
