#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <vector>

#include "lepton/core/result.h"

namespace autodrive {

// In meters.
struct Point {
    double x = 0;
    double y = 0;
};

struct Pose {
    Point at;
    double heading = 0;  // Radians.
};

// Returns the equivalent angle between -pi and pi.
double wrapped(double angle);

// A closed course between two walls, like autodrive/track.py.
class Track {
public:
    static constexpr double kHalfWidth = 4.0;  // Meters from the center line to either wall.

    // Reads the file of Track.save() in autodrive/track.py: a header, then x,y of equally spaced
    // points. Errors: kInvalidArgument if the file is missing or of another form, with the line.
    static lepton::Result<Track> load(const std::filesystem::path& file);

    struct Place {
        std::size_t point = 0;  // The nearest one of the center line.
        double along = 0;       // Meters along the lap.
        double offset = 0;      // Meters to the left of the center line.
    };
    [[nodiscard]] Place locate(Point point) const;

    [[nodiscard]] std::size_t size() const { return centre_.size(); }
    [[nodiscard]] double spacing() const { return spacing_; }
    [[nodiscard]] double length() const { return spacing_ * static_cast<double>(size()); }
    [[nodiscard]] Pose start() const { return {centre_[0], heading_[0]}; }
    // The left wall and the right one, point by point beside the center line.
    [[nodiscard]] const std::array<std::vector<Point>, 2>& walls() const { return walls_; }

private:
    explicit Track(std::vector<Point> centre);

    std::vector<Point> centre_;
    std::vector<double> heading_;
    std::array<std::vector<Point>, 2> walls_;
    double spacing_ = 0;
};

}  // namespace autodrive
