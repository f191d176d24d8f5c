// SPDX-License-Identifier: Apache-2.0
//
// Prints a tree as LLVM's demangler does. C++ declarators wrap around their name: a node prints what stands to the left
// of the name, then what stands to the right (parameters, array bounds).

import { printExpression, printOperand } from './itanium-expression-printer.ts';
import type { ItaniumOutput } from './itanium-output.ts';
import {
  type ClosureNode,
  type FunctionNode,
  type ItaniumNode,
  type ModuleNode,
  precedences,
} from './itanium-tree.ts';
import { hasRightPart, printQualifiers, printTypeLeft, printTypeRight } from './itanium-type-printer.ts';

/** The node as a whole. */
export function printNode(out: ItaniumOutput, node: ItaniumNode): void {
  printLeft(out, node);
  printRight(out, node);
}

/** What stands to the left of the declared name; for all but types and functions, everything. */
export function printLeft(out: ItaniumOutput, node: ItaniumNode): void {
  out.enter();
  switch (node.kind) {
    case 'text':
      out.write(node.text);
      break;
    case 'nested':
      printNode(out, node.scope);
      out.write('::');
      printNode(out, node.name);
      break;
    case 'template':
      printNode(out, node.name);
      if (out.shown.templateArguments) out.angled(() => printList(out, node.arguments));
      break;
    case 'standard':
      out.write(node.text);
      if (out.shown.templateArguments) out.write(node.arguments);
      break;
    case 'function':
      printFunctionLeft(out, node);
      break;
    case 'constructor':
      if (node.destructor) out.write('~');
      out.write(baseName(node.scope));
      break;
    case 'closure':
      out.write(`'lambda${node.count}'`);
      if (out.shown.signatures) printClosureSignature(out, node);
      break;
    case 'local':
      printNode(out, node.encoding);
      out.write('::');
      printNode(out, node.name);
      break;
    case 'conversion-operator':
      out.write('operator ');
      printNode(out, node.type);
      break;
    case 'tagged':
      printNode(out, node.name);
      out.write(`[abi:${node.tag}]`);
      break;
    case 'prefixed':
      out.write(node.prefix);
      printNode(out, node.name);
      break;
    case 'suffixed':
      printNode(out, node.name);
      out.write(` (${node.suffix})`);
      break;
    case 'unnamed':
      out.write(`'unnamed${node.count}'`);
      break;
    case 'structured-binding':
      out.open('[');
      printList(out, node.names);
      out.close(']');
      break;
    case 'module':
      printModule(out, node);
      break;
    case 'module-entity':
      printNode(out, node.name);
      out.write('@');
      printModule(out, node.module);
      break;
    case 'friend':
      printNode(out, node.scope);
      out.write('::friend ');
      printNode(out, node.name);
      break;
    case 'construction-vtable':
      out.write('construction vtable for ');
      printNode(out, node.base);
      out.write('-in-');
      printNode(out, node.complete);
      break;
    default:
      if (!printTypeLeft(out, node)) printExpression(out, node);
  }
  out.leave();
}

/** What stands to the right of the declared name. */
export function printRight(out: ItaniumOutput, node: ItaniumNode): void {
  switch (node.kind) {
    case 'text':
    case 'nested':
    case 'template':
      return;
    case 'function':
      out.enter();
      if (out.shown.signatures) printFunctionRight(out, node);
      break;
    default:
      out.enter();
      printTypeRight(out, node);
  }
  out.leave();
}

/** Template or function arguments, each in parentheses when it is a comma expression. */
export function printList(out: ItaniumOutput, nodes: readonly ItaniumNode[]): void {
  out.list(nodes, (node) => printOperand(out, node, precedences.comma));
}

function printFunctionLeft(out: ItaniumOutput, node: FunctionNode): void {
  if (node.returnType !== undefined && out.shown.signatures) {
    printLeft(out, node.returnType);
    if (!hasRightPart(out, node.returnType)) out.write(' ');
  }
  printNode(out, node.name);
}

function printFunctionRight(out: ItaniumOutput, node: FunctionNode): void {
  out.open();
  printList(out, node.parameters);
  out.close();
  if (node.returnType !== undefined) printRight(out, node.returnType);
  printQualifiers(out, node.qualifiers);
  out.write(node.refQualifier);
  if (node.enableIf !== undefined) {
    out.write(' [enable_if:');
    printList(out, node.enableIf);
    out.write(']');
  }
  if (node.constraint !== undefined) {
    out.write(' requires ');
    printNode(out, node.constraint);
  }
}

function printClosureSignature(out: ItaniumOutput, node: ClosureNode): void {
  if (node.templateParameters.length > 0 && out.shown.templateArguments) {
    out.angled(() => printList(out, node.templateParameters));
  }
  if (node.templateConstraint !== undefined) {
    out.write(' requires ');
    printNode(out, node.templateConstraint);
    out.write(' ');
  }
  out.open();
  printList(out, node.parameters);
  out.close();
  if (node.constraint !== undefined) {
    out.write(' requires ');
    printNode(out, node.constraint);
  }
}

/** Prints the signature of a lambda alone, for lambda expressions. */
export function printLambdaExpression(out: ItaniumOutput, closure: ItaniumNode): void {
  out.write('[]');
  if (closure.kind === 'closure') printClosureSignature(out, closure);
  out.write('{...}');
}

function printModule(out: ItaniumOutput, module: ModuleNode): void {
  out.enter();
  if (module.parent !== undefined) printModule(out, module.parent);
  if (module.parent !== undefined || module.partition) out.write(module.partition ? ':' : '.');
  out.write(module.name);
  out.leave();
}

/** What the constructors of a class are called. */
function baseName(scope: ItaniumNode): string {
  let node = scope;
  for (;;) {
    switch (node.kind) {
      case 'text':
        return node.text;
      case 'standard':
        return node.base;
      case 'nested':
      case 'template':
      case 'tagged':
      case 'module-entity':
      case 'friend':
      case 'local':
        node = node.name;
        break;
      case 'forward':
        if (node.target === undefined) return '';
        node = node.target;
        break;
      default:
        return '';
    }
  }
}
