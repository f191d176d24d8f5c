// SPDX-License-Identifier: Apache-2.0
//
// The outermost rules of the Itanium C++ ABI's mangling: a whole name, functions with their signature, and the special
// names (tables, guards, thunks).

import { ItaniumCursor } from './itanium-cursor.ts';
import { type NameState, readModules, readName } from './itanium-names.ts';
import { readConstraint, readTemplateArgument } from './itanium-templates.ts';
import { type ItaniumNode, qualifier } from './itanium-tree.ts';
import { readType } from './itanium-types.ts';

/**
 * Reads a whole mangled name: `_Z…`, with one more underscore where the platform adds it, `___Z…_block_invoke` for
 * blocks, and the suffix that a compiler adds for a part or copy of a function.
 * @throws FormatError when it is damaged or something follows.
 */
export function readItaniumName(name: string): ItaniumNode {
  const underscores = name.indexOf('Z');
  const cursor = new ItaniumCursor(name, underscores + 1);
  let node = readEncoding(cursor);
  if (underscores > 2) {
    cursor.expect('_block_invoke');
    if (cursor.eat('_') && !cursor.nextIsDigit) cursor.fail('number expected');
    cursor.number();
    if (cursor.peek() === '.') cursor.position = name.length;
    node = { kind: 'prefixed', prefix: 'invocation function for block in ', name: node };
  } else if (cursor.peek() === '.') {
    node = { kind: 'suffixed', name: node, suffix: name.slice(cursor.position) };
    cursor.position = name.length;
  }
  if (!cursor.atEnd) cursor.fail('end expected');
  return node;
}

/** `<encoding>`: a function with its types, an object, or a special name. */
export function readEncoding(cursor: ItaniumCursor): ItaniumNode {
  cursor.enter();
  // The template parameters of an encoding have nothing to do with those around it.
  const { templateLevels, outerTemplateArguments } = cursor;
  cursor.templateLevels = [];
  cursor.outerTemplateArguments = [];
  const next = cursor.peek();
  const node = next === 'T' || next === 'G' ? readSpecialName(cursor) : readFunctionOrObject(cursor);
  cursor.templateLevels = templateLevels;
  cursor.outerTemplateArguments = outerTemplateArguments;
  cursor.leave();
  return node;
}

function encodingEnds(cursor: ItaniumCursor): boolean {
  const next = cursor.peek();
  return next === undefined || next === 'E' || next === '.' || next === '_';
}

function readFunctionOrObject(cursor: ItaniumCursor): ItaniumNode {
  const state: NameState = {
    hasNoReturnType: false,
    endsWithTemplateArguments: false,
    qualifiers: qualifier.none,
    refQualifier: '',
    hasExplicitObject: false,
  };
  const firstForward = cursor.forwards.length;
  const name = readName(cursor, state);
  resolveForwards(cursor, firstForward);
  if (encodingEnds(cursor)) return name;

  const enableIf = cursor.eat('Ua9enable_ifI') ? cursor.list(readTemplateArgument) : undefined;
  const hasReturnType = state.endsWithTemplateArguments && !state.hasNoReturnType;
  const returnType = hasReturnType ? readType(cursor) : undefined;
  const parameters: ItaniumNode[] = [];
  if (!cursor.eat('v')) {
    do {
      const type = readType(cursor);
      const explicit = state.hasExplicitObject && parameters.length === 0;
      parameters.push(explicit ? { kind: 'explicit-object', type } : type);
    } while (!encodingEnds(cursor) && cursor.peek() !== 'Q');
  }
  const constraint = cursor.eat('Q') ? readConstraint(cursor) : undefined;
  const { qualifiers, refQualifier } = state;
  return { kind: 'function', returnType, name, parameters, qualifiers, refQualifier, enableIf, constraint };
}

/** Template parameters in the type of a conversion operator refer to the arguments that follow it. */
function resolveForwards(cursor: ItaniumCursor, first: number): void {
  if (cursor.forwards.length === first) return;
  for (let i = first; i < cursor.forwards.length; i++) {
    const forward = cursor.forwards[i]!;
    forward.target = cursor.templateLevels[0]?.[forward.index];
    if (forward.target === undefined) cursor.fail('template argument missing');
  }
  cursor.forwards.length = first;
}

/** What is said before the type or name that follows. */
const specialTypePrefixes = new Map([
  ['TV', 'vtable for '],
  ['TT', 'VTT for '],
  ['TI', 'typeinfo for '],
  ['TS', 'typeinfo name for '],
]);
const specialNamePrefixes = new Map([
  ['TW', 'thread-local wrapper routine for '],
  ['TH', 'thread-local initialization routine for '],
  ['GV', 'guard variable for '],
]);

function readSpecialName(cursor: ItaniumCursor): ItaniumNode {
  const code = cursor.text.slice(cursor.position, cursor.position + 2);
  cursor.position += 2;
  const typePrefix = specialTypePrefixes.get(code);
  if (typePrefix !== undefined) return { kind: 'prefixed', prefix: typePrefix, name: readType(cursor) };
  const namePrefix = specialNamePrefixes.get(code);
  if (namePrefix !== undefined) return { kind: 'prefixed', prefix: namePrefix, name: readName(cursor) };
  switch (code) {
    case 'Th':
    case 'Tv': {
      cursor.position--;
      const virtual = readCallOffset(cursor);
      const prefix = virtual ? 'virtual thunk to ' : 'non-virtual thunk to ';
      return { kind: 'prefixed', prefix, name: readEncoding(cursor) };
    }
    case 'Tc':
      readCallOffset(cursor);
      readCallOffset(cursor);
      return { kind: 'prefixed', prefix: 'covariant return thunk to ', name: readEncoding(cursor) };
    case 'TC': {
      const complete = readType(cursor);
      cursor.number(true);
      cursor.expect('_');
      return { kind: 'construction-vtable', complete, base: readType(cursor) };
    }
    case 'TA':
      return {
        kind: 'prefixed',
        prefix: 'template parameter object for ',
        name: readTemplateArgument(cursor),
      };
    case 'GR': {
      const name = readName(cursor);
      if (cursor.peek() !== '_' && !cursor.atEnd) cursor.sequence();
      if (!cursor.atEnd) cursor.expect('_');
      return { kind: 'prefixed', prefix: 'reference temporary for ', name };
    }
    case 'GI': {
      const module = readModules(cursor, undefined);
      if (module === undefined) cursor.fail('module name expected');
      return { kind: 'prefixed', prefix: 'initializer for module ', name: module };
    }
    case 'GT':
      cursor.expect('t');
      return { kind: 'prefixed', prefix: 'transaction clone for ', name: readEncoding(cursor) };
    default:
      return cursor.fail('unknown special name');
  }
}

/** `h <offset> _` or `v <offset> _ <virtual offset> _`; whether it is virtual. */
function readCallOffset(cursor: ItaniumCursor): boolean {
  const virtual = cursor.eat('v');
  if (!virtual) cursor.expect('h');
  for (let i = 0; i < (virtual ? 2 : 1); i++) {
    if (cursor.number(true) === '') cursor.fail('offset expected');
    cursor.expect('_');
  }
  return virtual;
}
