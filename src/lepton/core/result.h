#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "lepton/core/error.h"

namespace lepton {

// The only fallible return type in Lepton. Swap the alias for std::expected at C++23.
template <class T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
    return tl::unexpected<Error>({code, std::move(message)});
}

}  // namespace lepton

// LEPTON_TRY(auto tensors, decode(body)): bind the value, or return the error to the caller.
// LEPTON_RETURN_IF_ERROR(validate(x)): the same for Result<>.
// Two statements, not a GNU statement expression, so it is legal around co_await.
#define LEPTON_TRY(decl, expr) LEPTON_TRY_(LEPTON_CAT_(try_, __COUNTER__), decl, expr)
#define LEPTON_RETURN_IF_ERROR(expr) LEPTON_RETURN_IF_ERROR_(LEPTON_CAT_(try_, __COUNTER__), expr)
#define LEPTON_CAT_(a, b) LEPTON_CAT2_(a, b)
#define LEPTON_CAT2_(a, b) a##b
// NOLINTBEGIN(bugprone-macro-parentheses): `decl` is a declaration.
#define LEPTON_TRY_(tmp, decl, expr)                                      \
    auto tmp = (expr);                                                    \
    if (!tmp) [[unlikely]]                                                \
        return ::tl::unexpected<::lepton::Error>(std::move(tmp).error()); \
    decl = *std::move(tmp)
#define LEPTON_RETURN_IF_ERROR_(tmp, expr)    \
    if (auto tmp = (expr); !tmp) [[unlikely]] \
    return ::tl::unexpected<::lepton::Error>(std::move(tmp).error())
// NOLINTEND(bugprone-macro-parentheses)
