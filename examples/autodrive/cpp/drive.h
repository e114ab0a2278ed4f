#pragma once

#include <filesystem>
#include <ostream>
#include <vector>

#include "autodrive_ai.h"
#include "simulator.h"

namespace autodrive {

// One frame of a drive.
struct Moment {
    double seconds = 0;  // Since the drive began.
    Pose pose;
    double speed = 0;
    double steering = 0;
    double along = 0;   // Meters driven along the center line.
    double offset = 0;  // Meters to the left of it.
    Decision decision;
};

struct DriveOptions {
    double hz = 30;
    std::chrono::duration<double, std::milli> deadline{20};
    double laps = 1;       // Ends after this many,
    double seconds = 300;  // or after this time, or at a wall.
};

struct Drive {
    std::vector<Moment> moments;  // Never empty.
    bool touched = false;         // Whether it ended at a wall.
};

// Runs the closed loop in real time. Frames are due at fixed times and stamped with these: if the
// program falls behind, the frame gets older, and nothing is left out of the latencies.
[[nodiscard]] Drive drive(AutodriveAI& ai, Simulator& car, const DriveOptions& options);

// Prints the figures, as run.py does.
void report(const Drive& drive, const Track& track, const DriveOptions& options, std::ostream& out);

// Writes a line per frame, as run.py does; returns false if the file cannot be written.
[[nodiscard]] bool save(const Drive& drive, const std::filesystem::path& file);

}  // namespace autodrive
