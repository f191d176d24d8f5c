// SPDX-License-Identifier: Apache-2.0
//
// Names: nested, local and unscoped ones, with what stands at their end: constructors, lambdas, operators, ABI tags.

import type { ItaniumCursor } from './itanium-cursor.ts';
import { readEncoding } from './itanium-encoding.ts';
import { operatorAt, operatorFunctionName } from './itanium-operators.ts';
import {
  readConstraint,
  readParameterDeclaration,
  readSubstitution,
  readTemplateArguments,
  readTemplateParameter,
  startsParameterDeclaration,
} from './itanium-templates.ts';
import {
  type ClosureNode,
  type ItaniumNode,
  type ModuleNode,
  type Qualifiers,
  qualifier,
  type RefQualifier,
  text,
} from './itanium-tree.ts';
import { readDecltype, readType } from './itanium-types.ts';

/** What the name of a function says about its signature. */
export interface NameState {
  /** Constructors, destructors and conversion operators. */
  hasNoReturnType: boolean;
  endsWithTemplateArguments: boolean;
  qualifiers: Qualifiers;
  refQualifier: RefQualifier;
  hasExplicitObject: boolean;
}

const std = text('std');
const anonymousNamespace = text('(anonymous namespace)');
const stringLiteral = text('string literal');

/** `<name>`; `state` is filled in when it is the name of an encoding. */
export function readName(cursor: ItaniumCursor, state?: NameState): ItaniumNode {
  cursor.enter();
  const next = cursor.peek();
  const name =
    next === 'N'
      ? readNestedName(cursor, state)
      : next === 'Z'
        ? readLocalName(cursor, state)
        : readUnscopedTemplateName(cursor, state);
  cursor.leave();
  return name;
}

function readUnscopedTemplateName(cursor: ItaniumCursor, state: NameState | undefined): ItaniumNode {
  const { name, substituted } = readUnscopedName(cursor, state);
  if (cursor.peek() !== 'I') {
    if (substituted) cursor.fail('template arguments expected');
    return name;
  }
  if (!substituted) cursor.remember(name);
  const templateArguments = readTemplateArguments(cursor, state !== undefined);
  if (state !== undefined) state.endsWithTemplateArguments = true;
  return { kind: 'template', name, arguments: templateArguments };
}

/** `<unscoped-name>` or a substitution. */
export function readUnscopedName(
  cursor: ItaniumCursor,
  state: NameState | undefined,
): { name: ItaniumNode; substituted: boolean } {
  const scope = cursor.eat('St') ? std : undefined;
  let module: ModuleNode | undefined;
  if (cursor.peek() === 'S') {
    const substitution = readSubstitution(cursor);
    if (substitution.kind === 'module') module = substitution;
    else if (scope === undefined) return { name: substitution, substituted: true };
    else cursor.fail('name expected');
  }
  return { name: readUnqualifiedName(cursor, scope, module, state), substituted: false };
}

function readQualifiersInto(cursor: ItaniumCursor, state: NameState | undefined): void {
  const qualifiers = readQualifiers(cursor);
  const refQualifier = cursor.eat('O') ? ' &&' : cursor.eat('R') ? ' &' : '';
  if (state === undefined) return;
  state.qualifiers = qualifiers;
  state.refQualifier = refQualifier;
}

/** `[r] [V] [K]`. */
export function readQualifiers(cursor: ItaniumCursor): Qualifiers {
  let qualifiers: Qualifiers = qualifier.none;
  if (cursor.eat('r')) qualifiers |= qualifier.restrict;
  if (cursor.eat('V')) qualifiers |= qualifier.volatile;
  if (cursor.eat('K')) qualifiers |= qualifier.const;
  return qualifiers;
}

function readNestedName(cursor: ItaniumCursor, state: NameState | undefined): ItaniumNode {
  cursor.expect('N');
  if (cursor.eat('H')) {
    if (state !== undefined) state.hasExplicitObject = true;
  } else {
    readQualifiersInto(cursor, state);
  }
  let name: ItaniumNode | undefined;
  while (!cursor.eat('E')) {
    if (state !== undefined) state.endsWithTemplateArguments = false;
    const next = cursor.peek();
    if (next === 'I') {
      if (name === undefined || name.kind === 'template') return cursor.fail('name expected');
      name = { kind: 'template', name, arguments: readTemplateArguments(cursor, state !== undefined) };
      if (state !== undefined) state.endsWithTemplateArguments = true;
    } else if (next === 'T') {
      if (name !== undefined) cursor.fail('template parameter after a scope');
      name = readTemplateParameter(cursor);
    } else if (cursor.sees('Dt') || cursor.sees('DT')) {
      if (name !== undefined) cursor.fail('decltype after a scope');
      name = readDecltype(cursor);
    } else {
      let module: ModuleNode | undefined;
      if (next === 'S') {
        const substitution = cursor.eat('St') ? std : readSubstitution(cursor);
        if (substitution.kind === 'module') {
          module = substitution;
        } else {
          if (name !== undefined) cursor.fail('substitution after a scope');
          name = substitution;
          continue;
        }
      }
      name = readUnqualifiedName(cursor, name, module, state);
    }
    cursor.remember(name);
    // The member whose initializer holds the closure that follows.
    cursor.eat('M');
  }
  if (name === undefined || cursor.substitutions.length === 0) return cursor.fail('name expected');
  // The whole name is a candidate only as a type, which remembers it itself.
  cursor.substitutions.pop();
  return name;
}

/** `Z <encoding> E <name>`: an entity within a function. */
function readLocalName(cursor: ItaniumCursor, state: NameState | undefined): ItaniumNode {
  cursor.expect('Z');
  const encoding = readEncoding(cursor);
  cursor.expect('E');
  const { templateLevels } = cursor;
  // Template parameters around belong to another name; a generic lambda counts its own from level 0.
  cursor.templateLevels = [];
  const name = readLocalEntity(cursor, state);
  if (state === undefined) cursor.templateLevels = templateLevels;
  return { kind: 'local', encoding, name };
}

function readLocalEntity(cursor: ItaniumCursor, state: NameState | undefined): ItaniumNode {
  if (cursor.eat('s')) {
    skipDiscriminator(cursor);
    return stringLiteral;
  }
  if (cursor.eat('d')) {
    // In the default argument of a parameter, counted from the last.
    cursor.number(true);
    cursor.expect('_');
    return readName(cursor, state);
  }
  const name = readName(cursor, state);
  skipDiscriminator(cursor);
  return name;
}

/** `_ <digit>`, `__ <number> _`, or digits to the end, as old compilers wrote. */
function skipDiscriminator(cursor: ItaniumCursor): void {
  const start = cursor.position;
  if (cursor.eat('__')) {
    if (cursor.number() === '' || !cursor.eat('_')) cursor.position = start;
  } else if (cursor.eat('_')) {
    if (cursor.nextIsDigit) cursor.position++;
    else cursor.position = start;
  } else {
    cursor.number();
    if (!cursor.atEnd) cursor.position = start;
  }
}

/** `<source-name>`. */
export function readSourceName(cursor: ItaniumCursor): ItaniumNode {
  const identifier = cursor.sourceText();
  return identifier.startsWith('_GLOBAL__N') ? anonymousNamespace : text(identifier);
}

/** `(W [P] <source-name>)*`: the module that an entity is attached to. */
export function readModules(cursor: ItaniumCursor, parent: ModuleNode | undefined): ModuleNode | undefined {
  let module = parent;
  while (cursor.eat('W')) {
    const partition = cursor.eat('P');
    module = cursor.remember({ kind: 'module', parent: module, partition, name: cursor.sourceText() });
  }
  return module;
}

function readUnqualifiedName(
  cursor: ItaniumCursor,
  scope: ItaniumNode | undefined,
  outerModule: ModuleNode | undefined,
  state: NameState | undefined,
): ItaniumNode {
  const module = readModules(cursor, outerModule);
  const friend = scope !== undefined && cursor.eat('F');
  cursor.eat('L');
  let name: ItaniumNode;
  let shownScope = scope;
  const next = cursor.peek();
  if (cursor.nextIsDigit) {
    name = readSourceName(cursor);
  } else if (next === 'U') {
    name = readUnnamedTypeName(cursor, state);
  } else if (cursor.eat('DC')) {
    name = { kind: 'structured-binding', names: cursor.list(readSourceName) };
  } else if (next === 'C' || next === 'D') {
    if (scope === undefined || module !== undefined) cursor.fail('constructor outside of a class');
    // Abbreviations are written out where their constructor is named.
    shownScope = scope.kind === 'standard' && scope.expansion !== undefined ? scope.expansion : scope;
    name = readConstructorName(cursor, shownScope, state);
  } else {
    name = readOperatorName(cursor, state);
  }
  if (module !== undefined) name = { kind: 'module-entity', name, module };
  name = readAbiTags(cursor, name);
  if (shownScope === undefined) return name;
  return { kind: friend ? 'friend' : 'nested', scope: shownScope, name };
}

/** `(B <source-name>)*`. */
export function readAbiTags(cursor: ItaniumCursor, name: ItaniumNode): ItaniumNode {
  let tagged = name;
  while (cursor.eat('B')) tagged = { kind: 'tagged', name: tagged, tag: cursor.sourceText() };
  return tagged;
}

function readConstructorName(
  cursor: ItaniumCursor,
  scope: ItaniumNode,
  state: NameState | undefined,
): ItaniumNode {
  const destructor = cursor.eat('D');
  if (!destructor) cursor.expect('C');
  const inherited = !destructor && cursor.eat('I');
  const variant = cursor.peek() ?? '';
  if (!(destructor ? '01245' : '12345').includes(variant) || variant === '')
    cursor.fail('constructor expected');
  cursor.position++;
  if (state !== undefined) state.hasNoReturnType = true;
  if (inherited) readName(cursor, state);
  return { kind: 'constructor', scope, destructor };
}

/** `Ut`: a type without a name; `Ul`: the class of a lambda; `Ub`: a block. */
export function readUnnamedTypeName(cursor: ItaniumCursor, state: NameState | undefined): ItaniumNode {
  // Template parameters after this refer to the innermost arguments.
  if (state !== undefined) cursor.templateLevels = [];
  let node: ItaniumNode;
  if (cursor.eat('Ut')) {
    node = { kind: 'unnamed', count: cursor.number() };
  } else if (cursor.eat('Ul')) {
    return readClosure(cursor);
  } else if (cursor.eat('Ub')) {
    cursor.number();
    node = text("'block-literal'");
  } else {
    return cursor.fail('unnamed type expected');
  }
  cursor.expect('_');
  return node;
}

function readClosure(cursor: ItaniumCursor): ClosureNode {
  const { lambdaLevel, templateLevels } = cursor;
  const ownLevel = templateLevels.length;
  cursor.lambdaLevel = ownLevel;
  cursor.templateLevels = [...templateLevels];

  const templateParameters: ItaniumNode[] = [];
  const declared: ItaniumNode[] = [];
  cursor.templateLevels[ownLevel] = declared;
  while (startsParameterDeclaration(cursor)) {
    const parameter = readParameterDeclaration(cursor, declared);
    templateParameters.push({ kind: 'parameter-declaration', parameter });
  }
  // Without declarations, parameters of this level are those that each `auto` stands for.
  if (templateParameters.length === 0) cursor.templateLevels.length = ownLevel;

  const templateConstraint = cursor.eat('Q') ? readConstraint(cursor) : undefined;
  const parameters: ItaniumNode[] = [];
  let constraint: ItaniumNode | undefined;
  if (!cursor.eat('vE')) {
    do parameters.push(readType(cursor));
    while (cursor.peek() !== 'E' && cursor.peek() !== 'Q');
    if (cursor.eat('Q')) constraint = readConstraint(cursor);
    cursor.expect('E');
  }
  const count = cursor.number();
  cursor.expect('_');
  cursor.lambdaLevel = lambdaLevel;
  cursor.templateLevels = templateLevels;
  return { kind: 'closure', count, templateParameters, templateConstraint, parameters, constraint };
}

/** `<operator-name>` of an operator function. */
export function readOperatorName(cursor: ItaniumCursor, state: NameState | undefined): ItaniumNode {
  if (cursor.eat('cv')) return readConversionOperator(cursor, state);
  if (cursor.eat('li')) return { kind: 'prefixed', prefix: 'operator"" ', name: readSourceName(cursor) };
  if (cursor.eat('v')) {
    if (!cursor.nextIsDigit) cursor.fail('digit expected');
    cursor.position++;
    return { kind: 'conversion-operator', type: readSourceName(cursor) };
  }
  const operator = operatorAt(cursor.text, cursor.position);
  const name = operator && operatorFunctionName(operator);
  if (name === undefined) return cursor.fail('name expected');
  cursor.position += 2;
  return text(name);
}

function readConversionOperator(cursor: ItaniumCursor, state: NameState | undefined): ItaniumNode {
  const { typesTakeArguments, allowForward } = cursor;
  cursor.typesTakeArguments = false;
  cursor.allowForward = allowForward || state !== undefined;
  const type = readType(cursor);
  cursor.typesTakeArguments = typesTakeArguments;
  cursor.allowForward = allowForward;
  if (state !== undefined) state.hasNoReturnType = true;
  return { kind: 'conversion-operator', type };
}
