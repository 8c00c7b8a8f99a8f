"""A slave that others wrote: pymodbus' server. Needs pymodbus, which scripts/lib/pymodbus brings.

`python -m field.pymodbus_units tcp:PORT|rtu-over-tcp:PORT|rtu:PATH FILE`. FILE is JSON: the units
by number, each with its tables (lists of numbers, from address 0) and, as `exceptions`, the
exception code by which it answers a reading function. Prints `ready`; ends by SIGTERM.
"""

import asyncio
import json
import sys
from functools import partial
from pathlib import Path

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

BAUD = 115_200
_TABLES = {"coil": DataType.BITS, "discrete": DataType.BITS, "holding": DataType.REGISTERS,
           "input": DataType.REGISTERS}


async def _decline(codes, function, start, address, count, registers, values):
    code = codes.get(str(function))
    return None if code is None else ExcCodes(code)


def _device(number: int, unit: dict) -> SimDevice:
    blocks = []
    for table, kind in _TABLES.items():
        values = unit.get(table) or [0]
        if kind is DataType.BITS:
            values = list(map(bool, values))
        blocks.append([SimData(0, values=values, datatype=kind)])
    codes = unit.get("exceptions")
    action = partial(_decline, codes) if codes else None
    return SimDevice(number, simdata=tuple(blocks), action=action)


async def _serve(where: str, units: dict) -> None:
    kind, _, place = where.partition(":")
    devices = [_device(int(number), unit) for number, unit in units.items()]
    if kind == "rtu":
        server = ModbusSerialServer(
            devices, framer=FramerType.RTU, port=place, baudrate=BAUD, bytesize=8, parity="N",
            stopbits=1,
        )
    else:
        framer = FramerType.SOCKET if kind == "tcp" else FramerType.RTU
        server = ModbusTcpServer(devices, framer=framer, address=("127.0.0.1", int(place)))
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
