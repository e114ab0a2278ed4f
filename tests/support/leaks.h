#pragma once

// LeakSanitizer's function, if it is linked in.
extern "C" __attribute__((weak)) void __lsan_disable();
extern "C" __attribute__((weak)) void __lsan_enable();

namespace lepton::testing {

// Leaks of this thread are ignored while it lives: for libraries that are unloaded together with
// what they never freed, so that no suppression can name them.
class LeaksIgnored {
public:
    LeaksIgnored() {
        if (__lsan_disable != nullptr) __lsan_disable();
    }
    ~LeaksIgnored() {
        if (__lsan_enable != nullptr) __lsan_enable();
    }
    LeaksIgnored(const LeaksIgnored&) = delete;
    LeaksIgnored& operator=(const LeaksIgnored&) = delete;
};

}  // namespace lepton::testing
