#include "lepton/core/stations.h"

namespace lepton {

std::array<Stretch, kStationCount> stretches_of(const Timeline& t) {
    std::array<Stretch, kStationCount> stretches{{{"read", t.begun},
                                                  {"decode", t.received},
                                                  {"admit", t.decoded},
                                                  {"queue", t.admitted},
                                                  {"gather", t.dispatched},
                                                  {"compute", t.compute_start},
                                                  {"encode", t.compute_end},
                                                  {"write", t.encoded}}};
    Clock::time_point next = t.written;
    for (std::size_t i = stretches.size(); i-- > 0;) {
        Stretch& stretch = stretches[i];
        const bool reached = stretch.begin != Clock::time_point{} && stretch.begin <= next;
        stretch.end = reached ? next : stretch.begin;
        if (reached) next = stretch.begin;
    }
    return stretches;
}

}  // namespace lepton
