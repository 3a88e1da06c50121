"""What this machine is: what a bug report needs, and what decides which model is worth trying."""

import importlib.util
import os
import platform
from dataclasses import dataclass
from importlib import metadata

import torch

from lavie import __version__
from lavie.runtime.devices import choose_device
from lavie.runtime.memory import free_memory
from lavie.runtime.profiles import choose_profile

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "peft", "gradio", "safetensors")
OPTIONAL_PACKAGES = ("xformers", "bitsandbytes", "tensorboard")


@dataclass(frozen=True)
class Device:
    """Something that computes.

    Attributes:
        name: As ``torch.device`` takes it.
        description: What it is called.
        memory_bytes: All of its memory; None where the system does not say.
    """

    name: str
    description: str
    memory_bytes: int | None


@dataclass(frozen=True)
class SystemInfo:
    """Versions and devices of this machine.

    Attributes:
        lavie: Our version.
        python: Its version.
        system: Operating system and processor family.
        packages: Version by name; None: not installed.
        optional_packages: Likewise.
        devices: The CPU first, then accelerators.
        cpu_threads: How many PyTorch uses.
        profile: The memory profile that is chosen now, see `lavie.runtime.profiles`.
        free_bytes: Memory that is free for it; None where the system does not say.
    """

    lavie: str
    python: str
    system: str
    packages: dict[str, str | None]
    optional_packages: dict[str, str | None]
    devices: tuple[Device, ...]
    cpu_threads: int
    profile: str
    free_bytes: int | None


def system_info() -> SystemInfo:
    """Look at this machine."""
    device = choose_device()
    free_bytes = free_memory(device)
    return SystemInfo(
        lavie=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        packages={name: _version(name) for name in PACKAGES},
        optional_packages={name: _version(name) for name in OPTIONAL_PACKAGES},
        devices=(Device("cpu", f"{os.cpu_count()} cores", _memory_bytes()), *_accelerators()),
        cpu_threads=torch.get_num_threads(),
        profile=choose_profile(device, free_bytes).name,
        free_bytes=free_bytes,
    )


def describe(info: SystemInfo) -> list[str]:
    """Lay the facts out as lines for a terminal."""

    def versions(packages: dict[str, str | None]) -> str:
        return ", ".join(f"{name} {version or '(absent)'}" for name, version in packages.items())

    devices = [
        f"  {device.name}   {device.description}"
        + (f", {device.memory_bytes / 1e9:.1f} GB" if device.memory_bytes else "")
        for device in info.devices
    ]
    return [
        f"lavie {info.lavie}, Python {info.python}, {info.system}",
        f"packages: {versions(info.packages)}",
        f"optional: {versions(info.optional_packages)}",
        f"devices ({info.cpu_threads} CPU threads in use):",
        *devices,
        f"memory profile of the published models: {info.profile}"
        + (f" ({info.free_bytes / 1e9:.1f} GB free)" if info.free_bytes is not None else ""),
    ]


def _version(package: str) -> str | None:
    # Looked up, not imported: some of these take seconds, or fail without a GPU.
    if importlib.util.find_spec(package) is None:
        return None
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown version"


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def _accelerators() -> list[Device]:
    devices = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            devices.append(Device(f"cuda:{index}", properties.name, properties.total_memory))
    if torch.backends.mps.is_available():
        devices.append(Device("mps", "Apple GPU", None))
    return devices
