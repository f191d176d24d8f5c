# SPDX-License-Identifier: Apache-2.0
#
# Runs inside of gdb. Stops a process at random moments, says what gdb makes of the stack of one thread, and then makes
# that thread stand still, running: its next instruction becomes a jump to itself for some milliseconds, while all other
# threads stay stopped. Registers and stack are those of the stop all the while, so a profiler that samples the thread
# sees the very moment that gdb has seen.
#
# Commands on standard input, JSON objects, one a line, on descriptor 3 in answer. A command that lets the process run
# says {"running": true} first; SIGINT, sent to the process by whoever gives the commands, ends it, and is not passed on.
#
#   stop   lets the process run, and after SIGINT says what it stopped in
#   spin   lets the chosen thread stand still, until SIGINT
#   quit

import json
import os
import random
import sys

import gdb

JUMP_TO_ITSELF = b"\xeb\xfe"
MAX_FRAMES = 1024
SIGN_BIT = 1 << 63

answers = os.fdopen(3, "w")
chosen = None


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def run():
    answer({"running": True})
    gdb.execute("continue", to_string=True)


def stack():
    """Program counters, outermost last, without the frames that gdb makes up for inlined functions and jumps."""
    frames = []
    frame = gdb.newest_frame()
    last = frame
    error = ""
    while frame is not None and len(frames) < MAX_FRAMES:
        last = frame
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            pc = frame.pc()
            frames.append({
                "pc": str(pc),
                "name": frame.name() or "",
                "file": gdb.solib_name(pc) or "",
                "signal": frame.type() == gdb.SIGTRAMP_FRAME,
            })
        try:
            frame = frame.older()
        except gdb.error as failure:
            error = str(failure)
            break
    reason = last.unwind_stop_reason()
    if error == "" and reason not in (gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST):
        error = gdb.frame_stop_reason_string(reason)
    return frames, error


def position():
    frame = gdb.newest_frame()
    return frame.pc(), int(frame.read_register("rsp"))


def in_system_call(thread):
    thread.switch()
    return int(gdb.newest_frame().read_register("orig_rax")) & SIGN_BIT == 0


def stop():
    global chosen
    chosen = None
    inferior = gdb.selected_inferior()
    run()
    threads = [thread for thread in inferior.threads() if thread.is_valid()]
    random.shuffle(threads)
    running = [thread for thread in threads if not in_system_call(thread)]
    if not running:
        return {"skipped": "every thread is in a system call"}
    thread = running[0]
    thread.switch()
    pc, sp = position()
    frames, error = stack()
    chosen = (thread, pc, sp)
    return {"tid": thread.ptid[1], "pc": str(pc), "frames": frames, "error": error}


def spin():
    thread, pc, sp = chosen
    inferior = gdb.selected_inferior()
    thread.switch()
    before = inferior.read_memory(pc, len(JUMP_TO_ITSELF)).tobytes()
    try:
        inferior.write_memory(pc, JUMP_TO_ITSELF)
    except gdb.error as failure:
        return {"stood": False, "why": str(failure)}
    # A timer's handler would stand still as well, on top of the stack that was seen.
    gdb.execute("handle SIGALRM nopass", to_string=True)
    gdb.execute("set scheduler-locking on")
    try:
        run()
        stood = position() == (pc, sp)
    finally:
        gdb.execute("handle SIGALRM pass", to_string=True)
        gdb.execute("set scheduler-locking off")
        inferior.write_memory(pc, before)
    return {"stood": stood}


for setting in (
    "pagination off",
    "confirm off",
    "backtrace past-main on",
    "backtrace past-entry on",
    "backtrace limit unlimited",
    "print thread-events off",
    "debuginfod enabled off",
):
    gdb.execute("set " + setting)
gdb.execute("handle all nostop noprint pass", to_string=True)
gdb.execute("handle SIGINT stop print nopass", to_string=True)
gdb.execute("handle SIGTRAP stop print nopass", to_string=True)

commands = {"stop": stop, "spin": spin}
answer({"ready": True})
for line in sys.stdin:
    name = line.strip()
    if name == "quit":
        break
    try:
        answer(commands[name]())
    except (gdb.error, gdb.MemoryError, RuntimeError) as failure:
        answer({"failed": str(failure)})
