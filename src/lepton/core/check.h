#pragma once

#include <cstdio>
#include <cstdlib>

// Always on: for a broken invariant after which going on would corrupt a reply.
#define LEPTON_CHECK(condition)                                                                \
    do {                                                                                       \
        if (!(condition)) [[unlikely]] {                                                       \
            std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                      \
        }                                                                                      \
    } while (false)
