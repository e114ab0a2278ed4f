#include "lepton/net/connection_table.h"

#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::net {
namespace {

using Room = ConnectionTable::Seat::Room;

const PeerKey kOne = peer_of_ipv4({10, 0, 0, 1});
const PeerKey kTwo = peer_of_ipv4({10, 0, 0, 2});

TEST(ConnectionTable, ASeatIsOnTheReactorWithTheFewest) {
    ConnectionTable table({.all = 10}, 2);
    std::vector<ConnectionTable::Seat> seats;
    for (int i = 0; i < 4; ++i) seats.push_back(table.take(kOne, 0));
    EXPECT_EQ(seats[0].reactor(), 0U);
    EXPECT_EQ(seats[1].reactor(), 1U);
    EXPECT_EQ(seats[2].reactor(), 0U);
    EXPECT_EQ(seats[3].reactor(), 1U);
    EXPECT_EQ(table.size(), 4U);
    seats.clear();
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.opened(), 4U);
}

TEST(ConnectionTable, AtTheBoundTheReactorWithTheMostHasToMakeRoom) {
    ConnectionTable table({.all = 3}, 2);
    const auto a = table.take(kOne, 1);
    const auto b = table.take(kOne, 1);
    const auto c = table.take(kTwo, 1);
    EXPECT_EQ(c.room(), Room::kFree);
    const auto d = table.take(kTwo, 0);
    EXPECT_EQ(d.room(), Room::kOfAll);
    EXPECT_EQ(d.reactor(), 1U);
}

TEST(ConnectionTable, APeerAtItsBoundHasToMakeRoomItself) {
    ConnectionTable table({.all = 10, .per_peer = 2}, 1);
    const auto a = table.take(kOne, 0);
    auto b = std::optional(table.take(kOne, 0));
    const auto c = table.take(kOne, 0);
    EXPECT_EQ(c.room(), Room::kOfPeer);
    EXPECT_EQ(c.peer()->connections, 3U);
    EXPECT_EQ(table.take(kTwo, 0).room(), Room::kFree);
    b.reset();
    EXPECT_EQ(c.peer()->connections, 2U);
    const PeerKey local{.local = true};
    const auto d = table.take(local, 0);
    const auto e = table.take(local, 0);
    const auto f = table.take(local, 0);
    EXPECT_EQ(f.room(), Room::kFree);
}

TEST(ConnectionTable, AnOperatorComesInDuringAFloodAndHasABoundOfTheirOwn) {
    ConnectionTable table({.all = 1, .admin = 2}, 1);
    const auto flood = table.take(kOne, 0);
    EXPECT_EQ(table.take(kTwo, 0).room(), Room::kOfAll);
    const PeerKey admin{.admin = true};
    const auto a = table.take(admin, 0);
    const auto b = table.take(admin, 0);
    EXPECT_EQ(b.room(), Room::kFree);
    const auto c = table.take(admin, 0);
    EXPECT_EQ(c.room(), Room::kOfPeer);
    EXPECT_EQ(c.peer(), a.peer());
}

TEST(ConnectionTable, AHostIsOnePeerWhicheverWayItsAddressIsWritten) {
    EXPECT_EQ(peer_of_ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}), kOne);
    EXPECT_NE(peer_of_ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2}), kOne);
    EXPECT_EQ(peer_of_ipv6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 5}),
              peer_of_ipv6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 6}));
    EXPECT_NE(peer_of_ipv6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 1}),
              peer_of_ipv6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 2}));
}

}  // namespace
}  // namespace lepton::net
