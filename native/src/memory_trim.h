// SPDX-License-Identifier: Apache-2.0
//
// Gives back what a start or another burst of work has left resident. An agent starts once and then runs for months with
// a fraction of the code and memory that its start took.

#pragma once

namespace hearthscope {

// Free memory of malloc goes back to the kernel, and read-only segments of the program and its libraries leave this
// process's page tables; what of them is still used comes back from the page cache with a minor fault. Locked memory
// stays. Takes a few ms.
void trim_memory();

} // namespace hearthscope
