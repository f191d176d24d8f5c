// SPDX-License-Identifier: Apache-2.0
//
// For tests: a program without libc, frame pointers and unwind information, whose stack is known at each instruction. The
// labels tell a test where the distance to the return address changes. Runs until it is killed.

#if defined(__x86_64__)
    .text
    .globl _start, outer, outer_pushed, inner, inner_pushed, inner_reserved
_start:
    xor %ebp, %ebp
    call outer
    hlt

outer:
    push %rbx
outer_pushed:
    call inner
    pop %rbx
    ret

inner:
    push %r12
inner_pushed:
    sub $4096, %rsp
inner_reserved:
    mov $39, %eax
    syscall
    mov $1000000, %ecx
1:  dec %ecx
    jnz 1b
    jmp inner_reserved
#elif defined(__aarch64__)
    .text
    .globl _start, outer, outer_pushed, inner, inner_pushed, inner_reserved
_start:
    mov x29, #0
    bl outer
    brk #0

outer:
    str x30, [sp, #-16]!
outer_pushed:
    bl inner
    ldr x30, [sp], #16
    ret

inner:
    str x30, [sp, #-16]!
inner_pushed:
    sub sp, sp, #4096
inner_reserved:
    mov x8, #172
    svc #0
    ldr w0, =1000000
1:  subs w0, w0, #1
    b.ne 1b
    b inner_reserved
#endif
    .section .note.GNU-stack, "", %progbits
