#pragma once

namespace lepton::net {

// Asks the kernel to let the calling thread run as soon as it has something to do, also where an
// engine computes on the same core: a refusal takes 0.1 ms of work, but would wait for the end of
// the engine's time slice, 3 to 4 ms. For threads that mostly sleep.
//
// As far as it may: a short time slice is anybody's right, a higher weight (nice -10) takes
// CAP_SYS_NICE or a limit that allows it. Only with both is the wait gone on a core that is never
// idle. Leaves a policy or a niceness alone that somebody chose for the process, and is not
// inherited by threads that this one starts.
void run_promptly();

}  // namespace lepton::net
