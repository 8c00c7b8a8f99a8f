"""Modbus units and a line with faults, for tests and campaigns: bytes, not libraries."""
