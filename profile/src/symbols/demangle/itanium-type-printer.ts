// SPDX-License-Identifier: Apache-2.0
//
// Prints types: the part to the left of the declared name, and the part to the right of it.

import type { ItaniumOutput } from './itanium-output.ts';
import { printLeft, printList, printNode, printRight } from './itanium-printer.ts';
import {
  type ExpressionNode,
  type FunctionTypeNode,
  type ItaniumNode,
  type ParameterDeclaration,
  type Qualifiers,
  qualifier,
  type ReferenceNode,
} from './itanium-tree.ts';

/** Prints the left part of a type; false when the node is an expression, which is left alone. */
export function printTypeLeft(
  out: ItaniumOutput,
  node: ItaniumNode,
): node is Exclude<ItaniumNode, ExpressionNode> {
  switch (node.kind) {
    case 'qualified':
      printLeft(out, node.type);
      printQualifiers(out, node.qualifiers);
      break;
    case 'pointer':
      if (isObjcObject(node.type)) out.write(`id<${node.type.protocol}>`);
      else printWrappedLeft(out, node.type, '*');
      break;
    case 'reference': {
      const { type, rvalue } = collapsed(out, node);
      printWrappedLeft(out, type, rvalue ? '&&' : '&');
      break;
    }
    case 'function-type':
      printLeft(out, node.returnType);
      out.write(' ');
      break;
    case 'member-pointer':
      printLeft(out, node.type);
      out.write(declaratorShape(out, node.type) === undefined ? ' ' : '(');
      printNode(out, node.scope);
      out.write('::*');
      break;
    case 'array':
      printLeft(out, node.type);
      break;
    case 'pack': {
      const element = packElement(out, node.elements);
      if (element !== undefined) printLeft(out, element);
      break;
    }
    case 'argument-pack':
      printList(out, node.elements);
      break;
    case 'expansion':
      out.expand(() => printNode(out, node.pattern));
      break;
    case 'forward':
      if (node.target !== undefined) printLeft(out, node.target);
      break;
    case 'vendor-qualified': {
      printNode(out, node.type);
      out.write(` ${node.qualifier}`);
      const list = node.arguments;
      if (list !== undefined && out.shown.templateArguments) out.angled(() => printList(out, list));
      break;
    }
    case 'postfixed':
      printLeft(out, node.type);
      out.write(node.postfix);
      break;
    case 'objc-protocol':
      printNode(out, node.type);
      out.write(`<${node.protocol}>`);
      break;
    case 'throw-specification':
      out.write('throw');
      out.open();
      printList(out, node.types);
      out.close();
      break;
    case 'vector':
      printNode(out, node.type);
      out.write(' vector[');
      if (node.dimension !== undefined) printNode(out, node.dimension);
      out.write(']');
      break;
    case 'bit-int':
      out.write(node.signed ? '_BitInt' : 'unsigned _BitInt');
      out.open();
      printNode(out, node.size);
      out.close();
      break;
    case 'transformed':
      out.write(`${node.name}(`);
      printNode(out, node.type);
      out.write(')');
      break;
    case 'parameter-declaration':
      printDeclarationLeft(out, node.parameter);
      break;
    case 'declared-argument':
      printNode(out, node.argument);
      break;
    case 'explicit-object':
      out.write('this ');
      printNode(out, node.type);
      break;
    default:
      return false;
  }
  return true;
}

/** Prints the right part of a type, if it has one. */
export function printTypeRight(out: ItaniumOutput, node: ItaniumNode): void {
  switch (node.kind) {
    case 'qualified':
      printRight(out, node.type);
      break;
    case 'pointer':
      printWrappedRight(out, node.type);
      break;
    case 'reference':
      printWrappedRight(out, collapsed(out, node).type);
      break;
    case 'function-type':
      printFunctionTypeRight(out, node);
      break;
    case 'member-pointer':
      printWrappedRight(out, node.type);
      break;
    case 'array':
      if (!out.endsWith(']')) out.write(' ');
      out.write('[');
      if (node.dimension !== undefined) printNode(out, node.dimension);
      out.write(']');
      printRight(out, node.type);
      break;
    case 'pack': {
      const element = packElement(out, node.elements);
      if (element !== undefined) printRight(out, element);
      break;
    }
    case 'forward':
      if (node.target !== undefined) printRight(out, node.target);
      break;
    case 'parameter-declaration':
      printDeclarationRight(out, node.parameter);
      break;
  }
}

/** ` const volatile restrict`. */
export function printQualifiers(out: ItaniumOutput, qualifiers: Qualifiers): void {
  if (qualifiers & qualifier.const) out.write(' const');
  if (qualifiers & qualifier.volatile) out.write(' volatile');
  if (qualifiers & qualifier.restrict) out.write(' restrict');
}

/** Whether the type prints something to the right of the declared name. */
export function hasRightPart(out: ItaniumOutput, type: ItaniumNode): boolean {
  let node: ItaniumNode | undefined = type;
  for (let depth = 0; node !== undefined; depth++) {
    switch (node.kind) {
      case 'array':
      case 'function-type':
      case 'function':
        return true;
      case 'pointer':
      case 'reference':
      case 'member-pointer':
      case 'qualified':
        node = node.type;
        break;
      case 'pack':
        node = packElement(out, node.elements);
        break;
      case 'forward':
        node = node.target;
        break;
      default:
        return false;
    }
    out.checkDepth(depth);
  }
  return false;
}

/** An array or function, which needs parentheses around the `*` or `&` that points to it. */
function declaratorShape(out: ItaniumOutput, type: ItaniumNode): 'array' | 'function' | undefined {
  const node = unwrapped(out, type, true);
  if (node.kind === 'array') return 'array';
  return node.kind === 'function-type' || node.kind === 'function' ? 'function' : undefined;
}

/** The node that packs, template parameters and, if asked, qualifiers stand for. */
function unwrapped(out: ItaniumOutput, type: ItaniumNode, throughQualifiers: boolean): ItaniumNode {
  let node = type;
  for (let depth = 0; ; depth++) {
    let next: ItaniumNode | undefined;
    if (node.kind === 'qualified' && throughQualifiers) next = node.type;
    else if (node.kind === 'pack') next = packElement(out, node.elements);
    else if (node.kind === 'forward') next = node.target;
    if (next === undefined) return node;
    node = next;
    out.checkDepth(depth);
  }
}

function packElement(out: ItaniumOutput, elements: readonly ItaniumNode[]): ItaniumNode | undefined {
  const index = out.packElement(elements.length);
  return index === undefined ? undefined : elements[index];
}

/** `type (*` or `type*`. */
function printWrappedLeft(out: ItaniumOutput, type: ItaniumNode, sign: string): void {
  printLeft(out, type);
  const shape = declaratorShape(out, type);
  if (shape === 'array') out.write(' ');
  if (shape !== undefined) out.write('(');
  out.write(sign);
}

function printWrappedRight(out: ItaniumOutput, type: ItaniumNode): void {
  if (declaratorShape(out, type) !== undefined) out.write(')');
  printRight(out, type);
}

/** References to references are one: an lvalue reference, unless all are rvalue references. */
function collapsed(out: ItaniumOutput, reference: ReferenceNode): { type: ItaniumNode; rvalue: boolean } {
  let { type, rvalue } = reference;
  for (let depth = 0; ; depth++) {
    const target = unwrapped(out, type, false);
    if (target.kind !== 'reference') return { type, rvalue };
    type = target.type;
    rvalue &&= target.rvalue;
    out.checkDepth(depth);
  }
}

function isObjcObject(type: ItaniumNode): type is ItaniumNode & { kind: 'objc-protocol' } {
  return type.kind === 'objc-protocol' && type.type.kind === 'text' && type.type.text === 'objc_object';
}

function printFunctionTypeRight(out: ItaniumOutput, node: FunctionTypeNode): void {
  out.open();
  printList(out, node.parameters);
  out.close();
  printRight(out, node.returnType);
  printQualifiers(out, node.qualifiers);
  out.write(node.refQualifier);
  if (node.exceptionSpecification !== undefined) {
    out.write(' ');
    printNode(out, node.exceptionSpecification);
  }
}

function printDeclarationLeft(out: ItaniumOutput, declaration: ParameterDeclaration): void {
  switch (declaration.form) {
    case 'type':
      if (declaration.constraint === undefined) {
        out.write('typename ');
      } else {
        printNode(out, declaration.constraint);
        out.write(' ');
      }
      break;
    case 'value':
      printLeft(out, declaration.type);
      if (!hasRightPart(out, declaration.type)) out.write(' ');
      break;
    case 'template':
      out.write('template');
      out.angled(() => printList(out, declaration.parameters));
      out.write(' typename ');
      break;
    case 'pack':
      printDeclarationLeft(out, declaration.of);
      out.write('...');
  }
}

function printDeclarationRight(out: ItaniumOutput, declaration: ParameterDeclaration): void {
  if (declaration.form === 'pack') {
    printDeclarationRight(out, declaration.of);
  } else {
    printNode(out, declaration.name);
    if (declaration.form === 'value') printRight(out, declaration.type);
  }
}
