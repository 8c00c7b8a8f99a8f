"""What is measured: each contestant reads the same mine and publishes to the same broker."""

import importlib
import pkgutil

from .contestant import Contestant

#: Neither of them is what a user would pick instead.
NOT_PEERS = ("agent", "agent-unlimited", "floor")


def contestants() -> dict[str, type[Contestant]]:
    """All that the modules here define, by name: the agent, the floor, then the peers."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found: dict[str, type[Contestant]] = {}
    pending = Contestant.__subclasses__()
    for kind in pending:
        pending += kind.__subclasses__()
        if "name" in vars(kind) and not kind.__abstractmethods__:
            found[kind.name] = kind
    order = {name: place for place, name in enumerate(NOT_PEERS)}
    return dict(sorted(found.items(), key=lambda pair: (order.get(pair[0], 9), pair[0])))
