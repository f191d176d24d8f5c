// SPDX-License-Identifier: Apache-2.0
//
// A button with a panel below it, which closes when the reader goes elsewhere or presses Escape.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface PopoverProps {
  /** What the button shows. */
  readonly face: ComponentChildren;
  readonly label: string;
  readonly class?: string;
  readonly popup: 'dialog' | 'listbox';
  /** The panel; `close` also gives the focus back to the button. */
  readonly children: (close: () => void) => ComponentChildren;
}

export function Popover({ face, label, class: extraClass, popup, children }: PopoverProps) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!isOpen) return;
    const closeFromOutside = (event: Event): void => {
      if (!box.current!.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', closeFromOutside);
    document.addEventListener('focusin', closeFromOutside);
    return () => {
      document.removeEventListener('pointerdown', closeFromOutside);
      document.removeEventListener('focusin', closeFromOutside);
    };
  }, [isOpen]);
  const keyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && isOpen) {
      event.stopPropagation();
      close();
    } else if (event.key === 'ArrowDown' && !isOpen) {
      event.preventDefault();
      setOpen(true);
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: catches keys of the button and the panel within.
    <div ref={box} class={`popover ${extraClass ?? ''}`} onKeyDown={keyDown}>
      <button
        ref={button}
        type="button"
        class="button popover-button"
        aria-haspopup={popup}
        aria-expanded={isOpen}
        aria-label={label}
        onClick={() => setOpen(!isOpen)}
      >
        {face}
      </button>
      {isOpen && <div class="popover-panel">{children(close)}</div>}
    </div>
  );
}
