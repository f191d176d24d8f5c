// SPDX-License-Identifier: Apache-2.0
//
// What stands where the graph would be: why there is none, and what to do.

import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icons.tsx';

export interface NoticeProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children: ComponentChildren;
  readonly tone?: 'calm' | 'alert';
}

export function Notice({ icon, title, children, tone = 'calm' }: NoticeProps) {
  return (
    <section class={`notice is-${tone}`} role={tone === 'alert' ? 'alert' : 'status'}>
      <span class="notice-icon">
        <Icon name={icon} />
      </span>
      <h2>{title}</h2>
      <div class="notice-body">{children}</div>
    </section>
  );
}
