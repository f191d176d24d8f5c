// SPDX-License-Identifier: Apache-2.0
//
// How much memory the tools that look at stored blocks may take.

const MIB = 1024 * 1024;

/** Of SQL; beyond it is spilled to disk. */
export const BLOCK_TOOL_MEMORY_BYTES = 512 * MIB;
/** Of the symbols of one export. */
export const EXPORT_SYMBOL_BYTES = 1024 * MIB;
