import gc

import pytest

from lavie.runtime.loading import pause_garbage_collection


def fail_to_load() -> None:
    with pause_garbage_collection():
        assert not gc.isenabled()
        raise ValueError("broken file")


def test_garbage_is_collected_again_even_if_loading_failed():
    with pytest.raises(ValueError, match="broken file"):
        fail_to_load()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with pause_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
