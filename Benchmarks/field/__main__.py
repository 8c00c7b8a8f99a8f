"""`python3 -m field`: units behind a line with faults. Prints `ready`; ends by SIGTERM.

  --listen rtu:LINK            a serial line: a pseudo-terminal with this link to it
  --listen tcp:PORT            Modbus TCP on 127.0.0.1
  --listen rtu-over-tcp:PORT   serial frames in a connection
  --units numbered:COUNT       units 1 to COUNT whose values say whose they are, and when
  --units tcp:PORT             a slave on 127.0.0.1; serial frames from the master are put over
  --units rtu:LINK             a slave that opens this link, a pseudo-terminal
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from random import Random

from field.faults import Way
from field.framing import FRAMINGS
from field.line import FaultyLine, Log, Plan, Spell
from field.terminal import Terminal
from field.units import NumberedUnits
from field.upstream import SerialUnits, SocketUnits


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="field", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--listen", required=True, metavar="KIND:WHERE")
    parser.add_argument("--units", required=True, metavar="KIND:WHERE")
    parser.add_argument("--plan", type=Path, help="JSON: a list of spells; none: no faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=0.2, help="the master's, in seconds (0.2)")
    parser.add_argument(
        "--late-timeouts", type=float, default=3, metavar="N",
        help="time-outs after a request until which its answer counts as late (3)",
    )
    parser.add_argument("--log", type=Path, help="a line of JSON for each request")
    return parser.parse_args()


def _units(words: str):
    kind, _, where = words.partition(":")
    if kind == "numbered":
        return NumberedUnits(int(where))
    return SocketUnits(int(where)) if kind == "tcp" else SerialUnits(Path(where))


async def _run(options: argparse.Namespace) -> None:
    kind, _, where = options.listen.partition(":")
    way = Way(FRAMINGS["tcp" if kind == "tcp" else "rtu"], options.timeout, options.late_timeouts)
    random = Random(options.seed)
    spells = json.loads(options.plan.read_text()) if options.plan else []
    plan, log, units = Plan(list(map(Spell.of, spells)), random), Log(options.log), _units(options.units)

    def line(write) -> FaultyLine:
        return FaultyLine(way, units, plan, random, log, write)

    loop, ended, lines = asyncio.get_running_loop(), asyncio.Event(), []
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if kind == "rtu":
        terminal = Terminal(Path(where))
        serial = line(terminal.write)
        lines.append(serial)
        serving = asyncio.ensure_future(terminal.serve(serial.take))
    else:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            own = line(lambda data: None if writer.is_closing() else writer.write(data))
            lines.append(own)
            try:
                while data := await reader.read(4096):
                    await own.take(data)
            except ConnectionError:
                pass
            own.close()
            lines.remove(own)
            writer.close()

        serving = await asyncio.start_server(serve, "127.0.0.1", int(where))
    print("ready", flush=True)
    await ended.wait()
    for own in list(lines):
        own.close()
    serving.cancel() if kind == "rtu" else serving.close()


if __name__ == "__main__":
    asyncio.run(_run(_options()))
    sys.exit(0)
