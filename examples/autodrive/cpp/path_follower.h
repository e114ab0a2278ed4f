#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "simulator.h"
#include "track.h"

namespace autodrive {

inline constexpr std::size_t kPathPoints = 8;
inline constexpr double kPointSpacing = 3.0;  // Metres along the path from one to the next.

// Points of a path in the frame of the car, metres ahead and to the left; those that were passed
// are gone.
class Path {
public:
    Path() = default;
    // The whole path, smoothed: each point moved onto the cubic, in the distance along, that starts
    // at the car and is closest to all.
    explicit Path(std::span<const float, 2 * kPathPoints> planned);

    // Whether it is one at all: starts ahead of the car, and has no jumps.
    static bool is_plausible(std::span<const float, 2 * kPathPoints> planned);

    [[nodiscard]] std::span<const Point> points() const { return {points_.data(), size_}; }

    // Seen from where the car is after `way` metres on an arc that turns it by `turn` radians.
    void move(double way, double turn);

private:
    std::array<Point, kPathPoints> points_{};
    std::size_t size_ = 0;
};

// From a planned path to steering and acceleration, as autodrive/control.py has it. Without a new
// path the car goes on along the last one, moved by dead reckoning; since it drives no faster than
// it could stop within the path that it has, it slows down by itself and stands before the path
// ends. Not thread-safe.
class PathFollower {
public:
    // Seconds between two frames.
    explicit PathFollower(double period) : period_(period) {}

    // Takes a path, as planned from the present frame.
    void plan(const Path& path) { path_ = path; }
    // The command for the next frame; called once per frame, with what the odometry says.
    [[nodiscard]] Command follow(double speed, double steering);

    [[nodiscard]] const Path& path() const { return path_; }

private:
    double period_;
    Path path_;
    double steering_ = 0;
};

}  // namespace autodrive
