#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lepton/core/sync.h"

namespace lepton::net {

// Why a connection ended.
enum class Ending : std::uint8_t {
    kByClient,
    kAnswered,  // By us, as the protocol has it: "connection: close", a broken request.
    kIdle,      // It had no request for idle_timeout.
    kTimeout,   // It did not go on with its request, or did not take its answer.
    kMadeRoom,  // It waited for longest when others came.
    kRefused,   // On arrival: its bound was reached, and all there were had work to do.
    kDrained,   // The server ends.
    kNoMemory,
};
inline constexpr std::size_t kEndingCount = 8;
[[nodiscard]] const char* label_of(Ending ending);

// Which client a connection is from, as far as an address tells: an IPv4 address, or the first half
// of one of IPv6, of which a host has many. All clients of a Unix socket are one,
// and all of the admin listener.
struct PeerKey {
    std::array<std::uint8_t, 16> address{};
    bool local = false;  // It came by a Unix socket.
    bool admin = false;  // It came by the admin listener, whatever the address.
    friend bool operator==(const PeerKey&, const PeerKey&) = default;
};
[[nodiscard]] PeerKey peer_of_ipv4(const std::array<std::uint8_t, 4>& address);
[[nodiscard]] PeerKey peer_of_ipv6(const std::array<std::uint8_t, 16>& address);

// How many connections there are, on which reactor and from whom; says where a new one goes.
// Thread-safe.
class ConnectionTable {
public:
    struct Bounds {
        std::size_t all = 0;
        std::size_t per_peer = 0;  // 0: none. Not for Unix sockets: who comes in there is nobody.
        // The bound for the admin listener, whose connections `all` does not count: an operator
        // comes in during a flood.
        std::size_t admin = 64;
    };
    struct Peer {
        std::atomic<std::size_t> connections{0};
        std::vector<std::size_t> on_reactor;  // The table's.
    };
    // One connection's place, given up at the end of the holder.
    class Seat {
    public:
        // Which connections one has to be ended of, for this one to have its place.
        enum class Room : std::uint8_t { kFree, kOfPeer, kOfAll };

        Seat() = default;
        Seat(Seat&& other) noexcept { swap(other); }
        Seat& operator=(Seat&& other) noexcept {
            Seat(std::move(other)).swap(*this);
            return *this;
        }
        Seat(const Seat&) = delete;
        Seat& operator=(const Seat&) = delete;
        ~Seat() {
            if (table_ != nullptr) table_->give_up(*this);
        }

        [[nodiscard]] std::size_t reactor() const { return reactor_; }
        [[nodiscard]] Room room() const { return room_; }
        [[nodiscard]] const Peer* peer() const { return peer_; }

    private:
        friend class ConnectionTable;
        void swap(Seat& other) noexcept {
            std::swap(table_, other.table_);
            std::swap(key_, other.key_);
            std::swap(peer_, other.peer_);
            std::swap(reactor_, other.reactor_);
            std::swap(room_, other.room_);
        }

        ConnectionTable* table_ = nullptr;
        PeerKey key_;
        Peer* peer_ = nullptr;
        std::size_t reactor_ = 0;
        Room room_ = Room::kFree;
    };

    ConnectionTable(Bounds bounds, std::size_t reactors)
        : bounds_(bounds), on_reactor_(reactors, 0) {}

    // A place on the reactor with the fewest connections, on `accepted_by` where others have as
    // few; or, at a bound, on the one that has the most to choose from.
    [[nodiscard]] Seat take(const PeerKey& peer, std::size_t accepted_by);
    void on_ended(Ending ending) {
        ended_[static_cast<std::size_t>(ending)].fetch_add(1, std::memory_order_relaxed);
    }
    void on_accept_failed() { accept_failures_.fetch_add(1, std::memory_order_relaxed); }

    [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t opened() const { return opened_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t ended(Ending ending) const {
        return ended_[static_cast<std::size_t>(ending)].load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t accept_failures() const {
        return accept_failures_.load(std::memory_order_relaxed);
    }

private:
    struct Hash {
        std::size_t operator()(const PeerKey& key) const;
    };
    void give_up(const Seat& seat);

    const Bounds bounds_;
    // Counters that stand for themselves: relaxed.
    std::atomic<std::size_t> size_{0};
    std::atomic<std::uint64_t> opened_{0};
    std::atomic<std::uint64_t> accept_failures_{0};
    std::array<std::atomic<std::uint64_t>, kEndingCount> ended_{};

    Mutex mutex_;
    std::vector<std::size_t> on_reactor_ LEPTON_GUARDED_BY(mutex_);
    std::unordered_map<PeerKey, Peer, Hash> peers_ LEPTON_GUARDED_BY(mutex_);
};

}  // namespace lepton::net
