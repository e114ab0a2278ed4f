#pragma once

#include <nanobind/nanobind.h>

#include "lepton/core/error.h"

namespace lepton::python {

namespace nb = nanobind;

// An instance of the class of lepton.errors that stands for the error.
[[nodiscard]] nb::object to_exception(const Error& error);

[[nodiscard]] inline nb::str to_str(std::string_view text) {
    return nb::str(text.data(), text.size());
}

}  // namespace lepton::python
