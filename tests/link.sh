#!/usr/bin/env bash
# Asks lossd over a link of 100 ms that loses 2 % of all packets, and cuts the link in the middle of
# requests: every request is answered once, and the places of vanished clients are free again soon.
#
#   tests/link.sh PATH_OF_LOSSD
#
# Needs the right to make network namespaces, and says so where it has not: a container may not, and
# CI's machine may. Takes some 50 s. Installs Debian's iproute2 and python3 if they are missing.
set -euo pipefail

[ $# = 1 ] || { echo "usage: $0 PATH_OF_LOSSD" >&2; exit 2; }
lossd=$(realpath "$1")
[ -x "$lossd" ] || { echo "$1 is not a program" >&2; exit 2; }

tests=$(dirname "${BASH_SOURCE[0]}")
source "$tests/common.sh"
install_if_missing iproute2 python3

if ! reason=$(unshare --net ip tuntap add dev tun0 mode tun 2>&1); then
  echo "SKIPPED: no link can be made here: $reason"
  exit 0
fi
timeout 120 python3 "$tests/link.py" "$lossd"
