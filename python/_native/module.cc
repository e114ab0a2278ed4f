#include "answer.h"
#include "backend.h"
#include "completions.h"
#include "objects.h"
#include "signature.h"

namespace {

using namespace lepton::python;

NB_MODULE(_native, module) {
    module.doc() = "The C++ client and the in-process server; lepton is the face of it.";
    // Clients that live in modules until the interpreter ends are no mistake.
    nb::set_leak_warnings(false);
    bind_signature(module);
    bind_answer(module);
    bind_completions(module);
    bind_client(module);
    bind_server(module);
}

}  // namespace
