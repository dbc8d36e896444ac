#!/usr/bin/env bash
# Trains XGBoost and LightGBM with gradients and second derivatives of a running lossd, and compares
# the trees with those of their built-in objectives.
#
#   tests/boosting.sh PATH_OF_LOSSD
#
# Everything stays on the loopback address and ends with the script. Installs Debian's python3-venv and
# libgomp1 if they are missing, and the two libraries in a virtual environment below target/.
set -euo pipefail

[ $# = 1 ] || { echo "usage: $0 PATH_OF_LOSSD" >&2; exit 2; }
lossd=$(realpath "$1")
tests=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
venv=$tests/../target/boosting-venv
packages=(lightgbm==4.7.0 xgboost-cpu==3.2.0 numpy==2.4.6 scipy==1.17.1)

missing=()
for package in python3-venv libgomp1; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]}" ]; then
  rm -rf "$venv"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  echo "${packages[*]}" >"$venv/packages"
fi

work=$(mktemp -d)
"$lossd" --listen 127.0.0.1:0 2>"$work/log" &
server=$!
trap 'kill "$server" 2>/dev/null || :; rm -rf "$work"' EXIT
for _ in $(seq 100); do
  address=$(sed -nE 's|.*listens on http://([0-9.:]+) .*|\1|p' "$work/log")
  [ -n "$address" ] && break
  sleep 0.05
done

timeout 120 "$venv/bin/python" "$tests/boosting.py" "http://$address"
