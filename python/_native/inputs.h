#pragma once

#include <deque>
#include <vector>

#include <nanobind/ndarray.h>

#include "lepton/inference.h"
#include "objects.h"
#include "signature.h"

namespace lepton::python {

// The tensors of one call: looks at the memory of Python objects, without a copy where they are
// C-contiguous and of the model's datatype, and keeps them alive. Made and destroyed with the GIL;
// inputs() may be read without it. The objects must not be written to until the call has ended.
class Inputs {
public:
    // `values` is a dict by input name, or the one input of a model that has one. Throws
    // InvalidInput for what does not fit.
    Inputs(const Signature& model, nb::handle values);
    ~Inputs();
    Inputs(const Inputs&) = delete;
    Inputs& operator=(const Inputs&) = delete;

    [[nodiscard]] std::vector<Input>& inputs() { return inputs_; }

private:
    using DlpackTensor = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

    void add(const TensorSpec& spec, nb::handle value);
    bool add_buffer(const TensorSpec& spec, nb::handle value, bool converted = false);
    bool add_dlpack(const TensorSpec& spec, nb::handle value);
    bool add_strings(const TensorSpec& spec, nb::handle list, const Shape* shape);
    void add_converted(const TensorSpec& spec, nb::handle value);

    std::vector<Input> inputs_;
    std::deque<Py_buffer> buffers_;  // Their addresses count: a view may point into itself.
    std::deque<BytesTensor> strings_;
    std::vector<DlpackTensor> dlpacks_;
};

}  // namespace lepton::python
