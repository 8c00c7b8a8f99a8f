"""The values in messages of ThingsBoard's gateway, as they were captured."""

import unittest
from pathlib import Path

from bench.contestants.thingsboard import ThingsBoardMemory
from bench.mine import Mine, Reading

#: 2 stations of 1 unit of 3 points.
FIRST = b'{"s1u1":[{"ts":1795256784462,"values":{"r0":1.0,"r2":1.0,"r4":1.0}}]}'

#: The backlog of an outage.
BACKLOG = (
    b'{"s0u1":[{"ts":1795256797345,"values":{"r0":14.0,"r2":14.0,"r4":14.0}},'
    b'{"ts":1795256798454,"values":{"r0":15.0,"r2":15.0,"r4":15.0}},'
    b'{"ts":1795256799460,"values":{"r0":16.0,"r2":16.0,"r4":16.0}},'
    b'{"ts":1795256800471,"values":{"r0":17.0,"r2":17.0,"r4":17.0}},'
    b'{"ts":1795256801377,"values":{"r0":18.0,"r2":18.0,"r4":18.0}}]}'
)

#: What else it publishes, and what its companion answers.
OTHERS = [
    ("v1/gateway/connect", b'{"device":"s0u1","type":"default"}'),
    ("v1/gateway/attributes", b'{"s0u1":{"connectorType":"modbus","connectorName":"Mine"}}'),
    ("v1/devices/me/telemetry", b'[{"ALL_ERRORS_COUNT":0}]'),
    (
        "v1/devices/me/rpc/request/1",
        b'{"method":"getSessionLimits","params":{"timeout":5000}}',
    ),
    (
        "v1/devices/me/rpc/response/1",
        b'{"maxPayloadSize": 65536, "maxInflightMessages": 1000, "rateLimits": {}, '
        b'"gatewayRateLimits": {}}',
    ),
]


class ThingsBoardReadingsTests(unittest.TestCase):
    def readings(self, payload, topic="v1/gateway/telemetry"):
        mine = Mine(first_port=21_000, stations=2, units=1, points=3)
        contestant = ThingsBoardMemory(mine, 1883, Path("none"), Path("none"))
        return list(contestant.readings(topic, payload, False))

    def test_a_cycle_of_a_device(self):
        self.assertEqual(
            self.readings(FIRST), [Reading(1, 1, 0, 1), Reading(1, 1, 1, 1), Reading(1, 1, 2, 1)]
        )

    def test_a_backlog_in_its_order(self):
        expected = [
            Reading(0, 1, point, value) for value in range(14, 19) for point in range(3)
        ]
        self.assertEqual(self.readings(BACKLOG), expected)

    def test_other_messages_carry_no_values(self):
        for topic, payload in OTHERS:
            with self.subTest(topic=topic):
                self.assertEqual(self.readings(payload, topic), [])


if __name__ == "__main__":
    unittest.main()
