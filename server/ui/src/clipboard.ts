// SPDX-License-Identifier: Apache-2.0
//
// Copying text. Browsers offer the clipboard to secure pages only; a server reached by plain HTTP under another name
// than localhost is none, so there the old way is taken.

/** Resolves to whether the text was copied. */
export async function copyText(text: string): Promise<boolean> {
  if (isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // The reader has forbidden it; the old way may still be allowed.
    }
  }
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'visually-hidden';
  document.body.append(field);
  const focused = document.activeElement;
  field.select();
  const isCopied = document.execCommand('copy');
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
