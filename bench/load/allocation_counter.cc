#include "allocation_counter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lepton::bench {

AllocationCounter::AllocationCounter(const std::string& path) {
    if (path.empty()) return;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "open " + path);
    void* const memory = ::mmap(nullptr, sizeof(*value_), PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    if (memory == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "map " + path);
    value_ = static_cast<const volatile std::uint64_t*>(memory);
}

AllocationCounter::~AllocationCounter() {
    if (value_ != nullptr) ::munmap(const_cast<std::uint64_t*>(value_), sizeof(*value_));
}

}  // namespace lepton::bench
