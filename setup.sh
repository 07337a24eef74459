#!/usr/bin/env bash
# Makes .venv and installs Debian's packages. Safe to run again; changes nothing that is there already.
set -euo pipefail
cd "$(dirname "$0")"

# command that tells whether it is there : package that brings it
needs=(
  containerd:containerd runc:runc /usr/lib/cni/bridge:containernetworking-plugins nft:nftables ip:iproute2 conntrack:conntrack
  nsenter:util-linux mosquitto:mosquitto skopeo:skopeo umoci:umoci busybox:busybox-static gcc:gcc
  /usr/include/stdio.h:libc6-dev git:git ssh:openssh-client gpg:gnupg openssl:openssl curl:curl haproxy:haproxy
  dbus-daemon:dbus-daemon busctl:systemd
)
missing=()
for need in "${needs[@]}"; do
  command -v "${need%%:*}" >/dev/null || [ -e "${need%%:*}" ] || missing+=("${need##*:}")
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || missing+=(python3)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Install these first (as root, by Debian's names), then run this again: ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
.venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
touch .venv/.ready
