// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Assertions on layouts that C (BPF) and C++ (the addon) share.

#ifndef HEARTHSCOPE_LAYOUT_ASSERT_H
#define HEARTHSCOPE_LAYOUT_ASSERT_H

#ifdef __cplusplus
#define LAYOUT_ASSERT static_assert
#include <cstddef>
#define MEMBER_OFFSET offsetof
#else
#define LAYOUT_ASSERT _Static_assert
#define MEMBER_OFFSET __builtin_offsetof
#endif

#endif
