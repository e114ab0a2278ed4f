#include "lepton/net/connection_table.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace lepton::net {
namespace {

constexpr std::array<const char*, kEndingCount> kLabels = {
    "client", "answered", "idle", "timeout", "made_room", "refused", "drained", "no_memory"};

// An IPv4 address written as one of IPv6, RFC 4291 section 2.5.5.2.
constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::ptrdiff_t kNetworkBytes = 8;

std::size_t position_of(std::vector<std::size_t>::const_iterator at,
                        const std::vector<std::size_t>& counts) {
    return static_cast<std::size_t>(at - counts.begin());
}

}  // namespace

const char* label_of(Ending ending) { return kLabels[static_cast<std::size_t>(ending)]; }

PeerKey peer_of_ipv4(const std::array<std::uint8_t, 4>& address) {
    PeerKey key;
    const auto end = std::copy(kMapped.begin(), kMapped.end(), key.address.begin());
    std::copy(address.begin(), address.end(), end);
    return key;
}

PeerKey peer_of_ipv6(const std::array<std::uint8_t, 16>& address) {
    PeerKey key;
    const bool mapped = std::equal(kMapped.begin(), kMapped.end(), address.begin());
    std::copy(address.begin(),
              mapped ? address.end() : address.begin() + kNetworkBytes,
              key.address.begin());
    return key;
}

std::size_t ConnectionTable::Hash::operator()(const PeerKey& key) const {
    const std::string_view bytes(reinterpret_cast<const char*>(key.address.data()),
                                 key.address.size());
    return std::hash<std::string_view>()(bytes) + (key.local ? 1 : 0) + (key.admin ? 2 : 0);
}

ConnectionTable::Seat ConnectionTable::take(const PeerKey& key, std::size_t accepted_by) {
    opened_.fetch_add(1, std::memory_order_relaxed);
    const MutexLock lock(mutex_);
    Peer& peer = peers_[key];
    peer.on_reactor.resize(on_reactor_.size());
    Seat seat;
    seat.table_ = this;
    seat.key_ = key;
    seat.peer_ = &peer;
    const std::size_t of_peer = peer.connections.load(std::memory_order_relaxed);
    const std::size_t most_of_peer = key.admin ? bounds_.admin : key.local ? 0 : bounds_.per_peer;
    if (most_of_peer > 0 && of_peer >= most_of_peer) {
        seat.room_ = Seat::Room::kOfPeer;
        seat.reactor_ = position_of(
            std::max_element(peer.on_reactor.cbegin(), peer.on_reactor.cend()), peer.on_reactor);
    } else if (!key.admin && size() >= bounds_.all) {
        seat.room_ = Seat::Room::kOfAll;
        seat.reactor_ =
            position_of(std::max_element(on_reactor_.cbegin(), on_reactor_.cend()), on_reactor_);
    } else {
        const auto least = std::min_element(on_reactor_.cbegin(), on_reactor_.cend());
        seat.reactor_ =
            on_reactor_[accepted_by] == *least ? accepted_by : position_of(least, on_reactor_);
    }
    peer.connections.fetch_add(1, std::memory_order_relaxed);
    ++peer.on_reactor[seat.reactor_];
    ++on_reactor_[seat.reactor_];
    size_.fetch_add(1, std::memory_order_relaxed);
    return seat;
}

void ConnectionTable::give_up(const Seat& seat) {
    const MutexLock lock(mutex_);
    size_.fetch_sub(1, std::memory_order_relaxed);
    --on_reactor_[seat.reactor_];
    --seat.peer_->on_reactor[seat.reactor_];
    if (seat.peer_->connections.fetch_sub(1, std::memory_order_relaxed) == 1) {
        peers_.erase(seat.key_);
    }
}

}  // namespace lepton::net
