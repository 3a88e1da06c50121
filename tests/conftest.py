import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # processes that share the cores, with all they start
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if pyfuncitem.get_closest_marker("new_process") is None:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(pyfuncitem.obj, **arguments).result()
    return True


@pytest.fixture(autouse=True)
def nobody_is_pushed_aside():
    """What has real-time priority leaves no core to the tests of the other process."""
    yield
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A tiny model with random weights. Shared: tests that change anything copy it."""
    from tests.tiny import write_tiny_model  # torch, which tests of the page do without

    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def cascade_folder(tmp_path_factory):
    """A tiny model of all three stages with random weights. Shared, as `model_folder`."""
    from tests.tiny import write_tiny_cascade

    return write_tiny_cascade(tmp_path_factory.mktemp("cascade"))


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory):
    """A real Redis, in a process of its own."""
    from app.jobs.wire import Wire
    from lavie.errors import InputError

    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs Debian's redis-server")
    folder = tmp_path_factory.mktemp("redis")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([program, *flags], stdout=subprocess.DEVNULL)
    try:
        address = f"redis://127.0.0.1:{port}/0"
        for _ in range(100):
            try:
                Wire(address, folder)
                break
            except InputError:
                time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait(10)
