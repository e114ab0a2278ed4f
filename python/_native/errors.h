#pragma once

#include <utility>

#include "lepton/core/result.h"

namespace lepton::python {

// Throws what lepton.errors has for the error. With the GIL.
[[noreturn]] void raise(const Error& error);

// The value, or the error as an exception. With the GIL.
template <class T>
T value_or_raise(Result<T> result) {
    if (!result) raise(result.error());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace lepton::python
