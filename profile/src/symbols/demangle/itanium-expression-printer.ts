// SPDX-License-Identifier: Apache-2.0
//
// Prints expressions, with parentheses where the operators' precedence asks for them.

import type { ItaniumOutput } from './itanium-output.ts';
import { printLambdaExpression, printLeft, printList, printNode } from './itanium-printer.ts';
import {
  type BinaryNode,
  type DesignatedNode,
  type ExpressionNode,
  type FoldNode,
  type ItaniumNode,
  type NewNode,
  precedences,
  type Requirement,
} from './itanium-tree.ts';

/** Prints an operand, in parentheses when it binds as loosely as `limit` or more so. */
export function printOperand(out: ItaniumOutput, node: ItaniumNode, limit: number = precedences.none): void {
  const enclose = precedenceOf(node) >= limit;
  if (enclose) out.open();
  printNode(out, node);
  if (enclose) out.close();
}

function precedenceOf(node: ItaniumNode): number {
  switch (node.kind) {
    case 'binary':
    case 'member':
    case 'prefix':
    case 'enclosed':
      return node.precedence;
    case 'postfix':
    case 'subscript':
    case 'call':
    case 'cast':
      return precedences.postfix;
    case 'conditional':
      return precedences.conditional;
    case 'conversion':
      return precedences.cast;
    case 'new':
    case 'delete':
      return precedences.unary;
    default:
      return precedences.primary;
  }
}

export function printExpression(out: ItaniumOutput, node: ExpressionNode): void {
  switch (node.kind) {
    case 'binary':
      printBinary(out, node);
      break;
    case 'member':
      printOperand(out, node.left, node.precedence + 1);
      out.write(node.operator);
      printOperand(out, node.right, node.precedence);
      break;
    case 'prefix':
      out.write(node.operator);
      printOperand(out, node.operand, node.precedence);
      break;
    case 'postfix':
      printOperand(out, node.operand, precedences.postfix + 1);
      out.write(node.operator);
      break;
    case 'subscript':
      printOperand(out, node.array, precedences.postfix);
      out.open('[');
      printOperand(out, node.index);
      out.close(']');
      break;
    case 'conditional':
      printOperand(out, node.condition, precedences.conditional);
      out.write(' ? ');
      printOperand(out, node.then);
      out.write(' : ');
      printOperand(out, node.otherwise, precedences.assignment + 1);
      break;
    case 'enclosed':
      out.write(node.prefix);
      printParenthesized(out, node.operand);
      break;
    case 'cast':
      out.write(node.cast);
      out.angled(() => printLeft(out, node.type));
      printParenthesized(out, node.operand);
      break;
    case 'conversion':
      printParenthesized(out, node.type);
      printArguments(out, node.operands);
      break;
    case 'call':
      printNode(out, node.callee);
      printArguments(out, node.operands);
      break;
    case 'new':
      printNew(out, node);
      break;
    case 'delete':
      if (node.global) out.write('::');
      out.write(node.array ? 'delete[] ' : 'delete ');
      printNode(out, node.operand);
      break;
    case 'throw':
      out.write('throw ');
      printNode(out, node.operand);
      break;
    case 'fold':
      printFold(out, node);
      break;
    case 'sizeof-pack':
      out.write('sizeof...');
      out.open();
      out.expand(() => printNode(out, node.pack));
      out.close();
      break;
    case 'braces':
      if (node.type !== undefined) printNode(out, node.type);
      out.write('{');
      printList(out, node.elements);
      out.write('}');
      break;
    case 'designated':
      printDesignated(out, node);
      break;
    case 'integer':
      out.write(node.type.length > 3 ? `(${node.type})${node.value}` : node.value + node.type);
      break;
    case 'typed-literal':
      printParenthesized(out, node.type);
      out.write(node.value);
      break;
    case 'string-literal':
      out.write('"<');
      printNode(out, node.type);
      out.write('>"');
      break;
    case 'lambda-expression':
      printLambdaExpression(out, node.closure);
      break;
    case 'subobject':
      printNode(out, node.object);
      out.write('.<');
      printNode(out, node.type);
      out.write(` at offset ${node.offset === '' ? '0' : node.offset.replace('n', '-')}>`);
      break;
    case 'requires':
      out.write('requires');
      if (node.parameters.length > 0) {
        out.write(' ');
        printArguments(out, node.parameters);
      }
      out.write(' ');
      out.open('{');
      for (const requirement of node.requirements) printRequirement(out, requirement);
      out.write(' ');
      out.close('}');
      break;
  }
}

function printParenthesized(out: ItaniumOutput, node: ItaniumNode): void {
  out.open();
  printOperand(out, node);
  out.close();
}

function printArguments(out: ItaniumOutput, nodes: readonly ItaniumNode[]): void {
  out.open();
  printList(out, nodes);
  out.close();
}

function printBinary(out: ItaniumOutput, node: BinaryNode): void {
  // Directly in template arguments a `>` would end them.
  const enclose = out.enclosure === 0 && (node.operator === '>' || node.operator === '>>');
  if (enclose) out.open();
  // Assignment alone groups from the right.
  const assigns = node.precedence === precedences.assignment;
  printOperand(out, node.left, assigns ? precedences.logicalOr : node.precedence + 1);
  out.write(node.operator === ',' ? ', ' : ` ${node.operator} `);
  printOperand(out, node.right, assigns ? node.precedence + 1 : node.precedence);
  if (enclose) out.close();
}

function printNew(out: ItaniumOutput, node: NewNode): void {
  if (node.global) out.write('::');
  out.write(node.array ? 'new[]' : 'new');
  if (node.placement.length > 0) printArguments(out, node.placement);
  out.write(' ');
  printNode(out, node.type);
  if (node.initializers.length > 0) printArguments(out, node.initializers);
}

function printFold(out: ItaniumOutput, node: FoldNode): void {
  const { left, operator, initial } = node;
  const printPack = () => {
    out.open();
    out.expand(() => printNode(out, node.pack));
    out.close();
  };
  const printInitial = () => {
    if (initial !== undefined) printOperand(out, initial, precedences.cast + 1);
  };
  out.open();
  if (!left || initial !== undefined) {
    if (left) printInitial();
    else printPack();
    out.write(` ${operator} `);
  }
  out.write('...');
  if (left || initial !== undefined) {
    out.write(` ${operator} `);
    if (left) printPack();
    else printInitial();
  }
  out.close();
}

function printDesignated(out: ItaniumOutput, node: DesignatedNode): void {
  if (node.field !== undefined) {
    out.write('.');
    printNode(out, node.field);
  }
  if (node.index !== undefined) {
    out.write('[');
    printNode(out, node.index);
    if (node.last !== undefined) {
      out.write(' ... ');
      printNode(out, node.last);
    }
    out.write(']');
  }
  if (node.value.kind !== 'designated') out.write(' = ');
  printNode(out, node.value);
}

function printRequirement(out: ItaniumOutput, requirement: Requirement): void {
  out.write(' ');
  switch (requirement.form) {
    case 'expression': {
      const braces = requirement.noexcept || requirement.constraint !== undefined;
      if (braces) out.open('{');
      printNode(out, requirement.expression);
      if (braces) out.close('}');
      if (requirement.noexcept) out.write(' noexcept');
      if (requirement.constraint !== undefined) {
        out.write(' -> ');
        printNode(out, requirement.constraint);
      }
      break;
    }
    case 'type':
      out.write('typename ');
      printNode(out, requirement.type);
      break;
    case 'nested':
      out.write('requires ');
      printNode(out, requirement.constraint);
  }
  out.write(';');
}
