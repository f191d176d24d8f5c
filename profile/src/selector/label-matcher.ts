// SPDX-License-Identifier: Apache-2.0
//
// One condition on one label. It is data as well as a function: a store that has a query language of its own translates
// it instead of calling it.

export type MatchOperator = '=' | '!=' | '=~' | '!~';

export interface LabelMatcher {
  readonly name: string;
  readonly operator: MatchOperator;
  /** A literal, or a fully anchored regular expression in RE2's syntax. */
  readonly value: string;
  /** A series that does not have the label has the value ''. */
  matches(value: string): boolean;
}

const PLAIN_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The matcher as a part of a selector, `a=~"b.*"`. */
export function formatMatcher({ name, operator, value }: Omit<LabelMatcher, 'matches'>): string {
  return `${PLAIN_NAME.test(name) ? name : JSON.stringify(name)}${operator}${JSON.stringify(value)}`;
}
