// SPDX-License-Identifier: Apache-2.0
//
// What is known of each test program: how it is started and who calls whom in it. A stack is right when it leads from
// the thread's start to its leaf along these calls alone; README.md tells the same to people.

export type Language = 'c' | 'cpp' | 'rust' | 'go';

/** Stands for code that is not the program's own: libc, the dynamic linker, a language's runtime. It may call itself. */
export const LIBRARY = '[library]';

export interface KnownProgram {
  readonly name: string;
  readonly language: Language;
  /** In test/testprogs; a folder for Go. */
  readonly source: string;
  /** Shared libraries: file name, source, and what the compiler is told besides. */
  readonly libraries?: readonly {
    readonly file: string;
    readonly source: string;
    readonly flags: string[];
  }[];
  /** The libraries are linked to the program, not opened by it (then their paths are its arguments). */
  readonly linked?: boolean;
  /** Behind the seconds. */
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** By caller, the functions it may call, separated by spaces. The caller `*` stands for all. */
  readonly calls: Readonly<Record<string, string>>;
  /** Calls from the outermost function of the program to a leaf that must have been seen; repeats of one name count as one. */
  readonly chains: readonly string[];
  /** How often `name` must be in each stack that holds `below`. */
  readonly exactly?: { readonly name: string; readonly count: number; readonly below: string };
}

const common = {
  [LIBRARY]: 'main',
  main: `say out_of_time ${LIBRARY}`,
  say: LIBRARY,
  out_of_time: 'seconds_of',
  seconds_of: LIBRARY,
};

/** The calls that all programs in C and C++ have, and these. */
function calls(own: Readonly<Record<string, string>>): Record<string, string> {
  const merged: Record<string, string> = { ...common };
  for (const [caller, callees] of Object.entries(own)) merged[caller] = `${merged[caller] ?? ''} ${callees}`;
  return merged;
}

function recursion(depth: number): KnownProgram {
  return {
    name: `recursion_${depth}`,
    language: 'c',
    source: 'c/recursion.c',
    arguments: [`${depth}`],
    calls: calls({ main: 'descend', descend: 'descend bottom', bottom: 'burn' }),
    chains: ['main descend bottom burn'],
    exactly: { name: 'descend', count: depth, below: 'bottom' },
  };
}

const libraryCalls: KnownProgram = {
  name: 'library_calls',
  language: 'c',
  source: 'c/library_calls.c',
  libraries: [{ file: 'liblibrary.so', source: 'c/library.c', flags: [] }],
  linked: true,
  calls: calls({
    main: 'call_library call_back',
    call_library: LIBRARY,
    call_back: `library_calls_back ${LIBRARY}`,
    library_calls_back: 'burn',
  }),
  chains: ['main call_library', `main call_library ${LIBRARY}`, 'main call_back library_calls_back burn'],
};

export const KNOWN_PROGRAMS: readonly KnownProgram[] = [
  {
    name: 'callbacks',
    language: 'c',
    source: 'c/callbacks.c',
    calls: calls({
      main: 'sort_numbers find_number format_text allocate',
      sort_numbers: LIBRARY,
      // GNU's header has bsearch as an inline function.
      find_number: `compare_numbers ${LIBRARY}`,
      [LIBRARY]: 'compare_numbers',
      compare_numbers: 'burn',
      format_text: LIBRARY,
      allocate: LIBRARY,
    }),
    chains: [
      `main sort_numbers ${LIBRARY} compare_numbers burn`,
      `main format_text ${LIBRARY}`,
      `main allocate ${LIBRARY}`,
    ],
  },
  recursion(300),
  // With what is above `main`, stacks of 15, 35 and 65 frames.
  recursion(9),
  recursion(29),
  recursion(59),
  {
    name: 'threads',
    language: 'c',
    source: 'c/threads.c',
    calls: calls({
      main: 'start_and_join',
      start_and_join: LIBRARY,
      [LIBRARY]: 'thread_main',
      thread_main: 'thread_outer',
      thread_outer: 'thread_inner',
      thread_inner: 'burn',
    }),
    chains: ['thread_main thread_outer thread_inner burn'],
  },
  {
    name: 'plugins',
    language: 'c',
    source: 'c/plugins.c',
    libraries: [
      { file: 'alpha.so', source: 'c/plugin.c', flags: [] },
      { file: 'beta.so', source: 'c/plugin.c', flags: ['-DBETA'] },
    ],
    calls: calls({
      main: 'use_plugin',
      use_plugin: `plugin_entry seconds_of ${LIBRARY}`,
      plugin_entry: 'alpha_outer beta_outer',
      alpha_outer: 'alpha_inner',
      alpha_inner: 'alpha_leaf',
      beta_outer: 'beta_middle',
      beta_middle: 'beta_inner',
      beta_inner: 'beta_leaf',
    }),
    chains: [
      'main use_plugin plugin_entry alpha_outer alpha_inner alpha_leaf',
      'main use_plugin plugin_entry beta_outer beta_middle beta_inner beta_leaf',
    ],
  },
  {
    name: 'signals',
    language: 'c',
    source: 'c/signals.c',
    calls: calls({
      main: 'handle raise_here raise_on_alternate interrupted',
      handle: LIBRARY,
      raise_here: LIBRARY,
      raise_on_alternate: LIBRARY,
      interrupted: 'small_frames',
      small_frames: 'small_frames',
      // The frame that the kernel makes returns into libc.
      '*': LIBRARY,
      [LIBRARY]: 'on_raise on_alternate on_tick',
      on_raise: 'handler_work',
      on_alternate: 'handler_work',
      on_tick: 'handler_work',
      handler_work: 'burn',
    }),
    chains: [
      `main raise_here ${LIBRARY} on_raise handler_work burn`,
      `main raise_on_alternate ${LIBRARY} on_alternate handler_work burn`,
      `main interrupted small_frames ${LIBRARY} on_tick handler_work burn`,
    ],
  },
  {
    name: 'frames',
    language: 'c',
    source: 'c/frames.c',
    calls: calls({
      main: 'big_frame variable_length allocated stack_arguments every_register vectors jumps jump_target calls_leaf',
      big_frame: 'use',
      variable_length: 'use',
      allocated: 'use',
      use: 'burn',
      stack_arguments: 'ten_arguments',
      ten_arguments: 'burn',
      every_register: 'burn',
      vectors: 'aligned_frame aligned_variable',
      aligned_frame: 'aligned_leaf',
      aligned_variable: 'aligned_leaf',
      aligned_leaf: 'burn',
      jumps: 'jump_target',
      jump_target: 'burn',
      calls_leaf: 'frameless_leaf',
    }),
    chains: [
      'main big_frame use burn',
      'main variable_length use burn',
      'main allocated use burn',
      'main stack_arguments ten_arguments burn',
      'main every_register burn',
      'main vectors aligned_frame aligned_leaf burn',
      'main vectors aligned_variable aligned_leaf burn',
      'main calls_leaf frameless_leaf',
    ],
  },
  libraryCalls,
  { ...libraryCalls, name: 'library_calls_unbound', environment: { LD_BIND_NOT: '1' } },
  {
    name: 'syscalls',
    language: 'c',
    source: 'c/syscalls.c',
    calls: calls({
      main: 'read_zeros write_nothing through_pipe with_partner',
      read_zeros: LIBRARY,
      write_nothing: LIBRARY,
      through_pipe: LIBRARY,
      with_partner: `take_turns ${LIBRARY}`,
      take_turns: LIBRARY,
      [LIBRARY]: 'partner',
      partner: 'take_turns',
    }),
    chains: [`main read_zeros ${LIBRARY}`, `main write_nothing ${LIBRARY}`, `main through_pipe ${LIBRARY}`],
  },
  {
    name: 'faults',
    language: 'c',
    source: 'c/faults.c',
    calls: calls({
      main: 'map_and_touch ask_the_time',
      map_and_touch: `touch_pages ${LIBRARY}`,
      ask_the_time: LIBRARY,
    }),
    chains: ['main map_and_touch touch_pages', `main ask_the_time ${LIBRARY}`],
  },
  {
    name: 'processes',
    language: 'c',
    source: 'c/processes.c',
    calls: calls({
      main: 'fork_only exec_chain be_link seconds_of',
      fork_only: `child_work wait_for ${LIBRARY}`,
      child_work: 'burn',
      exec_chain: `next_link wait_for ${LIBRARY}`,
      wait_for: LIBRARY,
      next_link: LIBRARY,
      be_link: 'link_work next_link',
      link_work: 'burn',
    }),
    chains: ['main fork_only child_work burn', 'main be_link link_work burn'],
  },
  {
    name: 'exceptions',
    language: 'cpp',
    source: 'cpp/exceptions.cpp',
    calls: calls({
      main: 'known::catcher',
      'known::catcher': `known::rethrower known::handler_work ${LIBRARY}`,
      'known::rethrower': `known::guarded known::handler_work ${LIBRARY}`,
      'known::guarded': `known::descend known::Guard::~Guard ${LIBRARY}`,
      'known::descend': 'known::descend known::thrower',
      'known::thrower': LIBRARY,
      'known::Guard::~Guard': 'known::destructor_work',
      'known::destructor_work': 'burn',
      'known::handler_work': 'burn',
    }),
    chains: [
      `main known::catcher known::rethrower known::guarded known::descend known::thrower ${LIBRARY}`,
      'main known::catcher known::rethrower known::guarded known::Guard::~Guard known::destructor_work burn',
      'main known::catcher known::rethrower known::handler_work burn',
      'main known::catcher known::handler_work burn',
    ],
  },
  {
    name: 'standard_library',
    language: 'cpp',
    source: 'cpp/standard_library.cpp',
    calls: calls({
      main: 'known::sort_vector known::fill_map known::through_function known::draw_all known::repeated known::match_text known::write_stream',
      'known::sort_vector': `known::Order::operator() ${LIBRARY}`,
      'known::fill_map': `known::Order::operator() ${LIBRARY}`,
      [LIBRARY]: 'known::Order::operator() known::called',
      'known::Order::operator()': 'burn',
      'known::through_function': `known::called ${LIBRARY}`,
      'known::called': 'burn',
      'known::draw_all': `known::Circle::draw ${LIBRARY}`,
      'known::Circle::draw': 'known::called',
      'known::repeated': 'known::called',
      'known::match_text': LIBRARY,
      'known::write_stream': LIBRARY,
    }),
    chains: [
      'main known::draw_all known::Circle::draw known::called burn',
      'main known::repeated known::called burn',
      `main known::match_text ${LIBRARY}`,
      `main known::write_stream ${LIBRARY}`,
    ],
  },
  {
    name: 'rust_known',
    language: 'rust',
    source: 'rust/known.rs',
    calls: {
      [LIBRARY]:
        'main known::main known::compare known::in_iterator known::panics known::in_thread known::burn <known::Guard>::drop <known::Circle>::draw',
      main: LIBRARY,
      // Without optimisation, even a loop's range is a call.
      '*': LIBRARY,
      'known::main': `known::sort_numbers known::iterate known::draw_all known::generics known::descend known::catches known::threads known::cpu_seconds ${LIBRARY}`,
      'known::sort_numbers': `known::compare ${LIBRARY}`,
      'known::compare': 'known::burn',
      'known::iterate': `known::in_iterator ${LIBRARY}`,
      'known::in_iterator': 'known::burn',
      'known::draw_all': '<known::Circle>::draw',
      '<known::Circle>::draw': 'known::burn',
      'known::generics': 'known::generic',
      'known::generic': `known::burn ${LIBRARY}`,
      'known::descend': 'known::descend known::burn',
      'known::catches': `known::panics known::burn ${LIBRARY}`,
      'known::panics': `known::panics <known::Guard>::drop ${LIBRARY}`,
      '<known::Guard>::drop': 'known::burn',
      'known::threads': LIBRARY,
      'known::cpu_seconds': LIBRARY,
      'known::in_thread': 'known::burn',
    },
    chains: [
      `known::main known::sort_numbers ${LIBRARY} known::compare known::burn`,
      'known::main known::draw_all <known::Circle>::draw known::burn',
      'known::main known::generics known::generic known::burn',
      'known::main known::descend known::burn',
      'known::in_thread known::burn',
    ],
    exactly: { name: 'known::panics', count: 6, below: 'core::panicking::panic_fmt' },
  },
  {
    name: 'go_known',
    language: 'go',
    source: 'go/known',
    calls: {
      [LIBRARY]:
        'main.main main.sortNumbers.func1 main.inGoroutine main.goroutines.gowrap1 main.goroutines.func1 main.recovers.func1 main.burn main.panics.deferwrap1 main.inGoroutine.deferwrap1',
      'main.main': `main.descend main.sortNumbers main.drawAll main.generics main.makeGarbage main.recovers main.goroutines main.cpuSeconds ${LIBRARY}`,
      '*': LIBRARY,
      'main.descend': 'main.descend main.burn',
      'main.sortNumbers.func1': 'main.less',
      'main.less': 'main.burn',
      'main.drawAll': 'main.(*circle).draw',
      'main.(*circle).draw': 'main.burn',
      'main.generics': 'main.generic',
      'main.generic': 'main.burn',
      'main.makeGarbage': 'main.makeTree',
      'main.makeTree': 'main.makeTree',
      'main.recovers': 'main.panics',
      'main.panics': 'main.panics main.burn',
      'main.recovers.func1': 'main.burn',
      'main.goroutines.gowrap1': 'main.inGoroutine',
      'main.goroutines.func1': 'main.inGoroutine',
      'main.inGoroutine': 'main.burn',
    },
    chains: [
      'main.main main.descend main.burn',
      `main.main main.sortNumbers ${LIBRARY} main.sortNumbers.func1 main.less main.burn`,
      'main.main main.drawAll main.(*circle).draw main.burn',
      'main.main main.generics main.generic main.burn',
      'main.inGoroutine main.burn',
    ],
  },
  {
    name: 'go_cgo',
    language: 'go',
    source: 'go/cgo',
    calls: {
      [LIBRARY]: 'main.main c_work c_calls_back main.calledBack',
      '*': LIBRARY,
      'main.main': 'main.callC main.callCThatCallsBack main.cpuSeconds',
      c_work: 'c_burn',
      'main.calledBack': 'main.burn',
    },
    chains: [
      `main.main main.callC ${LIBRARY} c_work c_burn`,
      // On the goroutine's stack, the call back lies right above the call; C has a stack of its own.
      `main.main main.callCThatCallsBack ${LIBRARY} main.calledBack main.burn`,
    ],
  },
];
