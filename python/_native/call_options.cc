#include "call_options.h"

#include <chrono>
#include <cmath>
#include <utility>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "errors.h"

namespace lepton::python {
namespace {

// Beyond it a deadline is none: a century.
constexpr double kLongestSeconds = 3.2e9;

std::chrono::nanoseconds to_duration(double seconds) {
    if (!(seconds >= 0)) {
        const std::string text = nb::str(nb::float_(seconds)).c_str();
        throw nb::value_error(("timeout is " + text + " s, expected more than 0").c_str());
    }
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(std::fmin(seconds, kLongestSeconds)));
}

// The protocol's integers have 64 bits, with or without a sign.
void set_integer(Parameter& parameter, nb::handle value) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
    if (overflow == 0) {
        parameter.value = static_cast<std::int64_t>(number);
        return;
    }
    if (overflow > 0) {
        const unsigned long long large = PyLong_AsUnsignedLongLong(value.ptr());
        if (PyErr_Occurred() == nullptr) {
            parameter.value = static_cast<std::uint64_t>(large);
            return;
        }
        PyErr_Clear();
    }
    // Its length is unknown, and in decimal Python may refuse to write it.
    const std::string text =
        nb::cast<std::string>(nb::module_::import_("builtins").attr("hex")(value));
    raise({ErrorCode::kInvalidArgument,
           "parameter \"" + std::string(parameter.name) + "\" is " + text.substr(0, 40) +
               (text.size() > 40 ? "..." : "") +
               ", it must be from -9223372036854775808 to 18446744073709551615"});
}

Parameter to_parameter(nb::handle name, nb::handle value) {
    if (!PyUnicode_Check(name.ptr())) throw nb::type_error("names of parameters are str");
    Parameter parameter{nb::cast<std::string_view>(name), false};
    if (PyBool_Check(value.ptr())) {
        parameter.value = nb::cast<bool>(value);
    } else if (PyLong_Check(value.ptr())) {
        set_integer(parameter, value);
    } else if (PyFloat_Check(value.ptr())) {
        parameter.value = nb::cast<double>(value);
    } else if (PyUnicode_Check(value.ptr())) {
        parameter.value = nb::cast<std::string_view>(value);
    } else {
        throw nb::type_error(("parameter \"" + std::string(parameter.name) +
                              "\" is neither bool, int, float nor str")
                                 .c_str());
    }
    return parameter;
}

}  // namespace

CallOptions::CallOptions(double timeout,
                         std::uint32_t priority,
                         nb::handle outputs,
                         std::string_view id,
                         nb::handle parameters) {
    request_.timeout = to_duration(timeout);
    request_.priority = priority;
    request_.id = id;
    if (!outputs.is_none()) {
        for (const nb::handle name : outputs) {
            if (!PyUnicode_Check(name.ptr())) throw nb::type_error("outputs are names, as str");
            outputs_.push_back(nb::cast<std::string>(name));
        }
    }
    if (parameters.is_none()) return;
    // A copy: the caller may change theirs.
    parameters_ = nb::module_::import_("builtins").attr("dict")(parameters);
    for (const auto& [name, value] : nb::cast<nb::dict>(parameters_)) {
        request_.parameters.push_back(to_parameter(name, value));
    }
}

InferRequest& CallOptions::request(const Signature& model, Inputs& inputs) {
    request_.model = model.info.name;
    request_.version = model.version;
    request_.inputs.swap(inputs.inputs());
    for (const std::string& name : outputs_) request_.outputs.push_back(name);
    return request_;
}

}  // namespace lepton::python
