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

source "$tests/common.sh"
install_if_missing python3 python3-venv libgomp1
make_venv boosting-venv 'lightgbm, numpy, scipy, xgboost' \
  lightgbm==4.7.0 xgboost-cpu==3.2.0 numpy==2.4.6 scipy==1.17.1

server=
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || :; wait "$server" 2>/dev/null || :; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
start_lossd "$lossd" "$work/log"

timeout 120 "$venv/bin/python" "$tests/boosting.py" "$address"
