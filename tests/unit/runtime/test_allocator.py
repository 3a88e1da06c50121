import platform
import subprocess
import sys

import pytest

from lavie.runtime.allocator import give_back_freed_memory

IS_GLIBC = platform.libc_ver()[0] == "glibc"

COUNT_FAULTS = """
import resource, sys, torch
from lavie.runtime.allocator import keep_freed_memory
if "keep" in sys.argv and not keep_freed_memory():
    raise SystemExit("not kept")
for _ in range(10):
    torch.ones(16_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(16_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

COUNT_KEPT = """
import re, sys
from pathlib import Path
from lavie.runtime.allocator import keep_large_blocks_apart
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
if "apart" in sys.argv and not keep_large_blocks_apart():
    raise SystemExit("not apart")
bytearray(2**24)
before = resident()
large, small = [], []
for _ in range(200):
    large.append(bytearray(10**6))
    small.append(bytearray(2000))
del large
print(resident() - before)
"""


def run(program, *arguments):
    command = [sys.executable, "-c", program, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not IS_GLIBC, reason="other C libraries cannot be told")
def test_memory_that_is_kept_needs_not_be_cleared_again():
    assert run(COUNT_FAULTS, "keep") < run(COUNT_FAULTS) / 10


def test_memory_is_given_back_where_the_c_library_can():
    assert give_back_freed_memory() == IS_GLIBC


@pytest.mark.skipif(not IS_GLIBC, reason="other C libraries cannot be told")
def test_large_blocks_go_back_though_small_ones_lie_between_them():
    assert run(COUNT_KEPT) > 150
    assert run(COUNT_KEPT, "apart") < 10
