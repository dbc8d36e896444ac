#!/usr/bin/env bash
# Trains XGBoost and LightGBM with gradients and second derivatives of a running lossd, and compares
# the trees with those of their built-in objectives.
#
#   tests/boosting.sh PATH_OF_LOSSD
#
# Everything stays on the loopback address and ends with the script. Installs Debian's python3,
# python3-venv and libgomp1 if they are missing, and the libraries in target/boosting-venv.
set -euo pipefail

[ $# = 1 ] || { echo "usage: $0 PATH_OF_LOSSD" >&2; exit 2; }
lossd=$(realpath "$1")
[ -x "$lossd" ] || { echo "$1 is not a program" >&2; exit 2; }
tests=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
venv=$(realpath -m "$tests/../target/boosting-venv")
packages=(lightgbm==4.7.0 xgboost-cpu==3.2.0 numpy==2.4.6 scipy==1.17.1)

missing=()
for package in python3 python3-venv libgomp1; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The list of packages is written last: without it, or where an import fails, all is made anew.
works() { "$venv/bin/python" -c 'import lightgbm, numpy, scipy, xgboost' 2>/dev/null; }
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]}" ] || ! works; then
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  works || { echo "the libraries were installed and cannot be imported" >&2; exit 1; }
  echo "${packages[*]}" >"$venv/packages"
fi

work=$(mktemp -d)
"$lossd" --listen 127.0.0.1:0 2>"$work/log" &
server=$!
trap 'kill "$server" 2>/dev/null || :; wait "$server" 2>/dev/null || :; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
for _ in $(seq 100); do
  address=$(sed -nE 's|.*listens on http://([0-9.:]+) .*|\1|p' "$work/log")
  [ -n "$address" ] && break
  sleep 0.05
done
[ -n "$address" ] || { echo "lossd does not listen:" >&2; cat "$work/log" >&2; exit 1; }

timeout 120 "$venv/bin/python" "$tests/boosting.py" "$address"
