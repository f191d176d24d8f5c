// SPDX-License-Identifier: Apache-2.0

#include "wait_set.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace hearthscope {

int wait_set(std::initializer_list<int> descriptors) {
  int epoll_descriptor = epoll_create1(EPOLL_CLOEXEC);
  for (int descriptor : descriptors) {
    epoll_event interest{};
    interest.events = EPOLLIN;
    interest.data.fd = descriptor;
    if (epoll_descriptor >= 0 && epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, descriptor, &interest)) {
      close(epoll_descriptor);
      return -1;
    }
  }
  return epoll_descriptor;
}

void wait_for_any(int epoll_descriptor, int wake_descriptor, int timeout_millis) {
  epoll_event ready[2];
  epoll_wait(epoll_descriptor, ready, 2, timeout_millis);
  eventfd_t ignored;
  eventfd_read(wake_descriptor, &ignored);
}

} // namespace hearthscope
