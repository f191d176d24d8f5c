// SPDX-License-Identifier: Apache-2.0
//
// The operators: how each is coded, what it is called as a function, and how it is read in an expression.

import { precedences } from './itanium-tree.ts';

/** How the operands of an operator are coded and shown. */
export type OperatorForm =
  | 'binary'
  | 'prefix'
  /** `++` and `--`: postfix, or prefix when `_` follows. */
  | 'step'
  | 'member'
  | 'subscript'
  | 'conditional'
  | 'call'
  | 'new'
  | 'delete'
  | 'conversion'
  | 'cast'
  /** `sizeof` and the like, of a type. */
  | 'of-type'
  /** The same of an expression. */
  | 'of-expression';

export interface Operator {
  readonly form: OperatorForm;
  /** As it stands in an expression, and after `operator` in the name of a function. */
  readonly symbol: string;
  readonly precedence: number;
  /** Whether a function can be called after it. */
  readonly overloadable: boolean;
}

const operators = new Map<string, Operator>();

function define(
  form: OperatorForm,
  precedence: number,
  codes: Readonly<Record<string, string>>,
  overloadable = true,
): void {
  for (const [code, symbol] of Object.entries(codes))
    operators.set(code, { form, symbol, precedence, overloadable });
}

define('call', precedences.postfix, { cl: '()' });
define('call', precedences.postfix, { cp: '()' }, false);
define('subscript', precedences.postfix, { ix: '[]' });
define('step', precedences.postfix, { pp: '++', mm: '--' });
define('member', precedences.postfix, { pt: '->' });
define('member', precedences.postfix, { dt: '.' }, false);
define('member', precedences.pointerToMember, { pm: '->*' });
define('member', precedences.pointerToMember, { ds: '.*' }, false);
define('prefix', precedences.unary, {
  ps: '+',
  ng: '-',
  ad: '&',
  de: '*',
  co: '~',
  nt: '!',
  aw: 'co_await ',
});
define('new', precedences.unary, { nw: 'new', na: 'new[]' });
define('delete', precedences.unary, { dl: 'delete', da: 'delete[]' });
define('of-type', precedences.unary, { st: 'sizeof ', at: 'alignof ' }, false);
define('of-expression', precedences.unary, { sz: 'sizeof ', az: 'alignof ', nx: 'noexcept ' }, false);
define('of-type', precedences.postfix, { ti: 'typeid ' }, false);
define('of-expression', precedences.postfix, { te: 'typeid ' }, false);
define(
  'cast',
  precedences.postfix,
  { dc: 'dynamic_cast', sc: 'static_cast', cc: 'const_cast', rc: 'reinterpret_cast' },
  false,
);
define('conversion', precedences.cast, { cv: '' }, false);
define('binary', precedences.multiplicative, { ml: '*', rm: '%' });
define('binary', precedences.additive, { pl: '+', mi: '-' });
define('binary', precedences.shift, { ls: '<<', rs: '>>' });
define('binary', precedences.spaceship, { ss: '<=>' });
define('binary', precedences.relational, { lt: '<', gt: '>', le: '<=', ge: '>=' });
define('binary', precedences.equality, { eq: '==', ne: '!=' });
define('binary', precedences.and, { an: '&' });
define('binary', precedences.exclusiveOr, { eo: '^' });
define('binary', precedences.inclusiveOr, { or: '|' });
define('binary', precedences.logicalAnd, { aa: '&&' });
define('binary', precedences.logicalOr, { oo: '||' });
define('conditional', precedences.conditional, { qu: '?' });
define('binary', precedences.assignment, { aS: '=', pL: '+=', mI: '-=', mL: '*=', dV: '/=', rM: '%=' });
define('binary', precedences.assignment, { aN: '&=', oR: '|=', eO: '^=', lS: '<<=', rS: '>>=' });
// LLVM puts parentheses around quotients as around assignments; names are the same here and there.
define('binary', precedences.assignment, { dv: '/' });
define('binary', precedences.comma, { cm: ',' });

/** The operator whose code stands at a position of the name. */
export function operatorAt(name: string, position: number): Operator | undefined {
  return operators.get(name.slice(position, position + 2));
}

/** `operator+`, `operator new[]`; undefined for operators that cannot be overloaded. */
export function operatorFunctionName(operator: Operator): string | undefined {
  if (!operator.overloadable) return undefined;
  const symbol = operator.symbol.trimEnd();
  return /^[a-z]/.test(symbol) ? `operator ${symbol}` : `operator${symbol}`;
}
