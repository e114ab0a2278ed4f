#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>

#include "track.h"

namespace autodrive {

inline constexpr double kWheelbase = 2.7;    // Meters.
inline constexpr double kMaxSteering = 0.5;  // Radians at the front wheels.
inline constexpr double kMaxBraking = 6.0;   // m/s^2; what the brakes can do.
inline constexpr double kMaxAcceleration = 3.0;

inline constexpr std::size_t kBeams = 64;
inline constexpr double kMaxRange = 30.0;  // Meters.
// From the first beam, on the right, to the last, on the left; 0 is straight ahead.
inline constexpr double kFirstBeam = -0.75 * std::numbers::pi;

// What the actuators do from the next frame on.
struct Command {
    double steering = 0;      // Radians.
    double acceleration = 0;  // m/s^2.
};

// The sensors' readings, with noise.
struct Reading {
    // Meters; infinity if nothing is in range, NaN if a beam was lost.
    std::array<double, kBeams> ranges{};
    double speed = 0;     // m/s.
    double steering = 0;  // Radians.
};

// One car on a course: autodrive/simulator.py in C++. A command takes effect with the next frame,
// so a drive depends only on its seed as long as every answer is in time. Not thread-safe.
class Simulator {
public:
    // The car is at rest at the start; the track outlives it.
    Simulator(const Track& track, std::uint64_t seed);

    [[nodiscard]] Reading sense();
    // Moves the car by the kinematic bicycle model, with the command in effect.
    void step(double seconds);
    void actuate(Command command);

    [[nodiscard]] const Track& track() const { return track_; }
    [[nodiscard]] const Pose& pose() const { return pose_; }
    [[nodiscard]] double speed() const { return speed_; }
    [[nodiscard]] double steering() const { return steering_; }

private:
    // Returns the distance to the nearest wall in direction `angle`; infinity beyond kMaxRange.
    [[nodiscard]] double cast(double angle, std::size_t nearest_point) const;

    const Track& track_;
    std::mt19937_64 random_;
    Pose pose_;
    double speed_ = 0;
    double steering_ = 0;
    double acceleration_ = 0;
};

}  // namespace autodrive
