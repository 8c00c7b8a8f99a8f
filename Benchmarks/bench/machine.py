"""Facts of the machine that figures depend on."""

import os
import platform
import shutil
import subprocess
from pathlib import Path


def facts() -> dict[str, str | int | float]:
    return {
        "system": _system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "load": os.getloadavg()[0],
        "broker": _broker(),
        "python": platform.python_version(),
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _cpu() -> str:
    found = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip().lower(), value.strip())
    # ARM boards name themselves in other lines.
    return found.get("model name") or found.get("hardware") or found.get("model") or "unknown"


def _broker() -> str:
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    try:
        output = subprocess.run([program, "-h"], capture_output=True, text=True, timeout=10).stdout
    except OSError:
        return "none"
    return output.partition("\n")[0].strip()
