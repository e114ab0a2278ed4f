#include "completions.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "answer.h"

namespace lepton::python {

Completions::Completions() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Completions::~Completions() {
    ::close(event_);
    if (ended_.empty()) return;
    const nb::gil_scoped_acquire gil;
    ended_.clear();
}

void Completions::push(std::unique_ptr<Pending> pending) {
    bool first = false;
    {
        const MutexLock lock(mutex_);
        first = ended_.empty();
        ended_.push_back(std::move(pending));
    }
    if (!first) return;
    const std::uint64_t one = 1;
    // It cannot be full: one is added for each time that it was read.
    static_cast<void>(::write(event_, &one, sizeof one));
}

nb::list Completions::take() {
    guard_.check("the client");
    std::uint64_t count = 0;
    // Before the list: what is added later makes it readable again.
    static_cast<void>(::read(event_, &count, sizeof count));
    std::vector<std::unique_ptr<Pending>> ended;
    {
        const MutexLock lock(mutex_);
        ended.swap(ended_);
    }
    nb::list taken;
    for (const auto& pending : ended) {
        nb::object outcome;
        if (pending->outcome) {
            const auto& model = nb::cast<const Signature&>(pending->model);
            outcome = nb::cast(Answer(*std::move(pending->outcome), model));
        } else {
            outcome = to_exception(pending->outcome.error());
        }
        taken.append(nb::make_tuple(pending->token, outcome));
    }
    return taken;
}

void Completions::wait() const {
    guard_.check("the client");
    while (true) {
        int ready = 0;
        {
            const nb::gil_scoped_release released;
            pollfd event{.fd = event_, .events = POLLIN, .revents = 0};
            ready = ::poll(&event, 1, -1);
        }
        if (ready > 0) return;
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }
}

void bind_completions(nb::module_& module) {
    nb::class_<Completions>(
        module, "Completions", "Calls that have ended, until they are taken. Watch fileno().")
        .def(nb::init<>())
        .def("take",
             &Completions::take,
             nb::sig("def take(self) -> list[tuple[typing.Any, Answer | Exception]]"),
             "Those that have ended: the token of each, and its answer or exception.")
        .def("wait", &Completions::wait, "Waits until there is one to take.")
        .def("fileno", &Completions::fileno, "Readable while there are some to take.");
}

}  // namespace lepton::python
