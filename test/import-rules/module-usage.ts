// SPDX-License-Identifier: Apache-2.0
//
// What one source file imports and which globals of the process it touches, read from its syntax tree. Types count:
// a type import ties two packages together as a value import does.

import { extname } from 'node:path';
import { parseAst } from 'rolldown/parseAst';

export interface ModuleUsage {
  /** As written: `./x.ts`, `node:fs`, `@hearthscope/profile/labels`. */
  readonly specifiers: readonly string[];
  /** Imports whose specifier is computed, so that no rule can judge it. */
  readonly computedImports: number;
  /** Names that the file reads without declaring them. */
  readonly globals: ReadonlySet<string>;
  /** `process.env` and the like: members of the global `process`. */
  readonly processMembers: ReadonlySet<string>;
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

export function moduleUsage(source: string, path: string): ModuleUsage {
  const tree = parseAst(source, { lang: extname(path) === '.tsx' ? 'tsx' : 'ts' }) as unknown as Node;
  const specifiers: string[] = [];
  const read = new Set<string>();
  const declared = new Set<string>();
  const members = new Set<string>();
  let computedImports = 0;

  const addImport = (literal: unknown) => {
    const { value } = (literal ?? {}) as { value?: unknown };
    if (typeof value === 'string') specifiers.push(value);
    else computedImports++;
  };
  const visit = (node: Node, parent: Node | undefined, key: string) => {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        addImport(node.source);
        break;
      case 'ExportNamedDeclaration':
        if (node.source) addImport(node.source);
        break;
      case 'ImportExpression':
      case 'TSImportType':
        addImport(node.source ?? node.argument);
        break;
      case 'TSExternalModuleReference':
        addImport(node.expression);
        break;
      case 'CallExpression':
        if (isIdentifier(node.callee, 'require')) addImport((node.arguments as readonly unknown[])[0]);
        break;
      case 'MemberExpression': {
        const property = node.property as Node;
        const isGlobalThis =
          (node.object as Node).type === 'MemberExpression' && isGlobalThisProcess(node.object as Node);
        if (isIdentifier(node.object, 'process') || isGlobalThis)
          members.add(String(property.name ?? property.value));
        break;
      }
      case 'Identifier':
        if (declares(parent, key)) declared.add(node.name as string);
        else if (refersTo(parent, key)) read.add(node.name as string);
        break;
    }
    for (const [childKey, child] of Object.entries(node)) {
      for (const one of Array.isArray(child) ? child : [child]) {
        if (one !== null && typeof one === 'object' && typeof (one as Node).type === 'string') {
          visit(one as Node, node, childKey);
        }
      }
    }
  };
  visit(tree, undefined, '');
  const globals = new Set([...read].filter((name) => !declared.has(name)));
  return {
    specifiers,
    computedImports,
    globals,
    processMembers: declared.has('process') ? new Set() : members,
  };
}

function isIdentifier(node: unknown, name: string): boolean {
  const { type, name: actual } = (node ?? {}) as Node;
  return type === 'Identifier' && actual === name;
}

function isGlobalThisProcess(node: Node): boolean {
  return isIdentifier(node.object, 'globalThis') && isIdentifier(node.property, 'process');
}

/** Whether an identifier at this place introduces the name. */
function declares(parent: Node | undefined, key: string): boolean {
  switch (parent?.type) {
    case 'VariableDeclarator':
    case 'ClassDeclaration':
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return key === 'id' || key === 'params';
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
      return key === 'local';
    case 'Property':
      // The value of `{ a: b }` in a pattern declares b; in an expression it reads b, which then counts as declared.
      return key === 'value' && parent.shorthand === true;
    case 'AssignmentPattern':
      return key === 'left';
    case 'RestElement':
    case 'ArrayPattern':
    case 'CatchClause':
      return true;
    default:
      return false;
  }
}

/** Whether an identifier at this place is a reference, and not the name of a property, a key or a type's member. */
function refersTo(parent: Node | undefined, key: string): boolean {
  switch (parent?.type) {
    case 'MemberExpression':
      return key === 'object' || parent.computed === true;
    case 'Property':
    case 'PropertyDefinition':
    case 'MethodDefinition':
      return key === 'value' || parent.computed === true;
    case 'ImportSpecifier':
    case 'ExportSpecifier':
    case 'TSPropertySignature':
    case 'TSMethodSignature':
    case 'TSQualifiedName':
    case 'TSTypeReference':
    case 'LabeledStatement':
      return false;
    default:
      return true;
  }
}
