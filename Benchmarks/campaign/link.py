"""A wire between the agent and the broker that can be cut, deafened and held up."""

import selectors
import socket
import struct
import threading

_CHUNK = 64 << 10


class _Pair:
    """A connection of the agent and its other half to the broker."""

    def __init__(self, agent: socket.socket, broker: socket.socket):
        self.agent = agent
        self.broker = broker

    def close(self, resets: bool) -> None:
        for end in (self.agent, self.broker):
            if resets:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Link:
    """Forwards connections on `port` to `target`, on loopback.

    One thread forwards; faults are set from another one.
    """

    def __init__(self, port: int, target: int):
        self.port = port
        self._target = target
        self._lock = threading.Lock()
        self._carries_up = True
        self._carries_down = True
        self._cut_after: int | None = None
        self.cuts = 0
        self._pairs: dict[socket.socket, _Pair] = {}
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._listen()
        self._ends = False
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    # What another thread may ask for.

    def carry(self, up: bool = True, down: bool = True) -> None:
        """What is not carried waits with its sender: up is from the agent to the broker."""
        with self._lock:
            self._carries_up, self._carries_down = up, down

    def refuse(self, refuses: bool = True) -> None:
        """Refuses new connections, or takes them again."""
        with self._lock:
            if refuses and self._listener:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None
            elif not refuses and not self._listener:
                self._listen()

    def cut(self) -> None:
        """Resets all connections; what was on its way is lost."""
        with self._lock:
            self._close_all()

    def cut_after(self, count: int) -> None:
        """Resets all connections after `count` more bytes to the broker, amid a packet or not."""
        with self._lock:
            self._cut_after = count

    def close(self) -> None:
        self._ends = True
        self._thread.join(5)
        with self._lock:
            self._close_all()
            if self._listener:
                self._listener.close()
            self._selector.close()

    def _listen(self) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(16)
        # One that was gone before it was taken holds nothing up.
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)

    # The thread that forwards.

    def _forward(self) -> None:
        while not self._ends:
            for key, _ in self._selector.select(0.005):
                with self._lock:
                    self._handle(key.fileobj)
            with self._lock:
                self._watch_what_is_carried()

    def _handle(self, ready) -> None:
        if ready is self._listener:
            self._accept()
            return
        pair = self._pairs.get(ready)
        if pair is None:
            return
        is_up = ready is pair.agent
        if not (self._carries_up if is_up else self._carries_down):
            return
        try:
            data = ready.recv(_CHUNK)
            if not data:
                self._close(pair, resets=False)
                return
            if is_up and self._cut_after is not None:
                data, rest = data[: self._cut_after], data[self._cut_after :]
                self._cut_after -= len(data)
                if rest or self._cut_after == 0:
                    self._cut_after = None
                    pair.broker.sendall(data)
                    self._close_all()
                    return
            (pair.broker if is_up else pair.agent).sendall(data)
        except OSError:
            self._close(pair, resets=True)

    def _accept(self) -> None:
        try:
            agent, _ = self._listener.accept()
        except OSError:
            return
        broker = socket.socket()
        try:
            broker.settimeout(2)
            broker.connect(("127.0.0.1", self._target))
        except OSError:
            broker.close()
            agent.close()
            return
        for end in (agent, broker):
            end.settimeout(2)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = _Pair(agent, broker)
        for end in (agent, broker):
            self._pairs[end] = pair
            self._selector.register(end, selectors.EVENT_READ)

    def _watch_what_is_carried(self) -> None:
        """A direction that is held up is not looked at: it would be readable all the time."""
        known = self._selector.get_map()
        for end, pair in self._pairs.items():
            wanted = self._carries_up if end is pair.agent else self._carries_down
            if wanted and end not in known:
                self._selector.register(end, selectors.EVENT_READ)
            elif not wanted and end in known:
                self._selector.unregister(end)

    def _close(self, pair: _Pair, resets: bool) -> None:
        for end in (pair.agent, pair.broker):
            if self._pairs.pop(end, None) and end in self._selector.get_map():
                self._selector.unregister(end)
        pair.close(resets)

    def _close_all(self) -> None:
        pairs = set(self._pairs.values())
        self.cuts += len(pairs)
        for pair in pairs:
            self._close(pair, resets=True)

