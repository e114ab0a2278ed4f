// liblepton_count_allocations.so: preloaded into a server (LD_PRELOAD), it counts each call that
// asks for heap memory, in the file named by LEPTON_ALLOCATIONS_FILE, for others to read while the
// server runs. The memory still comes from the allocator that the server would use without it.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

using Counter = std::atomic<std::uint64_t>;

Counter unmapped{0};
std::atomic<Counter*> counter{&unmapped};

__attribute__((constructor)) void map_counter() {
    const char* const path = std::getenv("LEPTON_ALLOCATIONS_FILE");
    if (path == nullptr) return;
    const int fd = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ::ftruncate(fd, sizeof(Counter)) != 0) std::abort();
    void* const memory =
        ::mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) std::abort();
    ::close(fd);
    counter.store(static_cast<Counter*>(memory));
}

// dlsym() itself may allocate while it looks up a function; it then gets memory from here, which is
// never given back.
alignas(std::max_align_t) std::byte early[65536];
std::atomic<std::size_t> early_used{0};

void* allocate_early(std::size_t size) {
    constexpr std::size_t kAlignment = alignof(std::max_align_t);
    const std::size_t start =
        early_used.fetch_add((size + kAlignment - 1) / kAlignment * kAlignment);
    return start + size <= sizeof(early) ? early + start : nullptr;
}

bool is_early(const void* memory) {
    const auto* const byte = static_cast<const std::byte*>(memory);
    return byte >= early && byte < early + sizeof(early);
}

thread_local bool looking_up __attribute__((tls_model("initial-exec"))) = false;

// Returns the function of that name that comes after this library; null while dlsym() calls back.
template <class Function>
Function next(std::atomic<Function>& known, const char* name) {
    Function function = known.load();
    if (function != nullptr || looking_up) return function;
    looking_up = true;
    function = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
    looking_up = false;
    known.store(function);
    return function;
}

void count() { counter.load()->fetch_add(1, std::memory_order_relaxed); }

std::atomic<void* (*)(std::size_t)> next_malloc{nullptr};
std::atomic<void* (*)(std::size_t, std::size_t)> next_calloc{nullptr};
std::atomic<void* (*)(void*, std::size_t)> next_realloc{nullptr};
std::atomic<void* (*)(std::size_t, std::size_t)> next_aligned_alloc{nullptr};
std::atomic<int (*)(void**, std::size_t, std::size_t)> next_posix_memalign{nullptr};
std::atomic<void (*)(void*)> next_free{nullptr};

void* new_or_throw(std::size_t size) {
    void* const memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void* new_or_throw(std::size_t size, std::align_val_t alignment) {
    void* memory = nullptr;
    if (::posix_memalign(&memory, static_cast<std::size_t>(alignment), size) != 0) {
        throw std::bad_alloc();
    }
    return memory;
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
    count();
    const auto function = next(next_malloc, "malloc");
    return function == nullptr ? allocate_early(size) : function(size);
}

void* calloc(std::size_t number, std::size_t size) {
    count();
    const auto function = next(next_calloc, "calloc");
    return function == nullptr ? allocate_early(number * size) : function(number, size);
}

void* realloc(void* memory, std::size_t size) {
    count();
    if (is_early(memory)) std::abort();
    const auto function = next(next_realloc, "realloc");
    return function == nullptr ? allocate_early(size) : function(memory, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
    count();
    return next(next_aligned_alloc, "aligned_alloc")(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
    count();
    return next(next_posix_memalign, "posix_memalign")(memory, alignment, size);
}

void free(void* memory) {
    if (is_early(memory)) return;
    const auto function = next(next_free, "free");
    if (function != nullptr) function(memory);
}

}  // extern "C"

// An allocator that is linked as a library may define these itself; even then they must lead to the
// functions above.
void* operator new(std::size_t size) { return new_or_throw(size); }
void* operator new[](std::size_t size) { return new_or_throw(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return new_or_throw(size, alignment);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return new_or_throw(size, alignment);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
