// SPDX-License-Identifier: Apache-2.0
//
// Substitutions, template parameters and arguments, and the declarations of template parameters that generic lambdas
// and template template parameters carry.

import type { ItaniumCursor } from './itanium-cursor.ts';
import { readEncoding } from './itanium-encoding.ts';
import { readExpression, readLiteral } from './itanium-expressions.ts';
import { readAbiTags, readName } from './itanium-names.ts';
import { type ItaniumNode, type ParameterDeclaration, type StandardNode, text } from './itanium-tree.ts';
import { readType } from './itanium-types.ts';

function standard(base: string, writtenOutArguments?: string): StandardNode {
  const expansion =
    writtenOutArguments === undefined
      ? undefined
      : standardNode(`basic_${base}`, `<${writtenOutArguments}>`, undefined);
  return standardNode(base, '', expansion);
}

function standardNode(base: string, argumentText: string, expansion: StandardNode | undefined): StandardNode {
  return { kind: 'standard', text: `std::${base}`, arguments: argumentText, base, expansion };
}

const abbreviations = new Map([
  ['a', standard('allocator')],
  ['b', standard('basic_string')],
  ['s', standard('string', 'char, std::char_traits<char>, std::allocator<char>')],
  ['i', standard('istream', 'char, std::char_traits<char>')],
  ['o', standard('ostream', 'char, std::char_traits<char>')],
  ['d', standard('iostream', 'char, std::char_traits<char>')],
]);

/** `<substitution>`, but for `St`. */
export function readSubstitution(cursor: ItaniumCursor): ItaniumNode {
  cursor.expect('S');
  const abbreviation = abbreviations.get(cursor.peek() ?? '');
  if (abbreviation !== undefined) {
    cursor.position++;
    const tagged = readAbiTags(cursor, abbreviation);
    return tagged === abbreviation ? tagged : cursor.remember(tagged);
  }
  let index = 0;
  if (!cursor.eat('_')) {
    index = cursor.sequence() + 1;
    cursor.expect('_');
  }
  return cursor.substitutions[index] ?? cursor.fail('substitution of a component that did not come yet');
}

const auto = text('auto');

/** `T [L <level> _] [<index>] _`. */
export function readTemplateParameter(cursor: ItaniumCursor): ItaniumNode {
  const start = cursor.position;
  cursor.expect('T');
  let level = 0;
  if (cursor.eat('L')) {
    level = cursor.index() + 1;
    cursor.expect('_');
  }
  let index = 0;
  if (!cursor.eat('_')) {
    index = cursor.index() + 1;
    cursor.expect('_');
  }
  if (cursor.inConstraint) return text(cursor.text.slice(start, cursor.position - 1));
  if (cursor.allowForward && level === 0) {
    const forward: ItaniumNode = { kind: 'forward', index, target: undefined };
    cursor.forwards.push(forward);
    return forward;
  }
  const known = cursor.templateLevels[level]?.[index];
  if (known !== undefined) return known;
  if (cursor.lambdaLevel !== level || level > cursor.templateLevels.length) {
    cursor.fail('template parameter without an argument');
  }
  if (level === cursor.templateLevels.length) cursor.templateLevels.push(undefined);
  return auto;
}

/**
 * `I <template-arg>* [Q <constraint>] E`. With `recorded`, they become what `T_`, `T0_`, … refer to from here on.
 */
export function readTemplateArguments(cursor: ItaniumCursor, recorded = false): ItaniumNode[] {
  cursor.expect('I');
  if (recorded) {
    cursor.outerTemplateArguments = [];
    cursor.templateLevels = [cursor.outerTemplateArguments];
  }
  const templateArguments: ItaniumNode[] = [];
  while (!cursor.eat('E')) {
    if (cursor.eat('Q')) {
      readConstraint(cursor);
      cursor.expect('E');
      break;
    }
    templateArguments.push(recorded ? readRecordedArgument(cursor) : readTemplateArgument(cursor));
  }
  return templateArguments;
}

function readRecordedArgument(cursor: ItaniumCursor): ItaniumNode {
  const { templateLevels, outerTemplateArguments } = cursor;
  const argument = readTemplateArgument(cursor);
  cursor.templateLevels = templateLevels;
  cursor.outerTemplateArguments = outerTemplateArguments;
  if (argument.kind === 'argument-pack') {
    outerTemplateArguments.push({ kind: 'pack', elements: argument.elements });
  } else {
    outerTemplateArguments.push(argument.kind === 'declared-argument' ? argument.argument : argument);
  }
  return argument;
}

/** `<template-arg>`. */
export function readTemplateArgument(cursor: ItaniumCursor): ItaniumNode {
  switch (cursor.peek()) {
    case 'X': {
      cursor.position++;
      const expression = readExpression(cursor);
      cursor.expect('E');
      return expression;
    }
    case 'J': {
      cursor.position++;
      cursor.enter();
      const elements = cursor.list(readTemplateArgument);
      cursor.leave();
      return { kind: 'argument-pack', elements };
    }
    case 'L': {
      // Old compilers wrote `LZ <encoding> E` for a function.
      if (!cursor.eat('LZ')) return readLiteral(cursor);
      const encoding = readEncoding(cursor);
      cursor.expect('E');
      return encoding;
    }
    case 'T': {
      if (!startsParameterDeclaration(cursor)) return readType(cursor);
      cursor.enter();
      readParameterDeclaration(cursor, undefined);
      const argument = readTemplateArgument(cursor);
      cursor.leave();
      return { kind: 'declared-argument', argument };
    }
    default:
      return readType(cursor);
  }
}

/** Whether a `<template-param-decl>` comes next: `Ty`, `Tk`, `Tn`, `Tt`, `Tp`. */
export function startsParameterDeclaration(cursor: ItaniumCursor): boolean {
  if (cursor.peek() !== 'T') return false;
  const form = cursor.peek(1);
  return form === 'y' || form === 'n' || form === 't' || form === 'p' || form === 'k';
}

function inventName(
  cursor: ItaniumCursor,
  prefix: '$T' | '$N' | '$TT',
  declared: ItaniumNode[] | undefined,
): ItaniumNode {
  const index = cursor.inventedNames[prefix]++;
  const name = text(index === 0 ? prefix : `${prefix}${index - 1}`);
  declared?.push(name);
  return name;
}

/** `<template-param-decl>`; the made-up name of the parameter is added to `declared`. */
export function readParameterDeclaration(
  cursor: ItaniumCursor,
  declared: ItaniumNode[] | undefined,
): ParameterDeclaration {
  cursor.enter();
  const declaration = readDeclarationForm(cursor, declared);
  cursor.leave();
  return declaration;
}

function readDeclarationForm(
  cursor: ItaniumCursor,
  declared: ItaniumNode[] | undefined,
): ParameterDeclaration {
  if (cursor.eat('Ty'))
    return { form: 'type', name: inventName(cursor, '$T', declared), constraint: undefined };
  if (cursor.eat('Tk')) {
    const constraint = readName(cursor);
    return { form: 'type', name: inventName(cursor, '$T', declared), constraint };
  }
  if (cursor.eat('Tn')) {
    const name = inventName(cursor, '$N', declared);
    return { form: 'value', name, type: readType(cursor) };
  }
  if (cursor.eat('Tp')) return { form: 'pack', of: readParameterDeclaration(cursor, declared) };
  cursor.expect('Tt');
  const name = inventName(cursor, '$TT', declared);
  const inner: ItaniumNode[] = [];
  const parameters: ItaniumNode[] = [];
  cursor.templateLevels.push(inner);
  while (!cursor.eat('E')) {
    if (cursor.eat('Q')) {
      readConstraint(cursor);
      cursor.expect('E');
      break;
    }
    parameters.push({ kind: 'parameter-declaration', parameter: readParameterDeclaration(cursor, inner) });
  }
  cursor.templateLevels.pop();
  return { form: 'template', name, parameters };
}

/** A constraint expression. The levels of its template parameters are not known, so they are shown as they are coded. */
export function readConstraint(cursor: ItaniumCursor): ItaniumNode {
  const { inConstraint } = cursor;
  cursor.inConstraint = true;
  const constraint = readExpression(cursor);
  cursor.inConstraint = inConstraint;
  return constraint;
}
