// SPDX-License-Identifier: Apache-2.0

#define WALKER_NAMESPACE arm64
#define WALK_ARM64
#include "stack_walker_body.h"
