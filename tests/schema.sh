#!/usr/bin/env bash
# Holds a running lossd to its OpenAPI document with Schemathesis: every operation gets requests that
# the document allows and requests that it forbids, and every answer must be one that it announces.
#
#   tests/schema.sh PATH_OF_LOSSD [EXAMPLES [SEED]]
#
# EXAMPLES is how many requests are made up for each operation. Those that try what the document says
# piece by piece are some hundred for each: without EXAMPLES only the losses below get them, which have
# inputs, parameters and reductions of every kind between them, and with it all do.
#
# Everything stays on the loopback address and ends with the script. Installs Debian's python3 and
# python3-venv if they are missing, and Schemathesis in target/schema-venv.
set -euo pipefail

[ $# -ge 1 ] && [ $# -le 3 ] || { echo "usage: $0 PATH_OF_LOSSD [EXAMPLES [SEED]]" >&2; exit 2; }
lossd=$(realpath "$1")
[ -x "$lossd" ] || { echo "$1 is not a program" >&2; exit 2; }
examples=${2:-10}
seed=${3:-1}
covered='^/([^/]*|loss/(\{name\}|mse|cross_entropy|triplet_margin|binary_cross_entropy|aft_nll|weighted_interval_score|z_loss|kl_div))$'
[ -z "${2:-}" ] || covered=.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
install_if_missing python3 python3-venv
make_venv schema-venv schemathesis schemathesis==4.32.5

server=
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || :; wait "$server" 2>/dev/null || :; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
start_lossd "$lossd" "$work/log"

# Left out: `positive_data_acceptance`, because a schema cannot say that shapes must agree, how large
# a number a dtype holds or which classes there are, so that the server refuses, with a problem, what
# the document allows. And no links lead from one operation to another, which is the stateful phase.
hold() {
  "$venv/bin/schemathesis" run "http://$address/openapi.json" "$@" --mode all --seed "$seed" \
    --checks all --exclude-checks positive_data_acceptance \
    --generation-database none --request-timeout 30 --warnings off --no-color
}
cd "$work"
hold --phases coverage --include-path-regex "$covered"
hold --phases examples,fuzzing --max-examples "$examples"
