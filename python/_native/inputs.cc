#include "inputs.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "errors.h"

namespace lepton::python {
namespace {

enum class Kind : std::uint8_t { kOther, kBool, kSigned, kUnsigned, kFloat, kBfloat };

Kind kind_of(DataType type) {
    switch (type) {
        case DataType::kBool:
            return Kind::kBool;
        case DataType::kUint8:
        case DataType::kUint16:
        case DataType::kUint32:
        case DataType::kUint64:
            return Kind::kUnsigned;
        case DataType::kInt8:
        case DataType::kInt16:
        case DataType::kInt32:
        case DataType::kInt64:
            return Kind::kSigned;
        case DataType::kFp16:
        case DataType::kFp32:
        case DataType::kFp64:
            return Kind::kFloat;
        case DataType::kBf16:
            return Kind::kBfloat;
        case DataType::kBytes:
            return Kind::kOther;
    }
    return Kind::kOther;
}

// Of the struct module's letter, as the buffer protocol has it.
// https://docs.python.org/3/library/struct.html#format-characters
Kind kind_of(const char* format) {
    if (format == nullptr) return Kind::kUnsigned;
    if (*format == '@' || *format == '=' || *format == '<') ++format;
    if (*format == '\0' || format[1] != '\0') return Kind::kOther;
    if (*format == '?') return Kind::kBool;
    if (std::strchr("bhilqn", *format) != nullptr) return Kind::kSigned;
    if (std::strchr("BHILQN", *format) != nullptr) return Kind::kUnsigned;
    if (std::strchr("efd", *format) != nullptr) return Kind::kFloat;
    return Kind::kOther;
}

Kind kind_of(nb::dlpack::dtype type) {
    if (type.lanes != 1) return Kind::kOther;
    switch (static_cast<nb::dlpack::dtype_code>(type.code)) {
        case nb::dlpack::dtype_code::Bool:
            return Kind::kBool;
        case nb::dlpack::dtype_code::Int:
            return Kind::kSigned;
        case nb::dlpack::dtype_code::UInt:
            return Kind::kUnsigned;
        case nb::dlpack::dtype_code::Float:
            return Kind::kFloat;
        case nb::dlpack::dtype_code::Bfloat:
            return Kind::kBfloat;
        default:
            return Kind::kOther;
    }
}

[[noreturn]] void refuse(const std::string& message) {
    raise({ErrorCode::kInvalidArgument, message});
}

std::string names_of(const std::vector<TensorSpec>& tensors) {
    std::string names;
    for (const TensorSpec& tensor : tensors) names += (names.empty() ? "" : ", ") + tensor.name;
    return names;
}

// Its bytes or UTF-8; false where it is neither bytes nor str.
bool text_of(nb::handle item, std::string_view& text) {
    if (PyUnicode_Check(item.ptr())) {
        Py_ssize_t size = 0;
        const char* const data = PyUnicode_AsUTF8AndSize(item.ptr(), &size);
        if (data == nullptr) throw nb::python_error();
        text = {data, static_cast<std::size_t>(size)};
        return true;
    }
    if (!PyBytes_Check(item.ptr())) return false;
    text = {PyBytes_AS_STRING(item.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(item.ptr()))};
    return true;
}

}  // namespace

Inputs::Inputs(const Signature& model, nb::handle values) {
    const std::vector<TensorSpec>& specs = model.info.inputs;
    if (!PyDict_Check(values.ptr())) {
        if (specs.size() != 1) {
            refuse("model \"" + model.info.name + "\" has " + std::to_string(specs.size()) +
                   " inputs (" + names_of(specs) + "); give a dict of arrays by name");
        }
        add(specs.front(), values);
        return;
    }
    inputs_.reserve(specs.size());
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    for (Py_ssize_t at = 0; PyDict_Next(values.ptr(), &at, &key, &value) != 0;) {
        std::string_view name;
        const bool is_text = text_of(key, name);
        const auto spec = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& input) {
            return input.name == name;
        });
        if (!is_text || spec == specs.end()) {
            refuse("model \"" + model.info.name + "\" has no input \"" +
                   nb::str(nb::handle(key)).c_str() + "\"; it has: " + names_of(specs));
        }
        // Converting it may run Python code, which may change the dict.
        add(*spec, nb::borrow(value));
    }
    if (inputs_.empty() && !specs.empty()) {
        refuse("the dict of inputs is empty; model \"" + model.info.name +
               "\" takes: " + names_of(specs));
    }
}

Inputs::~Inputs() {
    for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
}

void Inputs::add(const TensorSpec& spec, nb::handle value) {
    if (spec.dtype == DataType::kBytes) {
        if (PyList_Check(value.ptr()) && add_strings(spec, value, nullptr)) return;
    } else if (PyObject_CheckBuffer(value.ptr()) != 0) {
        if (add_buffer(spec, value)) return;
    } else if (nb::hasattr(value, "__dlpack__")) {
        if (add_dlpack(spec, value)) return;
    }
    add_converted(spec, value);
}

// Scalars are left to be given the model's rank, unless that was done already.
bool Inputs::add_buffer(const TensorSpec& spec, nb::handle value, bool converted) {
    Py_buffer& view = buffers_.emplace_back();
    if (PyObject_GetBuffer(value.ptr(), &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
        PyErr_Clear();
        buffers_.pop_back();
        return false;
    }
    const Kind wanted = spec.dtype == DataType::kBf16 ? Kind::kOther : kind_of(spec.dtype);
    const bool fits = kind_of(view.format) == wanted && wanted != Kind::kOther &&
                      static_cast<std::size_t>(view.itemsize) == element_bytes(spec.dtype) &&
                      static_cast<std::size_t>(view.ndim) <= Shape::kMaxRank &&
                      (view.ndim > 0 || spec.shape.empty() || converted);
    if (!fits) {
        PyBuffer_Release(&view);
        buffers_.pop_back();
        return false;
    }
    Input& input = inputs_.emplace_back();
    input.name = spec.name;
    input.dtype = spec.dtype;
    for (int i = 0; i < view.ndim; ++i) input.shape.push_back(view.shape[i]);
    input.data = {static_cast<const std::byte*>(view.buf), static_cast<std::size_t>(view.len)};
    return true;
}

bool Inputs::add_dlpack(const TensorSpec& spec, nb::handle value) {
    DlpackTensor array;
    if (!nb::try_cast(value, array, false)) return false;
    if (kind_of(array.dtype()) != kind_of(spec.dtype) ||
        array.itemsize() != element_bytes(spec.dtype) || array.ndim() > Shape::kMaxRank ||
        (array.ndim() == 0 && !spec.shape.empty())) {
        return false;
    }
    Input& input = inputs_.emplace_back();
    input.name = spec.name;
    input.dtype = spec.dtype;
    for (std::size_t i = 0; i < array.ndim(); ++i) {
        input.shape.push_back(static_cast<std::int64_t>(array.shape(i)));
    }
    input.data = {static_cast<const std::byte*>(array.data()), array.nbytes()};
    dlpacks_.push_back(std::move(array));
    return true;
}

// False, and nothing added, where an element is neither bytes nor str. Without a `shape` they are a
// vector.
bool Inputs::add_strings(const TensorSpec& spec, nb::handle list, const Shape* shape) {
    BytesTensor& strings = strings_.emplace_back();
    const Py_ssize_t count = PyList_GET_SIZE(list.ptr());
    for (Py_ssize_t i = 0; i < count; ++i) {
        std::string_view text;
        if (!text_of(PyList_GET_ITEM(list.ptr(), i), text)) {
            strings_.pop_back();
            return false;
        }
        strings.add(text);
    }
    inputs_.push_back(shape == nullptr ? strings.input(spec.name)
                                       : strings.input(spec.name, *shape));
    return true;
}

// What is not there as the wire has it: lists, scalars, other datatypes, arrays with gaps.
void Inputs::add_converted(const TensorSpec& spec, nb::handle value) {
    const nb::object converted =
        nb::module_::import_("lepton.datatypes").attr("to_wire")(value, nb::cast(spec));
    if (spec.dtype == DataType::kBytes) {
        Shape shape;
        for (const nb::handle extent : nb::object(converted[1])) {
            shape.push_back(nb::cast<std::int64_t>(extent));
        }
        if (!add_strings(spec, nb::object(converted[0]), &shape)) {
            refuse("input \"" + spec.name + "\": a BYTES element is neither bytes nor str");
        }
        return;
    }
    if (spec.dtype == DataType::kBf16) {
        // numpy has no bfloat16: its bits, as uint16.
        TensorSpec bits = spec;
        bits.dtype = DataType::kUint16;
        if (add_buffer(bits, converted, true)) {
            inputs_.back().name = spec.name;
            inputs_.back().dtype = spec.dtype;
            return;
        }
    } else if (add_buffer(spec, converted, true)) {
        return;
    }
    refuse("input \"" + spec.name + "\" has more than " + std::to_string(Shape::kMaxRank) +
           " dimensions");
}

}  // namespace lepton::python
