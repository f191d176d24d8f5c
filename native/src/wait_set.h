// SPDX-License-Identifier: Apache-2.0
//
// What a thread of the sampler sleeps on: an eventfd by which it is woken, and rings.

#pragma once

#include <initializer_list>

namespace hearthscope {

// An epoll descriptor for these; negative when that failed (errno).
int wait_set(std::initializer_list<int> descriptors);

// Sleeps until something is ready or the time is over (-1: without end), and resets the eventfd.
void wait_for_any(int epoll_descriptor, int wake_descriptor, int timeout_millis);

} // namespace hearthscope
