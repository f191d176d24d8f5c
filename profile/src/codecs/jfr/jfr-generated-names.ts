// SPDX-License-Identifier: Apache-2.0
//
// Names that a virtual machine or a library makes up anew in each process: numbered classes of lambdas, accessors and
// proxies, and libraries unpacked under random names. The varying part becomes `_`, as Pyroscope has it, or the same
// code of two processes would never add up.

interface GeneratedName {
  /** Most names have none of these words, and are done after a search for them. */
  readonly word: string;
  readonly pattern: RegExp;
  readonly replacement: string;
}

const TEMPORARY = String.raw`(?:\.?/tmp/)?`;
const DELETED = String.raw`(?: \(deleted\))?`;

const GENERATED_NAMES: readonly GeneratedName[] = [
  {
    // jdk/internal/reflect/GeneratedMethodAccessor31
    word: 'jdk/internal/reflect/GeneratedMethodAccessor',
    pattern: /^(jdk\/internal\/reflect\/GeneratedMethodAccessor)\d+$/,
    replacement: '$1_',
  },
  {
    // a/B$$Lambda$8/0x0000000800c01220, a/B$$Lambda.0x00007ffa600c4da0, a/B$$Lambda17, and as the JDK itself records
    // them: a.B$$Lambda$94+0x00007f6364008800/502800944
    word: '$$Lambda',
    pattern: /^(.+\$\$Lambda)(?:\$?\d*[.+/](?:0x)?[\da-f]+(?:\/\d+)?|\d+)$/,
    replacement: '$1_',
  },
  {
    word: 'libzstd-jni-',
    pattern: new RegExp(String.raw`^${TEMPORARY}libzstd-jni-\d+\.\d+\.\d+-\d+\.so${DELETED}$`),
    replacement: 'libzstd-jni-_.so',
  },
  {
    word: 'amazonCorrettoCryptoProvider',
    pattern: new RegExp(
      String.raw`^${TEMPORARY}(?:lib)?amazonCorrettoCryptoProvider(?:NativeLibraries\.)?[0-9a-f]{16}(?:/libcrypto|/libamazonCorrettoCryptoProvider)?\.so${DELETED}$`,
    ),
    replacement: 'libamazonCorrettoCryptoProvider_.so',
  },
  {
    // One build of the Java agent; other builds keep their names, as they do in Pyroscope.
    word: 'libasyncProfiler-',
    pattern: new RegExp(
      String.raw`^${TEMPORARY}libasyncProfiler-(?:linux-arm64|linux-musl-x64|linux-x64|macos)-17b9a1d8156277a98ccc871afa9a8f69215f92\.so${DELETED}$`,
    ),
    replacement: 'libasyncProfiler-_.so',
  },
  {
    word: '$$EnhancerBySpringCGLIB$$',
    pattern: /^(.+\$\$EnhancerBySpringCGLIB\$\$).*$/,
    replacement: '$1_',
  },
];

/** The name of a class, a method or a library, the same for each process. */
export function stableName(name: string): string {
  let stable = name;
  for (const { word, pattern, replacement } of GENERATED_NAMES) {
    if (stable.includes(word)) stable = stable.replace(pattern, replacement);
  }
  return stable;
}
