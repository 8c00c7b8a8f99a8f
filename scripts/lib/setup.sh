# Sourced by the other scripts: installs what the build and the tests need, once.
# Debian 12 and later; as root or through sudo. Does nothing when everything is there.

packages=(
  libmodbus-dev libgpiod-dev libmosquitto-dev libssl-dev libyaml-dev libsqlite3-dev pkg-config
  mosquitto mosquitto-clients openssl sqlite3 binutils systemd
  python3 python3-jsonschema python3-venv python3-yaml iproute2
)

setup() {
  command -v swift >/dev/null || {
    echo "swift is not on the PATH; install Swift 6.2 or later (https://www.swift.org/install)" >&2
    return 1
  }
  local missing=()
  local name
  for name in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  echo "installing ${missing[*]}"
  local as_root=()
  ((EUID == 0)) || as_root=(sudo)
  # Debian starts a broker on port 1883 when it installs one; nothing here wants it.
  local had_policy=yes
  [[ -e /usr/sbin/policy-rc.d ]] || {
    had_policy=no
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
    "${as_root[@]}" chmod +x /usr/sbin/policy-rc.d
  }
  # A mirror that hiccups once is no reason to fail.
  local result=1
  local try
  for try in 1 2; do
    if "${as_root[@]}" apt-get update -qq &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
      result=0
      break
    fi
    echo "apt-get failed (try $try)" >&2
  done
  [[ $had_policy == yes ]] || "${as_root[@]}" rm -f /usr/sbin/policy-rc.d
  return $result
}
