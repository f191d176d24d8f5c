// SPDX-License-Identifier: Apache-2.0
//
// What the reader of Itanium C++ names produces and the printer prints. Nodes are shared: a substitution (`S0_`) is the
// node that it stands for, so the tree is a graph without cycles, but for `forward` references of hostile names.

/** Set of `const`, `volatile`, `restrict`. */
export type Qualifiers = number;
export const qualifier = { none: 0, const: 1, volatile: 2, restrict: 4 } as const;

export type RefQualifier = '' | ' &' | ' &&';

/** Names. */
export type NameNode =
  /** An identifier, a builtin type, or other text that stands for itself. */
  | { readonly kind: 'text'; readonly text: string }
  /** `scope::name`. */
  | { readonly kind: 'nested'; readonly scope: ItaniumNode; readonly name: ItaniumNode }
  /** `name<arguments>`. */
  | { readonly kind: 'template'; readonly name: ItaniumNode; readonly arguments: readonly ItaniumNode[] }
  /** One of the abbreviations `Sa`, `Sb`, `Ss`, `Si`, `So`, `Sd`: `std::string`. */
  | StandardNode
  | { readonly kind: 'constructor'; readonly scope: ItaniumNode; readonly destructor: boolean }
  | { readonly kind: 'conversion-operator'; readonly type: ItaniumNode }
  /** `name[abi:tag]`. */
  | { readonly kind: 'tagged'; readonly name: ItaniumNode; readonly tag: string }
  /** `'unnamed0'`. */
  | { readonly kind: 'unnamed'; readonly count: string }
  /** `'lambda0'(parameters)`. */
  | ClosureNode
  | { readonly kind: 'structured-binding'; readonly names: readonly ItaniumNode[] }
  /** An entity within a function: `function(int)::name`. */
  | { readonly kind: 'local'; readonly encoding: ItaniumNode; readonly name: ItaniumNode }
  | { readonly kind: 'module-entity'; readonly name: ItaniumNode; readonly module: ModuleNode }
  | ModuleNode
  /** A friend that is defined in a class template: `scope::friend name`. */
  | { readonly kind: 'friend'; readonly scope: ItaniumNode; readonly name: ItaniumNode }
  /** Text before a name: `vtable for X`, `::x`, `~x`. */
  | { readonly kind: 'prefixed'; readonly prefix: string; readonly name: ItaniumNode }
  | { readonly kind: 'construction-vtable'; readonly complete: ItaniumNode; readonly base: ItaniumNode }
  /** `name (.cold)`. */
  | { readonly kind: 'suffixed'; readonly name: ItaniumNode; readonly suffix: string }
  | FunctionNode;

export interface StandardNode {
  readonly kind: 'standard';
  /** `std::string`, or `std::basic_string` when written out. */
  readonly text: string;
  /** Template arguments of the type written out, in their brackets. */
  readonly arguments: string;
  /** What the constructors are called: `string`, or `basic_string` when written out. */
  readonly base: string;
  /** The type written out, used where a constructor or destructor is named. */
  readonly expansion: StandardNode | undefined;
}

export interface ClosureNode {
  readonly kind: 'closure';
  readonly count: string;
  readonly templateParameters: readonly ItaniumNode[];
  readonly templateConstraint: ItaniumNode | undefined;
  readonly parameters: readonly ItaniumNode[];
  readonly constraint: ItaniumNode | undefined;
}

export interface ModuleNode {
  readonly kind: 'module';
  readonly parent: ModuleNode | undefined;
  readonly partition: boolean;
  readonly name: string;
}

/** A function with its signature. */
export interface FunctionNode {
  readonly kind: 'function';
  readonly returnType: ItaniumNode | undefined;
  readonly name: ItaniumNode;
  readonly parameters: readonly ItaniumNode[];
  readonly qualifiers: Qualifiers;
  readonly refQualifier: RefQualifier;
  /** Conditions of `enable_if` attributes. */
  readonly enableIf: readonly ItaniumNode[] | undefined;
  readonly constraint: ItaniumNode | undefined;
}

/** Types. */
export type TypeNode =
  | { readonly kind: 'qualified'; readonly type: ItaniumNode; readonly qualifiers: Qualifiers }
  | {
      readonly kind: 'vendor-qualified';
      readonly type: ItaniumNode;
      readonly qualifier: string;
      readonly arguments: readonly ItaniumNode[] | undefined;
    }
  /** `type postfix`: `float complex`, `Concept auto`. */
  | { readonly kind: 'postfixed'; readonly type: ItaniumNode; readonly postfix: string }
  | ObjcProtocolNode
  | { readonly kind: 'pointer'; readonly type: ItaniumNode }
  | ReferenceNode
  | { readonly kind: 'member-pointer'; readonly scope: ItaniumNode; readonly type: ItaniumNode }
  | { readonly kind: 'array'; readonly type: ItaniumNode; readonly dimension: ItaniumNode | undefined }
  | FunctionTypeNode
  | { readonly kind: 'throw-specification'; readonly types: readonly ItaniumNode[] }
  | { readonly kind: 'vector'; readonly type: ItaniumNode; readonly dimension: ItaniumNode | undefined }
  | { readonly kind: 'bit-int'; readonly signed: boolean; readonly size: ItaniumNode }
  /** A builtin transformation: `__underlying_type(T)`. */
  | { readonly kind: 'transformed'; readonly name: string; readonly type: ItaniumNode }
  /** What a template parameter pack stands for; prints the element that the enclosing expansion is at. */
  | PackNode
  /** Several template arguments for one pack parameter. */
  | { readonly kind: 'argument-pack'; readonly elements: readonly ItaniumNode[] }
  | { readonly kind: 'expansion'; readonly pattern: ItaniumNode }
  /** A template parameter of a conversion operator's type, whose arguments come later in the name. */
  | ForwardNode
  | { readonly kind: 'parameter-declaration'; readonly parameter: ParameterDeclaration }
  /** A template argument with the declaration of its parameter. */
  | { readonly kind: 'declared-argument'; readonly argument: ItaniumNode }
  | { readonly kind: 'explicit-object'; readonly type: ItaniumNode };

/** Declarations of template parameters, of generic lambdas and template template parameters. */
export type ParameterDeclaration =
  | { readonly form: 'type'; readonly name: ItaniumNode; readonly constraint: ItaniumNode | undefined }
  | { readonly form: 'value'; readonly name: ItaniumNode; readonly type: ItaniumNode }
  | { readonly form: 'template'; readonly name: ItaniumNode; readonly parameters: readonly ItaniumNode[] }
  | { readonly form: 'pack'; readonly of: ParameterDeclaration };

export interface ObjcProtocolNode {
  readonly kind: 'objc-protocol';
  readonly type: ItaniumNode;
  readonly protocol: string;
}

export interface ReferenceNode {
  readonly kind: 'reference';
  readonly type: ItaniumNode;
  readonly rvalue: boolean;
}

export interface FunctionTypeNode {
  readonly kind: 'function-type';
  readonly returnType: ItaniumNode;
  readonly parameters: readonly ItaniumNode[];
  readonly qualifiers: Qualifiers;
  readonly refQualifier: RefQualifier;
  readonly exceptionSpecification: ItaniumNode | undefined;
}

export interface PackNode {
  readonly kind: 'pack';
  readonly elements: readonly ItaniumNode[];
}

export interface ForwardNode {
  readonly kind: 'forward';
  readonly index: number;
  target: ItaniumNode | undefined;
}

/** Expressions. `precedence` is one of `precedences` where it is not that of a primary expression. */
export type ExpressionNode =
  | BinaryNode
  | {
      readonly kind: 'prefix';
      readonly operator: string;
      readonly operand: ItaniumNode;
      readonly precedence: number;
    }
  | { readonly kind: 'postfix'; readonly operator: string; readonly operand: ItaniumNode }
  | { readonly kind: 'subscript'; readonly array: ItaniumNode; readonly index: ItaniumNode }
  | {
      readonly kind: 'conditional';
      readonly condition: ItaniumNode;
      readonly then: ItaniumNode;
      readonly otherwise: ItaniumNode;
    }
  /** `sizeof (operand)`, `decltype(operand)`. */
  | {
      readonly kind: 'enclosed';
      readonly prefix: string;
      readonly operand: ItaniumNode;
      readonly precedence: number;
    }
  /** `static_cast<type>(operand)`. */
  | {
      readonly kind: 'cast';
      readonly cast: string;
      readonly type: ItaniumNode;
      readonly operand: ItaniumNode;
    }
  /** `(type)(operands)`. */
  | { readonly kind: 'conversion'; readonly type: ItaniumNode; readonly operands: readonly ItaniumNode[] }
  | { readonly kind: 'call'; readonly callee: ItaniumNode; readonly operands: readonly ItaniumNode[] }
  | NewNode
  | {
      readonly kind: 'delete';
      readonly global: boolean;
      readonly array: boolean;
      readonly operand: ItaniumNode;
    }
  | { readonly kind: 'throw'; readonly operand: ItaniumNode }
  | FoldNode
  | { readonly kind: 'sizeof-pack'; readonly pack: ItaniumNode }
  /** `type{elements}`. */
  | {
      readonly kind: 'braces';
      readonly type: ItaniumNode | undefined;
      readonly elements: readonly ItaniumNode[];
    }
  /** `.field = value`, `[index] = value`, `[index ... last] = value`. */
  | DesignatedNode
  /** A literal of an arithmetic type. */
  | { readonly kind: 'integer'; readonly type: string; readonly value: string }
  /** A literal of another type: `(type)value`. */
  | { readonly kind: 'typed-literal'; readonly type: ItaniumNode; readonly value: string }
  | { readonly kind: 'string-literal'; readonly type: ItaniumNode }
  | { readonly kind: 'lambda-expression'; readonly closure: ItaniumNode }
  /** `object.<type at offset 8>`. */
  | {
      readonly kind: 'subobject';
      readonly object: ItaniumNode;
      readonly type: ItaniumNode;
      readonly offset: string;
    }
  | {
      readonly kind: 'requires';
      readonly parameters: readonly ItaniumNode[];
      readonly requirements: readonly Requirement[];
    };

/** `left + right`, or `left->right`, which is printed without spaces. */
export interface BinaryNode {
  readonly kind: 'binary' | 'member';
  readonly operator: string;
  readonly left: ItaniumNode;
  readonly right: ItaniumNode;
  readonly precedence: number;
}

export interface NewNode {
  readonly kind: 'new';
  readonly global: boolean;
  readonly array: boolean;
  readonly placement: readonly ItaniumNode[];
  readonly type: ItaniumNode;
  readonly initializers: readonly ItaniumNode[];
}

export interface FoldNode {
  readonly kind: 'fold';
  readonly left: boolean;
  readonly operator: string;
  readonly pack: ItaniumNode;
  readonly initial: ItaniumNode | undefined;
}

export interface DesignatedNode {
  readonly kind: 'designated';
  readonly field: ItaniumNode | undefined;
  readonly index: ItaniumNode | undefined;
  readonly last: ItaniumNode | undefined;
  readonly value: ItaniumNode;
}

/** One line of a `requires` expression. */
export type Requirement =
  | {
      readonly form: 'expression';
      readonly expression: ItaniumNode;
      readonly noexcept: boolean;
      readonly constraint: ItaniumNode | undefined;
    }
  | { readonly form: 'type'; readonly type: ItaniumNode }
  | { readonly form: 'nested'; readonly constraint: ItaniumNode };

export type ItaniumNode = NameNode | TypeNode | ExpressionNode;

/** Binding strength of operators, from the strongest. An operand that binds no stronger than its context is put in parentheses. */
export const precedences = {
  primary: 0,
  postfix: 1,
  unary: 2,
  cast: 3,
  pointerToMember: 4,
  multiplicative: 5,
  additive: 6,
  shift: 7,
  spaceship: 8,
  relational: 9,
  equality: 10,
  and: 11,
  exclusiveOr: 12,
  inclusiveOr: 13,
  logicalAnd: 14,
  logicalOr: 15,
  conditional: 16,
  assignment: 17,
  comma: 18,
  none: 19,
} as const;

/** A node that prints as the text given. */
export function text(value: string): { readonly kind: 'text'; readonly text: string } {
  return { kind: 'text', text: value };
}
