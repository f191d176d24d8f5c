// SPDX-License-Identifier: Apache-2.0
//
// In which language the profiled program is written: some profiles need repairs that are right for one language alone. The
// agent's name tells it; without one, the first string of the profile that looks like a file or package of some language.

import type { Label } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';

export type Language = 'go' | 'java' | 'ruby' | 'nodejs' | 'dotnet' | 'python' | 'rust' | 'php' | 'unknown';

const SPY_LABEL = 'pyroscope_spy';

const LANGUAGE_OF_SPY: Readonly<Record<string, Language>> = {
  dotnetspy: 'dotnet',
  gospy: 'go',
  phpspy: 'php',
  pyspy: 'python',
  rbspy: 'ruby',
  nodespy: 'nodejs',
  javaspy: 'java',
  'grafana-agent.java': 'java',
  'pyroscope-rs': 'rust',
};

/** What a string of the profile may start or end with, asked in this order. */
const SIGNS: readonly (readonly [Language, readonly string[]])[] = [
  ['go', ['.go', '/usr/local/go/']],
  ['java', ['java/', 'sun/']],
  ['ruby', ['.rb', 'gems/']],
  ['nodejs', ['./node_modules/', '.js']],
  ['dotnet', ['System.', 'Microsoft.']],
  ['python', ['.py']],
  ['rust', ['main.rs', 'core.rs']],
];

export function profileLanguage(labels: readonly Label[], { strings }: Profile): Language {
  const spy = labels.find(({ name }) => name === SPY_LABEL)?.value ?? '';
  if (Object.hasOwn(LANGUAGE_OF_SPY, spy)) return LANGUAGE_OF_SPY[spy]!;
  for (const text of strings) {
    for (const [language, signs] of SIGNS) {
      if (signs.some((sign) => text.startsWith(sign) || text.endsWith(sign))) return language;
    }
  }
  return 'unknown';
}
