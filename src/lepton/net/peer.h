#pragma once

#include <cstdint>
#include <string>

namespace lepton::net {

// By which listener a client came in.
enum class Door : std::uint8_t { kData, kAdmin };

// Who is at the other end of a connection, as far as the system knows.
struct Peer {
    // Stands for the connection where clients take turns or share a queue: another one for each
    // that is open. 0: nobody in particular.
    std::uint64_t number = 0;
    Door door = Door::kData;
    bool on_this_machine = false;  // On a loopback address, or on a Unix socket.
    bool unix_socket = false;
    std::string name;        // "10.0.0.7:51312"; "uid:1000" on a Unix socket.
    std::string reached_at;  // The IP address that it connected to; empty for a Unix socket.
};

inline const Peer kNobody;

}  // namespace lepton::net
