#pragma once

#include <cstdint>
#include <string>

namespace lepton::net {

// By which listener a client came in.
enum class Door : std::uint8_t { kData, kAdmin };

// Who is at the other end of a connection, as far as the system knows.
struct Peer {
    Door door = Door::kData;
    bool on_this_machine = false;  // On a loopback address, or on a Unix socket.
    bool unix_socket = false;
    std::string name;        // "10.0.0.7:51312"; "uid:1000" on a Unix socket.
    std::string reached_at;  // The IP address that it connected to; empty for a Unix socket.
};

inline const Peer kNobody;

}  // namespace lepton::net
