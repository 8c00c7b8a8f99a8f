"""Answers what ThingsBoard's gateway asks of a server before it publishes anything.

`thingsboard_answers.py PORT`, run by the Python that has paho-mqtt 2 (that of the gateway). The
gateway asks for the limits of its session once, after its first connection, and waits for ever if
the answer is lost. So on each connection of this program the first request is also answered
unasked: a gateway that asked before has its answer, others ignore it.
"""

import json
import sys
import time

REQUESTS = "v1/devices/me/rpc/request/"
RESPONSES = "v1/devices/me/rpc/response/"

#: No limits of rates. A server's own default of the payload size; so many messages in flight that
#: this does not limit it (the gateway takes four fifths).
LIMITS = json.dumps({
    "maxPayloadSize": 65536,
    "maxInflightMessages": 1000,
    "rateLimits": {},
    "gatewayRateLimits": {},
})


def on_connect(client, _userdata, _flags, reason, _properties):
    if not reason.is_failure:
        client.subscribe(REQUESTS + "+", qos=1)


def on_subscribe(client, _userdata, _mid, _reasons, _properties):
    client.publish(RESPONSES + "1", LIMITS, qos=1)


def on_message(client, _userdata, message):
    try:
        method = json.loads(message.payload).get("method")
    except (ValueError, AttributeError):
        return
    if method == "getSessionLimits":
        client.publish(RESPONSES + message.topic.removeprefix(REQUESTS), LIMITS, qos=1)


def main():
    # Not above: the driver imports every module here, and its Python need not have this.
    from paho.mqtt.client import CallbackAPIVersion, Client

    client = Client(CallbackAPIVersion.VERSION2, client_id="thingsboard-answers")
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.reconnect_delay_set(0.1, 0.1)
    while True:
        try:
            client.connect("127.0.0.1", int(sys.argv[1]))
            client.loop_forever()
        except OSError:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
