// SPDX-License-Identifier: Apache-2.0
//
// Does known things for a while, so that a profiler can be asked for them: three quarters of the CPU time in `hot`, one
// quarter in `warm`, allocations in `allocate`, a contended monitor in `contend`, and a thread parked in `park`.
//
// Arguments: how many milliseconds of CPU time to spend in all.

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.locks.LockSupport;

public final class HotSplit {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final long HOT_NANOS = 30_000_000;
    private static final long WARM_NANOS = 10_000_000;
    private static final Object MONITOR = new Object();

    static volatile long sink;
    static volatile Object[] kept = new Object[64];
    static volatile boolean isDone;

    public static void main(String[] arguments) throws InterruptedException {
        long cpuNanos = Long.parseLong(arguments[0]) * 1_000_000;
        Thread holder = new Thread(HotSplit::hold, "holder");
        Thread contender = new Thread(HotSplit::contend, "contender");
        Thread parker = new Thread(HotSplit::park, "parker");
        holder.start();
        contender.start();
        parker.start();
        work(cpuNanos);
        isDone = true;
        holder.join();
        contender.join();
        parker.join();
        System.out.println("done");
    }

    static void work(long cpuNanos) {
        long end = THREADS.getCurrentThreadCpuTime() + cpuNanos;
        while (THREADS.getCurrentThreadCpuTime() < end) {
            hot(THREADS.getCurrentThreadCpuTime() + HOT_NANOS);
            warm(THREADS.getCurrentThreadCpuTime() + WARM_NANOS);
            allocate();
        }
    }

    static void hot(long end) {
        long sum = 0;
        do {
            for (int i = 0; i < 200_000; i++) sum += sum * 31 + i;
        } while (THREADS.getCurrentThreadCpuTime() < end);
        sink = sum;
    }

    static void warm(long end) {
        long sum = 1;
        do {
            for (int i = 1; i < 200_000; i++) sum ^= sum * 7 + i;
        } while (THREADS.getCurrentThreadCpuTime() < end);
        sink = sum;
    }

    static void allocate() {
        for (int i = 0; i < 64; i++) kept[i] = new byte[i % 8 == 0 ? 4_000_000 : 20_000];
    }

    static void hold() {
        while (!isDone) {
            synchronized (MONITOR) {
                sleep(20);
            }
            sleep(5);
        }
    }

    static void contend() {
        while (!isDone) {
            synchronized (MONITOR) {
                sink++;
            }
            sleep(2);
        }
    }

    static void park() {
        while (!isDone) LockSupport.parkNanos(15_000_000);
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException exception) {
            throw new IllegalStateException(exception);
        }
    }
}
