// SPDX-License-Identifier: Apache-2.0
//
// Files of the reader's own machine: gives one in the browser's own way, and takes the bytes of one.

import type { ExportedFile } from './api/exports.ts';

/** How long the browser may take to start reading what it was given. */
const KEEP_MILLIS = 60_000;

export function saveFile({ name, content }: ExportedFile): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), KEEP_MILLIS);
}

/** The bytes of a file in base64.
 * @throws DOMException when it cannot be read any more */
export function base64Of(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(reader.error);
    reader.onload = () => {
      const address = reader.result as string;
      // An empty file has no comma in some browsers.
      resolve(address.includes(',') ? address.slice(address.indexOf(',') + 1) : '');
    };
    reader.readAsDataURL(file);
  });
}
