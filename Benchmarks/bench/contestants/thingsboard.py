"""ThingsBoard IoT Gateway, with each of its three storages.

Tuned in its favour, after its source and what was tried (256 points/s, on a busy machine):

- One range of registers a device instead of one entry a point: the same CPU time at 16 points a
  device, about half of it at 200.
- The sleep where the storage is empty: 50 ms is the default; 10 and 20 ms cost no more and are up
  to 30 ms faster; 1 ms costs more CPU time and gains nothing beyond.
- SQLite's batch: as many records as a cycle has. With the default each waits for 0.1 s; the median
  latency fell from 0.2 to 0.12 s, and there is still one commit a cycle.
- No statistics, no remote configuration, no report strategy (so every value is sent), no limits of
  rates, a payload of 64 KiB, warnings and errors only.

What can't be set: its Modbus side looks for due devices and for data to convert each 100 ms, and
for data to store each 1 ms; the writer of SQLite wakes each 100 ms; it tries for the broker again
5, 15, 35, 75, 155 … seconds after it lost it.

What was seen with 16 stations of 16 points at 1 Hz: the first value 1.3 to 2.0 s after its start;
2 to 6 CPU seconds a minute; RSS 65 to 71 MB, 17 or 18 threads; the median latency 0.05 to 0.13 s
(SQLite: 0.12 to 0.2), 13 bytes of payload a value. A device is read each 1.006 s: it counts the
period from when it woke up. An outage of the broker of 10 or 60 s lost and repeated nothing with
any storage; the first fresh value came 5 and 15 s after the broker, in one message a device with
the whole backlog. With a kill in the outage, memory lost all of it until the kill, the others at
most the cycle that was on its way to the storage. After a start without a broker nothing is stored
until it has connected, whatever the storage: a second kill lost all of that. It waits 1 s for an
acknowledgement, then takes it as given as long as the connection stands. It does not handle
SIGTERM.

An ACL keeps its own messages from it: on a plain broker it is sent its own requests and, once it
has come back after an outage, answers them with an error. A companion answers the one that it waits
for, see `thingsboard_answers.py`; without it, nothing is published, ever.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from abc import abstractmethod
from pathlib import Path

from ..mine import Reading
from .contestant import Contestant, Unavailable

_HERE = Path(__file__).resolve().parent
_REQUIREMENTS = _HERE / "thingsboard_requirements.txt"

#: The gateway's name at the broker: the ACL tells it by this.
_TOKEN = "thingsboard-gateway"

#: How long it sleeps where its storage is empty (50 if not said).
_SEND_DELAY_MS = 10

#: The records that it takes from its storage at a time.
_PACK = 1000

_TELEMETRY = "v1/gateway/telemetry"
_DEVICE = re.compile(r"s(\d+)u(\d+)")

#: What it may be sent. Everything else it subscribes to carries its own messages back to it, which
#: only a ThingsBoard server would not do: it takes its own requests for a server's.
_READABLE = "v1/devices/me/rpc/response/+"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "edge-agent-bench" / "thingsboard"


def _venv() -> Path:
    return _cache() / "venv"


def _python() -> Path:
    return _venv() / "bin" / "python"


class ThingsBoard(Contestant):
    """What the three have in common: all but the section `storage` of the configuration."""

    @classmethod
    def version(cls) -> str:
        pins = dict(
            line.split("==") for line in _REQUIREMENTS.read_text().split() if "==" in line)
        python = ".".join(str(part) for part in sys.version_info[:3])
        return (f"thingsboard-gateway {pins['thingsboard-gateway']}, "
                f"pymodbus {pins['pymodbus']}, Python {python}")

    @classmethod
    def install(cls) -> None:
        """All it loads, at pinned versions: it would install what it misses when it runs."""
        stamp = _venv() / "requirements-installed.txt"
        wanted = f"{sys.version}\n{_REQUIREMENTS.read_text()}"
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        shutil.rmtree(_venv(), ignore_errors=True)
        try:
            _venv().parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(str(error)) from error
        # On Debian, this needs the package python3-venv.
        _run([sys.executable, "-m", "venv", str(_venv())])
        _run([str(_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
              "--no-input", "-r", str(_REQUIREMENTS)])
        stamp.write_text(wanted)

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.storage.mkdir(parents=True, exist_ok=True)
        _write(self.directory / "tb_gateway.json", self._gateway())
        _write(self.directory / "modbus.json", self._modbus())
        _write(self.directory / "logs.json", _LOGS)
        self._acl.write_text(_ACL)

    def command(self) -> list[str]:
        return [str(_venv() / "bin" / "thingsboard-gateway")]

    def environment(self) -> dict[str, str]:
        # It asks its maker's server for a newer version, whatever its configuration says: a proxy
        # that refuses keeps it on loopback.
        return {
            "TB_GW_CONFIG_DIR": str(self.directory),
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "PIP_NO_INDEX": "1",
        }

    def broker_configuration(self) -> str:
        return f"acl_file {self._acl}\n"

    def companions(self) -> list[list[str]]:
        return [[str(_python()), str(_HERE / "thingsboard_answers.py"), str(self.broker_port)]]

    def readings(self, topic: str, payload: bytes, is_retained: bool):
        if topic != _TELEMETRY or is_retained:
            return
        for name, rows in json.loads(payload).items():
            device = _DEVICE.fullmatch(name)
            if device is None:
                continue
            station, unit = int(device[1]), int(device[2])
            for row in rows:
                for tag, value in row["values"].items():
                    yield Reading(station, unit, int(tag[1:]) // 2, int(value))

    @property
    def _acl(self) -> Path:
        return self.directory / "acl"

    @abstractmethod
    def _stored(self) -> dict:
        """The section `storage` of its configuration."""

    def _gateway(self) -> dict:
        return {
            "thingsboard": {
                "host": "127.0.0.1",
                "port": self.broker_port,
                "remoteShell": False,
                "remoteConfiguration": False,
                "latencyDebugMode": False,
                "statistics": {"enable": False, "enableCustom": False},
                "deviceFiltering": {"enable": False},
                "maxPayloadSizeBytes": 65536,
                "minPackSendDelayMS": _SEND_DELAY_MS,
                "checkConnectorsConfigurationInSeconds": 86400,
                "handleDeviceRenaming": False,
                "syncDevicesSharedAttributesOnConnect": False,
                "checkingDeviceActivity": {"checkDeviceInactivity": False},
                "reportStrategy": {"type": "DISABLED"},
                "security": {"type": "accessToken", "accessToken": _TOKEN},
                "qos": 1,
            },
            "storage": self._stored(),
            "grpc": {"enabled": False},
            "connectors": [
                {"name": "Mine", "type": "modbus", "configuration": "modbus.json"},
            ],
        }

    def _modbus(self) -> dict:
        return {
            "id": "mine",
            "logLevel": "ERROR",
            "enableRemoteLogging": False,
            "master": {
                "slaves": [self._device(station, unit) for station, unit in self.mine.devices()],
            },
        }

    def _device(self, station: int, unit: int) -> dict:
        return {
            "host": "127.0.0.1",
            "port": self.mine.port(station),
            "type": "tcp",
            "method": "socket",
            "unitId": unit,
            "deviceName": f"s{station}u{unit}",
            "deviceType": "default",
            "timeout": 5,
            "byteOrder": "BIG",
            "wordOrder": "BIG",
            "retries": 3,
            "pollPeriod": round(self.mine.interval * 1000),
            "connectAttemptTimeMs": 500,
            "connectAttemptCount": 5,
            "waitAfterFailedAttemptsMs": 30000,
            "attributes": [],
            "timeseries": self._points(),
            "attributeUpdates": [],
            "rpc": [],
        }

    def _points(self) -> list[dict]:
        """All in one range: requests of up to 124 registers instead of one request a point."""
        return [{
            "tag": "r${address}",
            "type": "32float",
            "functionCode": 3,
            "address": f"0-{2 * self.mine.points - 1}",
            "objectsCount": 2,
            "maxRegistersPerRequest": 124,
        }]


class ThingsBoardMemory(ThingsBoard):
    """Its default. A record is one device's values of one cycle; the shipped sizes are ample."""

    name = "thingsboard-memory"
    store = "memory"

    def _stored(self) -> dict:
        # As shipped: 100 and 100,000 (1,000 and 10,000 where they are not said).
        return {"type": "memory", "read_records_count": _PACK, "max_records_count": 100_000}


class ThingsBoardSQLite(ThingsBoard):
    """SQLite with a write-ahead log and `synchronous=NORMAL`: a commit is not synced."""

    name = "thingsboard-sqlite"
    store = "SQLite, not synced"

    def _stored(self) -> dict:
        return {
            "type": "sqlite",
            "data_file_path": f"{self.storage}/",
            # 10 as shipped, 1,000 where it is not said.
            "max_read_records_count": _PACK,
            # It collects for 0.1 s, or until it has so many; 1,000 if not said.
            "writing_batch_size": min(1000, len(self.mine.devices())),
            # The defaults: 10 files of 1,024 MB each.
            "size_limit": 1024,
            "max_db_amount": 10,
        }


class ThingsBoardFile(ThingsBoard):
    """Lines of base64 in files, flushed but never synced, and a file with the reader's place."""

    name = "thingsboard-file"
    store = "files, not synced"

    def _stored(self) -> dict:
        return {
            "type": "file",
            "data_folder_path": f"{self.storage}/",
            # As shipped (5 files of 3 records where they are not said).
            "max_file_count": 10,
            "max_records_per_file": 10_000,
            # The default: each line is flushed to the kernel, so that a kill loses none.
            "max_records_between_fsync": 1,
            # 10 as shipped, 1,000 where it is not said.
            "max_read_records_count": _PACK,
        }


#: Warnings and errors, to the standard error.
_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"consoleHandler": {"class": "logging.StreamHandler", "level": "WARNING"}},
    "loggers": {
        name: {"handlers": ["consoleHandler"], "level": "WARNING", "propagate": False}
        for name in ["database", "service", "connector", "converter", "tb_connection", "storage",
                     "extension"]
    },
    "root": {"level": "ERROR", "handlers": ["consoleHandler"]},
}


_ACL = f"""\
topic readwrite #

user {_TOKEN}
topic write #
topic read {_READABLE}
"""


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1))


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    except subprocess.CalledProcessError as error:
        output = " ".join((error.stderr or error.stdout).split())[-300:]
        raise Unavailable(f"{' '.join(command[:4])}: {output or error}") from error
