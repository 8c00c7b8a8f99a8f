"""ThingsBoard IoT Gateway, with each of its three storages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..mine import Reading
from .contestant import Contestant, Unavailable

_HERE = Path(__file__).resolve().parent
_REQUIREMENTS = _HERE / "thingsboard_requirements.txt"

#: The gateway's name at the broker: the ACL tells it by this.
_TOKEN = "thingsboard-gateway"

#: What it may be sent. Everything else it subscribes to carries its own messages back to it, which
#: only a ThingsBoard server would not do: it takes its own requests for a server's.
_READABLE = ["v1/devices/me/rpc/response/+"]

_DEVICE = re.compile(r"s(\d+)u(\d+)")


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "edge-agent-bench" / "thingsboard"


def _venv() -> Path:
    return _cache() / "venv"


def _python() -> Path:
    return _venv() / "bin" / "python"


class ThingsBoard(Contestant):
    warm_up = 10.0
    wide = os.environ.get("TB_WIDE", "1") == "1"
    delay = int(os.environ.get("TB_DELAY", "10"))

    @classmethod
    def version(cls) -> str:
        pins = dict(
            line.split("==") for line in _REQUIREMENTS.read_text().split() if "==" in line)
        python = ".".join(str(part) for part in sys.version_info[:3])
        return (f"thingsboard-gateway {pins['thingsboard-gateway']}, "
                f"pymodbus {pins['pymodbus']}, Python {python}")

    @classmethod
    def install(cls) -> None:
        stamp = _venv() / "requirements-installed.txt"
        wanted = f"{sys.version}\n{_REQUIREMENTS.read_text()}"
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        shutil.rmtree(_venv(), ignore_errors=True)
        _venv().parent.mkdir(parents=True, exist_ok=True)
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
        self._acl.write_text(_acl())

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
        if topic != "v1/gateway/telemetry" or is_retained:
            return
        for name, rows in json.loads(payload).items():
            device = _DEVICE.fullmatch(name)
            if device is None:
                continue
            station, unit = int(device[1]), int(device[2])
            for row in rows if isinstance(rows, list) else [rows]:
                values = row.get("values", row)
                for tag, value in values.items():
                    if tag[0] == "r":
                        yield Reading(station, unit, int(tag[1:]) // 2, int(value))

    @property
    def _acl(self) -> Path:
        return self.directory / "acl"

    def _stored(self) -> dict:
        """The section `storage` of its configuration."""
        raise NotImplementedError

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
                "minPackSendDelayMS": self.delay,
                "minPackSizeToSend": 1,
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
        if self.wide:
            return [{
            "tag": "r${address}",
            "type": "32float",
            "functionCode": 3,
            "address": f"0-{2 * self.mine.points - 1}",
            "objectsCount": 2,
            "maxRegistersPerRequest": 124,
        }]
        return [{"tag": f"r{2*p}", "type": "32float", "functionCode": 3, "address": 2*p, "objectsCount": 2} for p in range(self.mine.points)]


class ThingsBoardMemory(ThingsBoard):
    name = "ThingsBoard gateway, memory"
    store = "memory"

    def _stored(self) -> dict:
        return {"type": "memory", "read_records_count": 1000, "max_records_count": 100000}


class ThingsBoardSQLite(ThingsBoard):
    name = "ThingsBoard gateway, SQLite"
    store = "SQLite"

    def _stored(self) -> dict:
        return {
            "type": "sqlite",
            "data_file_path": f"{self.storage}/",
            "max_read_records_count": 1000,
            "writing_batch_size": int(os.environ.get("TB_BATCH", "1000")),
        }


class ThingsBoardFile(ThingsBoard):
    name = "ThingsBoard gateway, file"
    store = "file"

    def _stored(self) -> dict:
        return {
            "type": "file",
            "data_folder_path": f"{self.storage}/",
            "max_file_count": 100,
            "max_records_per_file": 10000,
            "max_records_between_fsync": 1,
            "max_read_records_count": 1000,
        }


#: Errors only, to the standard error.
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


def _acl() -> str:
    lines = ["topic readwrite #", "", f"user {_TOKEN}", "topic write #"]
    return "\n".join(lines + [f"topic read {topic}" for topic in _READABLE]) + "\n"


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1))


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    except subprocess.CalledProcessError as error:
        output = (error.stderr or error.stdout).strip().splitlines()
        raise Unavailable(f"{' '.join(command[:4])}: {output[-1] if output else error}") from error
