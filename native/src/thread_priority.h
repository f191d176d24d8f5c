// SPDX-License-Identifier: Apache-2.0
//
// The priority of the threads that must be quick on a machine whose CPUs are all busy.

#pragma once

#include <chrono>

namespace hearthscope {

// Ahead of ordinary threads where that is permitted; a wish, without which only latency suffers.
void prefer_this_thread();

// The thread that serves process events runs before every ordinary one (SCHED_FIFO, lowest of its priorities), as a
// process it is told of may be over in a millisecond. Never for long: once it has used its share of a window it
// goes on as a preferred ordinary thread, until the next window.
class UrgentThread {
public:
  static constexpr std::chrono::milliseconds kWindow{100};
  static constexpr std::chrono::milliseconds kShare{25};

  void start();
  // To be called after each piece of work that takes well below a millisecond.
  void check();

private:
  using Nanos = std::chrono::nanoseconds;

  void set_urgent(bool urgent);

  bool active_ = false; // this thread was started as urgent
  bool urgent_ = false;
  Nanos window_start_{0};
  Nanos cpu_at_window_start_{0};
};

// That of the calling thread. Does nothing on a thread that was not started as urgent.
UrgentThread &urgent_thread();

} // namespace hearthscope
