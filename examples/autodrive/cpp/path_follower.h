#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "simulator.h"
#include "track.h"

namespace autodrive {

inline constexpr std::size_t kPathPoints = 8;
inline constexpr double kPointSpacing = 3.0;  // Meters along the path between points.

// Points of a path in the frame of the car, meters ahead and to the left; points that the car has
// passed are removed.
class Path {
public:
    Path() = default;
    // The whole path, smoothed: each point moved onto the cubic in the distance along the path that
    // starts at the car and is closest to all.
    explicit Path(std::span<const float, 2 * kPathPoints> planned);

    // Whether the path is usable: it starts ahead of the car, and has no jumps.
    static bool is_plausible(std::span<const float, 2 * kPathPoints> planned);

    [[nodiscard]] std::span<const Point> points() const { return {points_.data(), size_}; }

    // Changes to the view of the car after `way` meters on an arc that turns it by `turn` radians.
    void move(double way, double turn);

private:
    std::array<Point, kPathPoints> points_{};
    std::size_t size_ = 0;
};

// Turns a planned path into steering and acceleration, like autodrive/control.py. Without a new
// path the car goes on along the last one, moved by dead reckoning. Since it drives no faster than
// it could stop within the path that it has, it slows down by itself and stands before the path
// ends. Not thread-safe.
class PathFollower {
public:
    // `period` is the seconds between two frames.
    explicit PathFollower(double period) : period_(period) {}

    // Takes a path that was planned from the current frame.
    void plan(const Path& path) { path_ = path; }
    // Returns the command for the next frame; called once per frame, with the odometry's readings.
    [[nodiscard]] Command follow(double speed, double steering);

    [[nodiscard]] const Path& path() const { return path_; }

private:
    double period_;
    Path path_;
    double steering_ = 0;
};

}  // namespace autodrive
