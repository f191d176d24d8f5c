// SPDX-License-Identifier: Apache-2.0

#include "thread_priority.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <pthread.h>
#include <sched.h>

namespace hearthscope {
namespace {

constexpr int kPreferredNiceness = -10;

std::chrono::nanoseconds now_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

} // namespace

void prefer_this_thread() { setpriority(PRIO_PROCESS, gettid(), kPreferredNiceness); }

void UrgentThread::start() {
  active_ = true;
  prefer_this_thread();
  set_urgent(true);
  window_start_ = now_of(CLOCK_MONOTONIC);
  cpu_at_window_start_ = now_of(CLOCK_THREAD_CPUTIME_ID);
}

void UrgentThread::set_urgent(bool urgent) {
  sched_param parameters{};
  parameters.sched_priority = urgent ? sched_get_priority_min(SCHED_FIFO) : 0;
  pthread_setschedparam(pthread_self(), urgent ? SCHED_FIFO : SCHED_OTHER, &parameters);
  urgent_ = urgent;
}

void UrgentThread::check() {
  if (!active_)
    return;
  Nanos now = now_of(CLOCK_MONOTONIC);
  Nanos cpu = now_of(CLOCK_THREAD_CPUTIME_ID);
  if (now - window_start_ >= kWindow) {
    window_start_ = now;
    cpu_at_window_start_ = cpu;
    if (!urgent_)
      set_urgent(true);
  } else if (urgent_ && cpu - cpu_at_window_start_ > kShare) {
    set_urgent(false);
  }
}

UrgentThread &urgent_thread() {
  thread_local UrgentThread thread;
  return thread;
}

} // namespace hearthscope
