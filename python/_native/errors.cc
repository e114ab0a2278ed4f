#include "errors.h"

#include "objects.h"

namespace lepton::python {

nb::object to_exception(const Error& error) {
    const std::string_view code = traits_of(error.code).label;
    return nb::module_::import_("lepton.errors")
        .attr("error_for")(nb::str(code.data(), code.size()),
                           nb::str(error.message.data(), error.message.size()));
}

void raise(const Error& error) {
    // A signal handler's exception, such as KeyboardInterrupt, is what ended the call.
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
    const nb::object exception = to_exception(error);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
    throw nb::python_error();
}

}  // namespace lepton::python
