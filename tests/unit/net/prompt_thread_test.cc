#include "lepton/net/prompt_thread.h"

#include <sched.h>
#include <sys/resource.h>

#include <thread>

#include <gtest/gtest.h>

namespace lepton::net {
namespace {

int niceness() { return ::getpriority(PRIO_PROCESS, 0); }  // Of the thread, on Linux.

template <class Work>
void on_own_thread(Work work) {
    std::thread thread(work);
    thread.join();
}

TEST(PromptThread, IsNeverLessUrgentThanBefore) {
    on_own_thread([] {
        const int before = niceness();
        run_promptly();
        EXPECT_LE(niceness(), before);
        EXPECT_EQ(::sched_getscheduler(0) & ~SCHED_RESET_ON_FORK, SCHED_OTHER);
    });
}

TEST(PromptThread, ThreadsThatItStartsAreOrdinary) {
    on_own_thread([] {
        const int before = niceness();
        run_promptly();
        on_own_thread([before] { EXPECT_GE(niceness(), before); });
    });
}

TEST(PromptThread, LeavesAPolicyAloneThatWasChosen) {
    on_own_thread([] {
        const sched_param none{};
        ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
        const int before = niceness();
        run_promptly();
        EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
        EXPECT_EQ(niceness(), before);
    });
}

TEST(PromptThread, LeavesANicenessAloneThatWasChosen) {
    on_own_thread([] {
        ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, niceness() + 3), 0);
        const int chosen = niceness();
        run_promptly();
        EXPECT_EQ(niceness(), chosen);
    });
}

}  // namespace
}  // namespace lepton::net
