#!/usr/bin/env python3
"""Checks YAML files against a JSON Schema, as an editor would.

    check_schema.py SCHEMA FILE ...

prints a line for each file: its name, a tab, and `ok` or the first problem. The exit status is 1 if
the schema itself is none. Scalars are read by the core schema of YAML 1.2, as editors do: `no` is
text and 0520 is a number.
"""

import json
import pathlib
import re
import sys

import jsonschema
import yaml


class Loader(yaml.SafeLoader):
    """YAML 1.2 in place of PyYAML's 1.1."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
]:
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(
    node.value, {"0x": 16, "0o": 8}.get(node.value[:2], 10)))


def json_of(value):
    """The value as JSON has it: keys are strings."""
    if isinstance(value, dict):
        return {str(key): json_of(member) for key, member in value.items()}
    if isinstance(value, list):
        return [json_of(element) for element in value]
    return value


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    path = pathlib.Path(sys.argv[1]).resolve()
    folder = {file.name: json.loads(file.read_text("utf-8")) for file in path.parent.glob("*.json")}
    for schema in folder.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    store = {(path.parent / name).as_uri(): schema for name, schema in folder.items()}
    resolver = jsonschema.RefResolver(path.as_uri(), folder[path.name], store)
    validator = jsonschema.Draft202012Validator(folder[path.name], resolver=resolver)
    for name in sys.argv[2:]:
        with open(name, encoding="utf-8") as file:
            value = json_of(yaml.load(file, Loader))
        problems = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
        first = "ok"
        if problems:
            place = "/".join(map(str, problems[0].path))
            first = f"{place}: {problems[0].message.splitlines()[0][:120]}"
        print(f"{name}\t{first}")


if __name__ == "__main__":
    main()
