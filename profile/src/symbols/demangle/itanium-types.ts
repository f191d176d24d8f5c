// SPDX-License-Identifier: Apache-2.0
//
// Types. Each type that is read is remembered for substitutions, but for builtin types and substitutions themselves.

import { builtinTypeAt, extendedBuiltinTypeAt } from './itanium-builtin-types.ts';
import type { ItaniumCursor } from './itanium-cursor.ts';
import { readExpression } from './itanium-expressions.ts';
import { readName, readQualifiers, readUnscopedName } from './itanium-names.ts';
import { readTemplateArguments, readTemplateParameter } from './itanium-templates.ts';
import { type ItaniumNode, precedences, qualifier, type RefQualifier, text } from './itanium-tree.ts';

/** `<type>`. */
export function readType(cursor: ItaniumCursor): ItaniumNode {
  const builtin = builtinTypeAt(cursor.text, cursor.position);
  if (builtin !== undefined) {
    cursor.position++;
    return builtin;
  }
  cursor.enter();
  const type = readCompoundType(cursor);
  cursor.leave();
  return type;
}

function readCompoundType(cursor: ItaniumCursor): ItaniumNode {
  switch (cursor.peek()) {
    case 'S':
      return cursor.peek(1) === 't' ? cursor.remember(readName(cursor)) : readSubstitutedType(cursor);
    case 'P':
      cursor.position++;
      return cursor.remember({ kind: 'pointer', type: readType(cursor) });
    case 'R':
      cursor.position++;
      return cursor.remember({ kind: 'reference', type: readType(cursor), rvalue: false });
    case 'O':
      cursor.position++;
      return cursor.remember({ kind: 'reference', type: readType(cursor), rvalue: true });
    case 'r':
    case 'V':
    case 'K':
      return cursor.remember(
        functionFollowsQualifiers(cursor) ? readFunctionType(cursor) : readQualifiedType(cursor),
      );
    case 'T':
      return readParameterType(cursor);
    case 'F':
      return cursor.remember(readFunctionType(cursor));
    case 'A':
      return cursor.remember(readArrayType(cursor));
    case 'M': {
      cursor.position++;
      const scope = readType(cursor);
      return cursor.remember({ kind: 'member-pointer', scope, type: readType(cursor) });
    }
    case 'D':
      return readTypeWithD(cursor);
    case 'C':
      cursor.position++;
      return cursor.remember({ kind: 'postfixed', type: readType(cursor), postfix: ' complex' });
    case 'G':
      cursor.position++;
      return cursor.remember({ kind: 'postfixed', type: readType(cursor), postfix: ' imaginary' });
    case 'U':
      return cursor.remember(readQualifiedType(cursor));
    case 'u':
      return cursor.remember(readVendorType(cursor));
    default:
      return cursor.remember(readName(cursor));
  }
}

/** A substitution, or a template or nested name that begins with one. */
function readSubstitutedType(cursor: ItaniumCursor): ItaniumNode {
  const { name, substituted } = readUnscopedName(cursor, undefined);
  if (cursor.peek() === 'I' && (!substituted || cursor.typesTakeArguments)) {
    if (!substituted) cursor.remember(name);
    return cursor.remember({ kind: 'template', name, arguments: readTemplateArguments(cursor) });
  }
  return substituted ? name : cursor.remember(name);
}

const elaborations = new Map([
  ['Ts', 'struct '],
  ['Tu', 'union '],
  ['Te', 'enum '],
]);

/** A template parameter, with arguments when it is a template; or `struct x`. */
function readParameterType(cursor: ItaniumCursor): ItaniumNode {
  const keyword = elaborations.get(cursor.text.slice(cursor.position, cursor.position + 2));
  if (keyword !== undefined) {
    cursor.position += 2;
    return cursor.remember({ kind: 'prefixed', prefix: keyword, name: readName(cursor) });
  }
  const parameter = cursor.remember(readTemplateParameter(cursor));
  if (cursor.peek() !== 'I' || !cursor.typesTakeArguments) return parameter;
  return cursor.remember({ kind: 'template', name: parameter, arguments: readTemplateArguments(cursor) });
}

/** Qualifiers belong to a function type when one follows them. */
function functionFollowsQualifiers(cursor: ItaniumCursor): boolean {
  let distance = 0;
  for (const letter of 'rVK') if (cursor.peek(distance) === letter) distance++;
  const next = cursor.peek(distance);
  if (next === 'F') return true;
  const code = cursor.peek(distance + 1);
  return next === 'D' && (code === 'o' || code === 'O' || code === 'w' || code === 'x');
}

const objcProtocol = 'objcproto';

/** `<extended-qualifier>* <CV-qualifiers> <type>`. */
function readQualifiedType(cursor: ItaniumCursor): ItaniumNode {
  if (!cursor.eat('U')) {
    const qualifiers = readQualifiers(cursor);
    const type = readType(cursor);
    return qualifiers === qualifier.none ? type : { kind: 'qualified', type, qualifiers };
  }
  const extension = cursor.sourceText();
  if (extension.startsWith(objcProtocol)) {
    // The protocol is a source name within the source name.
    const digits = /^\d*/.exec(extension.slice(objcProtocol.length))![0];
    const protocol = extension.slice(objcProtocol.length + digits.length);
    if (digits === '' || Number(digits) !== protocol.length) cursor.fail('protocol name out of bounds');
    cursor.enter();
    const type = readQualifiedType(cursor);
    cursor.leave();
    return { kind: 'objc-protocol', type, protocol };
  }
  const qualifierArguments = cursor.peek() === 'I' ? readTemplateArguments(cursor) : undefined;
  cursor.enter();
  const type = readQualifiedType(cursor);
  cursor.leave();
  return { kind: 'vendor-qualified', type, qualifier: extension, arguments: qualifierArguments };
}

/** `[<CV-qualifiers>] [<exception-spec>] [Dx] F [Y] <type>+ [<ref-qualifier>] E`. */
function readFunctionType(cursor: ItaniumCursor): ItaniumNode {
  const qualifiers = readQualifiers(cursor);
  let exceptionSpecification: ItaniumNode | undefined;
  if (cursor.eat('Do')) {
    exceptionSpecification = text('noexcept');
  } else if (cursor.eat('DO')) {
    exceptionSpecification = {
      kind: 'enclosed',
      prefix: 'noexcept',
      operand: readExpression(cursor),
      precedence: precedences.primary,
    };
    cursor.expect('E');
  } else if (cursor.eat('Dw')) {
    exceptionSpecification = { kind: 'throw-specification', types: cursor.list(readType) };
  }
  cursor.eat('Dx');
  cursor.expect('F');
  cursor.eat('Y');
  const returnType = readType(cursor);
  let refQualifier: RefQualifier = '';
  const parameters: ItaniumNode[] = [];
  while (!cursor.eat('E')) {
    if (cursor.eat('v')) continue;
    if (cursor.eat('RE')) refQualifier = ' &';
    else if (cursor.eat('OE')) refQualifier = ' &&';
    if (refQualifier !== '') break;
    parameters.push(readType(cursor));
  }
  return { kind: 'function-type', returnType, parameters, qualifiers, refQualifier, exceptionSpecification };
}

/** `A [<number> | <expression>] _ <type>`. */
function readArrayType(cursor: ItaniumCursor): ItaniumNode {
  cursor.expect('A');
  const dimension = readDimension(cursor);
  return { kind: 'array', type: readType(cursor), dimension };
}

/** `u <source-name> [I <type> E]`. */
function readVendorType(cursor: ItaniumCursor): ItaniumNode {
  cursor.expect('u');
  const name = cursor.sourceText();
  if (!cursor.eat('I')) return text(name);
  const type = readType(cursor);
  cursor.expect('E');
  return { kind: 'transformed', name, type };
}

/** The types that begin with `D`. */
function readTypeWithD(cursor: ItaniumCursor): ItaniumNode {
  const builtin = extendedBuiltinTypeAt(cursor);
  if (builtin !== undefined) return builtin;
  switch (cursor.peek(1)) {
    case 't':
    case 'T':
      return cursor.remember(readDecltype(cursor));
    case 'p':
      cursor.position += 2;
      return cursor.remember({ kind: 'expansion', pattern: readType(cursor) });
    case 'o':
    case 'O':
    case 'w':
    case 'x':
      return cursor.remember(readFunctionType(cursor));
    case 'v':
      return cursor.remember(readVectorType(cursor));
    case 'B':
    case 'U':
      return cursor.remember(readBitInt(cursor));
    case 'k':
    case 'K': {
      const postfix = cursor.peek(1) === 'k' ? ' auto' : ' decltype(auto)';
      cursor.position += 2;
      return { kind: 'postfixed', type: readName(cursor), postfix };
    }
    default:
      return cursor.fail('unknown type');
  }
}

/** `Dt <expression> E` or `DT <expression> E`. */
export function readDecltype(cursor: ItaniumCursor): ItaniumNode {
  cursor.position += 2;
  const operand = readExpression(cursor);
  cursor.expect('E');
  return { kind: 'enclosed', prefix: 'decltype', operand, precedence: precedences.primary };
}

const pixel = text('pixel');

/** `Dv [<number> | <expression>] _ <type>`. */
function readVectorType(cursor: ItaniumCursor): ItaniumNode {
  cursor.position += 2;
  const dimension = readDimension(cursor);
  return { kind: 'vector', type: cursor.eat('p') ? pixel : readType(cursor), dimension };
}

/** `[<number> | <expression>] _`. */
function readDimension(cursor: ItaniumCursor): ItaniumNode | undefined {
  if (cursor.eat('_')) return undefined;
  const dimension = cursor.nextIsDigit ? text(cursor.number()) : readExpression(cursor);
  cursor.expect('_');
  return dimension;
}

/** `DB <size> _` or `DU <size> _`, the size a number or an expression. */
function readBitInt(cursor: ItaniumCursor): ItaniumNode {
  const signed = cursor.peek(1) === 'B';
  cursor.position += 2;
  const size = readDimension(cursor) ?? cursor.fail('number of bits expected');
  return { kind: 'bit-int', signed, size };
}
