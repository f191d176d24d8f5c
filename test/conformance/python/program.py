# SPDX-License-Identifier: Apache-2.0
"""A program that pyroscope-io profiles until it is killed: SERVER APPLICATION."""

import sys
import time

import pyroscope

server, application = sys.argv[1:3]
pyroscope.configure(
    application_name=application,
    server_address=server,
    tags={"region": "eu-north"},
    sample_rate=100,
    upload_interval=2,
    mem_enabled=True,
    mem_heap_sample_size=64 * 1024,
    enable_logging=True,
)

kept = []


def spend_time_here(seconds):
    total = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number in range(1000):
            total += number * number
    return total


def allocate_here():
    kept.append(bytearray(1 << 20))
    if len(kept) > 50:
        kept.pop(0)


while True:
    with pyroscope.tag_wrapper({"controller": "checkout"}):
        spend_time_here(0.04)
        allocate_here()
