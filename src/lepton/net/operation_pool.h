#pragma once

#include <cstddef>
#include <new>

namespace lepton::net {

// Memory of a reactor's Asio operations, used again and again. Asio itself keeps such memory only
// while one call of run() lasts, and a reactor makes many. Must outlive the io_context, which
// destroys the operations that are still pending at its end. Not thread-safe; confined to the
// thread that runs the io_context.
class OperationPool {
public:
    OperationPool() = default;
    OperationPool(const OperationPool&) = delete;
    OperationPool& operator=(const OperationPool&) = delete;
    ~OperationPool() {
        while (idle_ != nullptr) ::operator delete(pop());
    }

    void* take(std::size_t bytes) {
        if (bytes > kBlockBytes) return ::operator new(bytes);
        return idle_ != nullptr ? pop() : ::operator new(kBlockBytes);
    }
    void give_back(void* memory, std::size_t bytes) {
        if (bytes > kBlockBytes) return ::operator delete(memory);
        idle_ = new (memory) Block{idle_};
    }

    // Asio takes it so: boost::asio::bind_allocator(pool.allocator(), handler).
    template <class T = std::byte>
    class Allocator {
    public:
        using value_type = T;

        explicit Allocator(OperationPool& pool) : pool_(&pool) {}
        template <class U>
        // NOLINTNEXTLINE(google-explicit-constructor): as the requirements on allocators have it.
        Allocator(const Allocator<U>& other) : pool_(other.pool_) {}

        [[nodiscard]] T* allocate(std::size_t count) {
            static_assert(alignof(T) <= alignof(std::max_align_t));
            return static_cast<T*>(pool_->take(count * sizeof(T)));
        }
        void deallocate(T* at, std::size_t count) { pool_->give_back(at, count * sizeof(T)); }

        friend bool operator==(const Allocator&, const Allocator&) = default;

    private:
        template <class>
        friend class Allocator;
        OperationPool* pool_;
    };
    [[nodiscard]] Allocator<> allocator() { return Allocator<>(*this); }

private:
    struct Block {
        Block* next;
    };
    static constexpr std::size_t kBlockBytes = 256;  // A read takes 176.

    void* pop() {
        Block* block = idle_;
        idle_ = block->next;
        return block;
    }

    Block* idle_ = nullptr;
};

}  // namespace lepton::net
