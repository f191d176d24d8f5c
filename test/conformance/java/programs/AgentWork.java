// SPDX-License-Identifier: Apache-2.0
//
// Works under the Java agent of Pyroscope: `AgentWork.labelled` with a label of its own, `AgentWork.spanned` in a span of a
// trace, `AgentWork.plain` in neither, the same CPU time each, round and round until it is killed or its time is over.
//
// Arguments: how many seconds to run at most.

import io.pyroscope.javaagent.ProfilerSdk;
import io.pyroscope.labels.v2.LabelsSet;
import io.pyroscope.labels.v2.Pyroscope;

public final class AgentWork {
    private static final long SPAN_ID = 0x0123456789abcdefL;
    private static final String TRACE_ID = "00112233445566778899aabbccddeeff";
    private static final String SPAN_NAME = "checkout";

    static volatile long sink;
    static volatile byte[][] kept = new byte[64][];

    public static void main(String[] arguments) {
        long end = System.nanoTime() + Long.parseLong(arguments[0]) * 1_000_000_000L;
        ProfilerSdk profiler = new ProfilerSdk();
        long spanName = profiler.registerConstant(SPAN_NAME);
        while (System.nanoTime() < end) {
            Pyroscope.LabelsWrapper.run(new LabelsSet("step", "labelled"), AgentWork::labelled);
            profiler.setTracingContext(SPAN_ID, spanName);
            profiler.setTraceId(TRACE_ID);
            spanned();
            profiler.clearTraceId();
            profiler.setTracingContext(0, 0);
            plain();
            for (int i = 0; i < kept.length; i++) kept[i] = new byte[100_000];
        }
    }

    static void labelled() {
        burn();
    }

    static void spanned() {
        burn();
    }

    static void plain() {
        burn();
    }

    private static void burn() {
        long end = System.nanoTime() + 20_000_000;
        long sum = 0;
        do {
            for (int i = 0; i < 100_000; i++) sum += sum * 31 + i;
        } while (System.nanoTime() < end);
        sink = sum;
    }
}
