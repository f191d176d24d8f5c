// SPDX-License-Identifier: Apache-2.0
//
// Expressions, which stand in template arguments, decltype, noexcept and constraints.

import type { ItaniumCursor } from './itanium-cursor.ts';
import { readEncoding } from './itanium-encoding.ts';
import { readFloatingLiteral } from './itanium-floating-literals.ts';
import {
  readName,
  readOperatorName,
  readQualifiers,
  readSourceName,
  readUnnamedTypeName,
} from './itanium-names.ts';
import { type Operator, operatorAt } from './itanium-operators.ts';
import {
  readSubstitution,
  readTemplateArgument,
  readTemplateArguments,
  readTemplateParameter,
} from './itanium-templates.ts';
import { type ItaniumNode, precedences, type Requirement, text } from './itanium-tree.ts';
import { readDecltype, readType } from './itanium-types.ts';

/** `<expression>`. */
export function readExpression(cursor: ItaniumCursor): ItaniumNode {
  cursor.enter();
  const global = cursor.eat('gs');
  const operator = operatorAt(cursor.text, cursor.position);
  let expression: ItaniumNode;
  if (operator !== undefined) {
    const array = cursor.peek(1) === 'a';
    cursor.position += 2;
    expression = readOperation(cursor, operator, global, array);
  } else {
    expression = readOperand(cursor, global);
  }
  cursor.leave();
  return expression;
}

/** The operands of an operator that was just read. */
function readOperation(
  cursor: ItaniumCursor,
  operator: Operator,
  global: boolean,
  array: boolean,
): ItaniumNode {
  const { symbol, precedence } = operator;
  switch (operator.form) {
    case 'binary':
    case 'member': {
      const left = readExpression(cursor);
      const right = readExpression(cursor);
      return { kind: operator.form, operator: symbol, left, right, precedence };
    }
    case 'prefix':
      return { kind: 'prefix', operator: symbol, operand: readExpression(cursor), precedence };
    case 'step':
      if (cursor.eat('_'))
        return { kind: 'prefix', operator: symbol, operand: readExpression(cursor), precedence };
      return { kind: 'postfix', operator: symbol, operand: readExpression(cursor) };
    case 'subscript': {
      const base = readExpression(cursor);
      return { kind: 'subscript', array: base, index: readExpression(cursor) };
    }
    case 'conditional': {
      const condition = readExpression(cursor);
      const then = readExpression(cursor);
      return { kind: 'conditional', condition, then, otherwise: readExpression(cursor) };
    }
    case 'call': {
      const callee = readExpression(cursor);
      const operands = cursor.list(readExpression);
      return { kind: 'call', callee: operator.overloadable ? callee : parenthesized(callee), operands };
    }
    case 'new':
      return readNew(cursor, global, array);
    case 'delete':
      return { kind: 'delete', global, array, operand: readExpression(cursor) };
    case 'conversion':
      return readConversion(cursor);
    case 'cast': {
      const type = readType(cursor);
      return { kind: 'cast', cast: symbol, type, operand: readExpression(cursor) };
    }
    case 'of-type':
      return { kind: 'enclosed', prefix: symbol, operand: readType(cursor), precedence };
    case 'of-expression':
      return { kind: 'enclosed', prefix: symbol, operand: readExpression(cursor), precedence };
  }
}

/** A callee in parentheses, which keeps argument-dependent lookup away. */
function parenthesized(operand: ItaniumNode): ItaniumNode {
  return { kind: 'enclosed', prefix: '', operand, precedence: precedences.primary };
}

/** `<expression>* _ <type> (E | pi <expression>* E)`. */
function readNew(cursor: ItaniumCursor, global: boolean, array: boolean): ItaniumNode {
  const placement = cursor.list(readExpression, '_');
  const type = readType(cursor);
  let initializers: ItaniumNode[] = [];
  if (cursor.eat('pi')) initializers = cursor.list(readExpression);
  else cursor.expect('E');
  return { kind: 'new', global, array, placement, type, initializers };
}

/** `<type> <expression>` or `<type> _ <expression>* E`. */
function readConversion(cursor: ItaniumCursor): ItaniumNode {
  const { typesTakeArguments } = cursor;
  cursor.typesTakeArguments = false;
  const type = readType(cursor);
  cursor.typesTakeArguments = typesTakeArguments;
  const operands = cursor.eat('_') ? cursor.list(readExpression) : [readExpression(cursor)];
  return { kind: 'conversion', type, operands };
}

/** Everything that no operator begins. */
function readOperand(cursor: ItaniumCursor, global: boolean): ItaniumNode {
  const second = cursor.peek(1);
  switch (cursor.peek()) {
    case 'L':
      return readLiteral(cursor);
    case 'T':
      return readTemplateParameter(cursor);
    case 'f':
      return followsFunctionParameter(cursor) ? readFunctionParameter(cursor) : readFold(cursor);
    case 'i':
      if (!cursor.eat('il')) break;
      return { kind: 'braces', type: undefined, elements: cursor.list(readBracedExpression) };
    case 't':
      return readExpressionWithT(cursor);
    case 'm':
      if (cursor.eat('mc')) return readMemberPointerConversion(cursor);
      break;
    case 'r':
      if (second === 'q' || second === 'Q') return readRequires(cursor);
      break;
    case 's':
      if (second === 'r') break;
      return readExpressionWithS(cursor);
    case 'u':
      return readVendorExpression(cursor);
  }
  return readUnresolvedName(cursor, global);
}

function readExpressionWithT(cursor: ItaniumCursor): ItaniumNode {
  if (cursor.eat('tl')) {
    const type = readType(cursor);
    return { kind: 'braces', type, elements: cursor.list(readBracedExpression) };
  }
  if (cursor.eat('tr')) return text('throw');
  cursor.expect('tw');
  return { kind: 'throw', operand: readExpression(cursor) };
}

function readExpressionWithS(cursor: ItaniumCursor): ItaniumNode {
  if (cursor.eat('sp')) return { kind: 'expansion', pattern: readExpression(cursor) };
  if (cursor.eat('so')) return readSubobject(cursor);
  if (cursor.eat('sP')) {
    const elements = cursor.list(readTemplateArgument);
    return sizeofPack({ kind: 'argument-pack', elements });
  }
  cursor.expect('sZ');
  if (cursor.peek() === 'T') return { kind: 'sizeof-pack', pack: readTemplateParameter(cursor) };
  return sizeofPack(readFunctionParameter(cursor));
}

function sizeofPack(operand: ItaniumNode): ItaniumNode {
  return { kind: 'enclosed', prefix: 'sizeof... ', operand, precedence: precedences.primary };
}

/** `mc <type> <expression> [<offset>] E`. */
function readMemberPointerConversion(cursor: ItaniumCursor): ItaniumNode {
  const type = readType(cursor);
  const operand = readExpression(cursor);
  cursor.number(true);
  cursor.expect('E');
  return { kind: 'conversion', type, operands: [operand] };
}

/** `so <type> <expression> [<offset>] (_ [<number>])* [p] E`. */
function readSubobject(cursor: ItaniumCursor): ItaniumNode {
  const type = readType(cursor);
  const object = readExpression(cursor);
  const offset = cursor.number(true);
  while (cursor.eat('_')) cursor.number();
  cursor.eat('p');
  cursor.expect('E');
  return { kind: 'subobject', object, type, offset };
}

/** `u <source-name> <template-arg>* E`. */
function readVendorExpression(cursor: ItaniumCursor): ItaniumNode {
  cursor.expect('u');
  const name = cursor.sourceText();
  if (name === '__uuidof') {
    // Clang's older coding has no list here.
    if (cursor.eat('t')) return { kind: 'call', callee: text(name), operands: [readType(cursor)] };
    if (cursor.eat('z')) return { kind: 'call', callee: text(name), operands: [readExpression(cursor)] };
  }
  return { kind: 'call', callee: text(name), operands: cursor.list(readTemplateArgument) };
}

/** `<braced-expression>`: an expression, perhaps with a designator. */
function readBracedExpression(cursor: ItaniumCursor): ItaniumNode {
  if (cursor.peek() !== 'd') return readExpression(cursor);
  cursor.enter();
  let field: ItaniumNode | undefined;
  let index: ItaniumNode | undefined;
  let last: ItaniumNode | undefined;
  if (cursor.eat('di')) {
    field = readSourceName(cursor);
  } else if (cursor.eat('dx')) {
    index = readExpression(cursor);
  } else if (cursor.eat('dX')) {
    index = readExpression(cursor);
    last = readExpression(cursor);
  } else {
    cursor.leave();
    return readExpression(cursor);
  }
  const value = readBracedExpression(cursor);
  cursor.leave();
  return { kind: 'designated', field, index, last, value };
}

function followsFunctionParameter(cursor: ItaniumCursor): boolean {
  const second = cursor.peek(1);
  if (second === 'p') return true;
  const third = cursor.peek(2);
  return second === 'L' && third !== undefined && third >= '0' && third <= '9';
}

/** `fp [<qualifiers>] [<number>] _`, `fL <level> p …`, `fpT`. */
function readFunctionParameter(cursor: ItaniumCursor): ItaniumNode {
  if (cursor.eat('fpT')) return text('this');
  if (cursor.eat('fL')) {
    cursor.index();
    cursor.expect('p');
  } else {
    cursor.expect('fp');
  }
  readQualifiers(cursor);
  const number = cursor.number();
  cursor.expect('_');
  return text(`fp${number}`);
}

/** `f (l|r|L|R) <operator> <expression> [<expression>]`. */
function readFold(cursor: ItaniumCursor): ItaniumNode {
  cursor.expect('f');
  const form = cursor.peek() ?? '';
  if (!'lrLR'.includes(form) || form === '') cursor.fail('fold expected');
  const operator = operatorAt(cursor.text, cursor.position + 1);
  const folds = operator?.form === 'binary' || (operator?.form === 'member' && operator.symbol.endsWith('*'));
  if (operator === undefined || !folds) return cursor.fail('binary operator expected');
  cursor.position += 3;
  const first = readExpression(cursor);
  const second = form === 'L' || form === 'R' ? readExpression(cursor) : undefined;
  const left = form === 'l' || form === 'L';
  const [pack, initial] = left && second !== undefined ? [second, first] : [first, second];
  return { kind: 'fold', left, operator: operator.symbol, pack, initial };
}

/** `rq <requirement>+ E` or `rQ <type>+ _ <requirement>+ E`. */
function readRequires(cursor: ItaniumCursor): ItaniumNode {
  let parameters: ItaniumNode[] = [];
  if (cursor.eat('rQ')) parameters = cursor.list(readType, '_');
  else cursor.expect('rq');
  return { kind: 'requires', parameters, requirements: cursor.list(readRequirement) };
}

function readRequirement(cursor: ItaniumCursor): Requirement {
  if (cursor.eat('X')) {
    const expression = readExpression(cursor);
    const noexcept = cursor.eat('N');
    const constraint = cursor.eat('R') ? readName(cursor) : undefined;
    return { form: 'expression', expression, noexcept, constraint };
  }
  if (cursor.eat('T')) return { form: 'type', type: readType(cursor) };
  cursor.expect('Q');
  return { form: 'nested', constraint: readExpression(cursor) };
}

/** `<unresolved-name>`: a name that depends on template parameters. */
function readUnresolvedName(cursor: ItaniumCursor, global: boolean): ItaniumNode {
  let scope: ItaniumNode | undefined;
  if (cursor.eat('srN')) {
    scope = readUnresolvedTemplate(cursor);
    while (!cursor.eat('E')) scope = { kind: 'nested', scope, name: readSimpleId(cursor) };
  } else if (cursor.eat('sr')) {
    if (cursor.nextIsDigit) {
      do {
        const name = readSimpleId(cursor);
        scope = scope === undefined ? globalName(name, global) : { kind: 'nested', scope, name };
      } while (!cursor.eat('E'));
    } else {
      scope = readUnresolvedTemplate(cursor);
    }
  }
  const name = readBaseUnresolvedName(cursor);
  return scope === undefined ? globalName(name, global) : { kind: 'nested', scope, name };
}

function globalName(name: ItaniumNode, global: boolean): ItaniumNode {
  return global ? { kind: 'prefixed', prefix: '::', name } : name;
}

/** `<unresolved-type> [<template-args>]`. */
function readUnresolvedTemplate(cursor: ItaniumCursor): ItaniumNode {
  return withTemplateArguments(cursor, readUnresolvedType(cursor));
}

function withTemplateArguments(cursor: ItaniumCursor, name: ItaniumNode): ItaniumNode {
  if (cursor.peek() !== 'I') return name;
  return { kind: 'template', name, arguments: readTemplateArguments(cursor) };
}

function readUnresolvedType(cursor: ItaniumCursor): ItaniumNode {
  if (cursor.peek() === 'T') return cursor.remember(readTemplateParameter(cursor));
  if (cursor.sees('Dt') || cursor.sees('DT')) return cursor.remember(readDecltype(cursor));
  return readSubstitution(cursor);
}

/** `<source-name> [<template-args>]`. */
function readSimpleId(cursor: ItaniumCursor): ItaniumNode {
  return withTemplateArguments(cursor, readSourceName(cursor));
}

function readBaseUnresolvedName(cursor: ItaniumCursor): ItaniumNode {
  if (cursor.nextIsDigit) return readSimpleId(cursor);
  if (cursor.eat('dn')) {
    const name = cursor.nextIsDigit ? readSimpleId(cursor) : readUnresolvedType(cursor);
    return { kind: 'prefixed', prefix: '~', name };
  }
  cursor.eat('on');
  return withTemplateArguments(cursor, readOperatorName(cursor, undefined));
}

/** What a literal's type is shown as: short ones after the value, long ones before it. */
const literalTypes = new Map([
  ['w', 'wchar_t'],
  ['c', 'char'],
  ['a', 'signed char'],
  ['h', 'unsigned char'],
  ['s', 'short'],
  ['t', 'unsigned short'],
  ['i', ''],
  ['j', 'u'],
  ['l', 'l'],
  ['m', 'ul'],
  ['x', 'll'],
  ['y', 'ull'],
  ['n', '__int128'],
  ['o', 'unsigned __int128'],
]);

/** `<expr-primary>`. */
export function readLiteral(cursor: ItaniumCursor): ItaniumNode {
  cursor.expect('L');
  const next = cursor.peek() ?? '';
  const type = literalTypes.get(next);
  if (type !== undefined) {
    cursor.position++;
    return { kind: 'integer', type, value: readValue(cursor) };
  }
  switch (next) {
    case 'b':
      if (cursor.eat('b0E')) return text('false');
      if (cursor.eat('b1E')) return text('true');
      return cursor.fail('boolean expected');
    case 'f':
    case 'd':
    case 'e':
      return readFloatingLiteral(cursor);
    case '_': {
      cursor.expect('_Z');
      const encoding = readEncoding(cursor);
      cursor.expect('E');
      return encoding;
    }
    case 'A': {
      const stringType = readType(cursor);
      cursor.expect('E');
      return { kind: 'string-literal', type: stringType };
    }
    case 'D':
      if (!cursor.eat('Dn')) break;
      cursor.eat('0');
      cursor.expect('E');
      return text('nullptr');
    case 'T':
      return cursor.fail('literal of a template parameter');
    case 'U': {
      const closure = readUnnamedTypeName(cursor, undefined);
      cursor.expect('E');
      return { kind: 'lambda-expression', closure };
    }
  }
  return { kind: 'typed-literal', type: readType(cursor), value: readValue(cursor) };
}

function readValue(cursor: ItaniumCursor): string {
  const value = cursor.number(true);
  if (value === '') cursor.fail('value expected');
  cursor.expect('E');
  return value.startsWith('n') ? `-${value.slice(1)}` : value;
}
