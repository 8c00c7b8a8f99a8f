"""collectd with its modbus and mqtt plugins, as Debian packages it."""

import math
import os
import re
import shutil
import subprocess
from pathlib import Path

from ..mine import Reading
from .contestant import Contestant, Unavailable

_PACKAGE = "collectd-core"
_PROGRAM = "/usr/sbin/collectd"
_PLUGINS = Path("/usr/lib/collectd")
#: After each publish the plugin takes at most one packet of the broker's. Where that is not yet the
#: acknowledgement, values seem to pile up behind the 20 that may be in flight and go out with the
#: next cycle's, a second late. Tried, one short run each, read x write threads: at 256 points/s
#: 1x1, 1x2, 1x5, 2x5, 4x1, 4x5, 16x5, 16x16, where one read thread had the fewest late values
#: with 2 or 5 write threads; at 8,192 to 24,576 points/s 1x5, 2x2, 2x5, 4x1, 4x5, 5x5, 16x16,
#: where one read thread no longer kept up with 16,384 and 2x5 had the lowest latency.
_POINTS_PER_SECOND_A_READ_THREAD = 8192
_READ_THREADS_AT_MOST = 2
_WRITE_THREADS = 5

_CONFIGURATION = """\
Hostname "bench"
FQDNLookup false
BaseDir "{directory}"
PIDFile "{directory}/collectd.pid"
Interval {interval:g}
MaxReadInterval {interval:g}
ReadThreads {read_threads}
WriteThreads {write_threads}
CollectInternalStats false

LoadPlugin logfile
<Plugin logfile>
  LogLevel err
  File "{directory}/collectd.log"
  Timestamp true
</Plugin>

LoadPlugin mqtt
<Plugin mqtt>
  <Publish "bench">
    Host "127.0.0.1"
    Port {broker_port}
    ClientId "collectd"
    QoS 1
    Retain false
    StoreRates false
  </Publish>
</Plugin>

LoadPlugin modbus
<Plugin modbus>
{data}
{hosts}
</Plugin>
"""

_DATA = """\
  <Data "p{point}">
    RegisterBase {register}
    RegisterType Float
    RegisterCmd ReadHolding
    Type gauge
    Instance "{point}"
  </Data>"""

_HOST = """\
  <Host "s{station}">
    Address "127.0.0.1"
    Port "{port}"
    Interval {interval:g}
{slaves}
  </Host>"""

_SLAVE = """\
    <Slave {unit}>
      Instance "{unit}"
{collect}
    </Slave>"""

# Prefix, host, plugin and its instance, type and its instance.
_TOPIC = re.compile(r"collectd/s(\d+)/modbus-(\d+)/gauge-(\d+)")


class Collectd(Contestant):
    """One request a value and one message a value, with QoS 1.

    What it can't publish it drops: a value that fails is not tried again.
    """

    name = "collectd"
    store = "none"

    @classmethod
    def install(cls) -> None:
        if not is_installed():
            _install()
        if not is_installed():
            raise Unavailable(f"{_PACKAGE} lacks {_PROGRAM} or its modbus or mqtt plugin")

    @classmethod
    def version(cls) -> str:
        result = subprocess.run([_PROGRAM, "-h"], capture_output=True, text=True, timeout=10)
        found = re.search(r"collectd (\d[\w.]*)", result.stdout)
        return f"collectd {found[1]}" if found else "collectd"

    def prepare(self) -> None:
        mine = self.mine
        points = range(mine.points)
        collect = "\n".join(f'      Collect "p{point}"' for point in points)
        slaves = "\n".join(
            _SLAVE.format(unit=unit, collect=collect) for unit in range(1, mine.units + 1)
        )
        text = _CONFIGURATION.format(
            directory=self.directory,
            broker_port=self.broker_port,
            interval=mine.interval,
            read_threads=self._read_threads,
            write_threads=_WRITE_THREADS,
            data="\n".join(_DATA.format(point=p, register=2 * p) for p in points),
            hosts="\n".join(
                _HOST.format(
                    station=station, port=mine.port(station), interval=mine.interval, slaves=slaves
                )
                for station in range(mine.stations)
            ),
        )
        self._configuration.write_text(text)

    def command(self) -> list[str]:
        return [_PROGRAM, "-f", "-C", str(self._configuration)]

    def readings(self, topic: str, payload: bytes, is_retained: bool) -> list[Reading]:
        found = _TOPIC.fullmatch(topic)
        if not found:
            return []
        station, unit, point = map(int, found.groups())
        # "time:value", with the zero that ends a string of C.
        value = payload.rstrip(b"\0").rpartition(b":")[2]
        # Not read in this cycle: no value was served.
        return [] if value == b"nan" else [Reading(station, unit, point, int(float(value)))]

    @property
    def _read_threads(self) -> int:
        wanted = math.ceil(self.mine.points_per_second / _POINTS_PER_SECOND_A_READ_THREAD)
        return min(wanted, self.mine.stations, _READ_THREADS_AT_MOST)

    @property
    def _configuration(self) -> Path:
        return self.directory / "collectd.conf"


def is_installed() -> bool:
    plugins = [_PLUGINS / f"{name}.so" for name in ("modbus", "mqtt", "logfile")]
    return all(path.exists() for path in [Path(_PROGRAM), *plugins])


def _install() -> None:
    """Its service stays down: that needs /etc/collectd/collectd.conf, of another package."""
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        raise Unavailable(f"{_PACKAGE} is not installed; as root: apt-get install {_PACKAGE}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # The plugins' libraries are not among its package's dependencies.
    packages = [_PACKAGE, "libmodbus5", "libmosquitto1"]
    install = [apt, "install", "-y", "--no-install-recommends", *packages]
    for command in ([apt, "update"], install):
        try:
            result = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=300
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{' '.join(command)}: not done in 300 s") from error
    if result.returncode:
        raise Unavailable(f"{' '.join(install)}: {result.stderr.strip()[-300:]}")
