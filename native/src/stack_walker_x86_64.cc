// SPDX-License-Identifier: Apache-2.0

#define WALKER_NAMESPACE x86_64
#define WALK_X86_64
#include "stack_walker_body.h"
