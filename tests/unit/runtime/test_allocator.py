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


def faults(*arguments):
    command = [sys.executable, "-c", COUNT_FAULTS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not IS_GLIBC, reason="other C libraries cannot be told")
def test_memory_that_is_kept_needs_not_be_cleared_again():
    assert int(faults("keep")) < int(faults()) / 10


def test_memory_is_given_back_where_the_c_library_can():
    assert give_back_freed_memory() == IS_GLIBC
