#!/usr/bin/env bash
# Checks what deploy/ holds for monitoring against a running lossd and a real Prometheus.
#
#   tests/monitoring.sh PATH_OF_LOSSD
#
# The configuration, the alerts and their unit tests, the compose file, the form of /metrics, and every
# query of the dashboard and of the alerts: each must run, select only metrics and labels that the
# server has, and, on the dashboard, find data. Everything stays on the loopback address and ends
# with the script. Installs Debian's prometheus (with promtool), curl and python3-yaml if they are missing.
set -euo pipefail

[ $# = 1 ] || { echo "usage: $0 PATH_OF_LOSSD" >&2; exit 2; }
lossd=$(realpath "$1")
[ -x "$lossd" ] || { echo "$1 is not a program" >&2; exit 2; }
project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
deploy=$project/deploy
python=/usr/bin/python3          # Debian's own, which sees Debian's python3-yaml
work=$(mktemp -d)
children=()

clean_up() {
  local child
  for child in "${children[@]}"; do
    if kill -0 "$child" 2>/dev/null; then kill -KILL "$child"; fi
    wait "$child" 2>/dev/null || :
  done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

say() { printf '%s\n' "$*"; }
fail() {
  local log
  printf 'FAIL: %s\n' "$*" >&2
  for log in "$work"/*.log; do
    [ -s "$log" ] || continue
    printf -- '--- end of %s\n' "$(basename "$log")" >&2
    tail -n 15 "$log" >&2
  done
  exit 1
}

# Runs a command with its output in a file, which is shown only when the command fails.
quietly() {
  "${@:2}" >"$work/step.log" 2>&1 || fail "$1"
  rm "$work/step.log"
  say "$1: passed"
}

# wait_for WHAT SECONDS COMMAND...: until the command succeeds; the time is an upper bound.
wait_for() {
  local deadline=$((SECONDS + $2))
  until "${@:3}" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "waited $2 s for $1"
    sleep 0.2
  done
}

# ---- tools -------------------------------------------------------------------------------------

missing=()
for package in prometheus curl python3 python3-yaml; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/install.log" 2>&1 ||
    fail "cannot install ${missing[*]}"
  rm "$work/install.log"
fi

# ---- the files by themselves -------------------------------------------------------------------

quietly "promtool check config" promtool check config "$deploy/prometheus.yml"
quietly "promtool check rules" promtool check rules "$deploy/alerts.yml"
quietly "promtool test rules" promtool test rules "$deploy/alerts_test.yml"

cat >"$work/compose.py" <<'PYTHON'
"""The compose file: known keys only, what it mounts exists, and the services find one another."""
import pathlib
import re
import sys

import yaml

deploy = pathlib.Path(sys.argv[1])
problems = []


def check(holds, message):
    if not holds:
        problems.append(message)


def read(name):
    return yaml.safe_load((deploy / name).read_text())


KEYS = {
    "build", "image", "command", "environment", "ports", "volumes", "tmpfs", "depends_on", "read_only", "cap_drop",
    "security_opt", "mem_limit", "pids_limit", "restart", "stop_grace_period",
}
compose = read("compose.yaml")
services = compose["services"]
check(set(compose) <= {"name", "services", "volumes"}, f"unknown members at the top: {sorted(compose)}")
check(set(services) == {"lossd", "prometheus", "grafana"}, f"services are {sorted(services)}")

mounted = {}
for name, service in services.items():
    check(set(service) <= KEYS, f"{name}: unknown members {sorted(set(service) - KEYS)}")
    check(service.get("read_only") is True, f"{name}: the root file system is writable")
    check(service.get("cap_drop") == ["ALL"], f"{name}: keeps capabilities")
    check(service.get("security_opt") == ["no-new-privileges:true"], f"{name}: may gain privileges")
    check("mem_limit" in service, f"{name}: has no memory limit")
    check(service.get("restart") == "unless-stopped", f"{name}: is not restarted")
    for port in service.get("ports", []):
        check(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), f"{name}: the port {port} is not on the loopback address")
    if "build" not in service:
        check(re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"]), f"{name}: {service['image']} is not pinned")
    for other in service.get("depends_on", []):
        check(other in services, f"{name}: depends on {other}, which is no service")
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("."):
            check((deploy / source).exists(), f"{name}: mounts {source}, which is not there")
            check(mode == ["ro"], f"{name}: {source} is mounted writable")
            mounted[name, target] = deploy / source
        else:
            check(source in compose["volumes"], f"{name}: the volume {source} is not declared")
    for key, value in service.get("environment", {}).items():
        check(isinstance(value, str), f"{name}: {key} is not a string")

lossd = services["lossd"]
check((deploy / lossd["build"]["context"] / "Dockerfile").is_file(), "lossd: no Dockerfile in the build context")
check(re.fullmatch(r"\d+s", lossd.get("stop_grace_period", "")) and int(lossd["stop_grace_period"][:-1]) > 20,
      "lossd: is killed before it has drained")

# The addresses by which the services know one another.
dockerfile = (deploy / lossd["build"]["context"] / "Dockerfile").read_text()
port = re.search(r"^EXPOSE (\d+)$", dockerfile, re.M).group(1)
check(lossd["ports"] == [f"127.0.0.1:{port}:{port}"], f"lossd: the image listens on {port}")
prometheus = read("prometheus.yml")
jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in prometheus["scrape_configs"]}
check(jobs == {"lossd": [f"lossd:{port}"]}, f"prometheus.yml scrapes {jobs}")
for file in ["prometheus.yml", *prometheus["rule_files"]]:
    check(("prometheus", f"/etc/prometheus/{file}") in mounted, f"prometheus: {file} is not mounted beside its configuration")
source = read("grafana/provisioning/datasources/prometheus.yml")["datasources"][0]
check(source["url"] == "http://prometheus:9090", f"grafana: asks {source['url']}")
check(source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"],
      "grafana: its interval is not the scrape interval")
dashboards = read("grafana/provisioning/dashboards/lossd.yml")["providers"][0]["options"]["path"]
check(("grafana", dashboards) in mounted, f"grafana: nothing is mounted at {dashboards}")
home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
check((mounted.get(("grafana", dashboards), deploy) / pathlib.Path(home).relative_to(dashboards)).is_file(),
      f"grafana: its home dashboard {home} is not there")

sys.exit("\n".join(problems) or 0)
PYTHON
quietly "the compose file" "$python" "$work/compose.py" "$deploy"

# ---- a server and a Prometheus that scrapes it --------------------------------------------------

free_port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
server=127.0.0.1:$(free_port)
prometheus=127.0.0.1:$(free_port)
[ "$server" != "$prometheus" ] || fail "one port was given out twice"

LOSSD_LISTEN=$server "$lossd" >"$work/lossd.log" 2>&1 &
children+=($!)
wait_for "lossd to be ready" 20 curl --silent --fail --max-time 2 "http://$server/readyz"

# The shipped configuration with another target and a shorter interval; the alerts are the shipped ones.
"$python" - "$deploy" "$server" >"$work/prometheus.yml" <<'PYTHON'
import pathlib
import sys

import yaml

deploy, server = pathlib.Path(sys.argv[1]), sys.argv[2]
config = yaml.safe_load((deploy / "prometheus.yml").read_text())
config["global"].update(scrape_interval="1s", scrape_timeout="1s", evaluation_interval="1s")
config["rule_files"] = [str(deploy / file) for file in config["rule_files"]]
config["scrape_configs"][0]["static_configs"][0]["targets"] = [server]
print(yaml.safe_dump(config))
PYTHON
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
  --web.listen-address="$prometheus" >"$work/prometheus.log" 2>&1 &
children+=($!)
wait_for "Prometheus to be ready" 30 curl --silent --fail --max-time 2 "http://$prometheus/-/ready"

# holds EXPRESSION: true when the comparison leaves at least one series.
holds() {
  local answer
  answer=$(timeout 10 promtool query instant "http://$prometheus" "$1") && [ -n "$answer" ]
}

wait_for "the first scrape" 20 holds 'up{job="lossd"} == 1'
say "Prometheus scrapes lossd"

# ---- losses and refusals, and their counts -----------------------------------------------------

# post STATUS NAME BODY: sends a loss and insists on the status of the answer.
post() {
  local status
  status=$(curl --silent --max-time 5 --output "$work/answer.log" --write-out '%{http_code}' \
    -H 'content-type: application/json' --data "$3" "http://$server/loss/$2") || fail "no answer to POST /loss/$2"
  [ "$status" = "$1" ] || fail "POST /loss/$2 with $3 answered $status, not $1"
  rm "$work/answer.log"
}

good=0
bad=0
one_round() {
  for _ in 1 2 3 4 5; do
    post 200 mse '{"predictions":[1,2,3],"targets":[1,2,5]}'
    post 200 l1 '{"predictions":[[1,2],[3,4]],"targets":[[1,2],[3,5]]}'
    good=$((good + 1))
  done
  post 404 no-such-loss '{"predictions":[1],"targets":[1]}'
  post 400 mse '{"predictions":[1,'
  post 422 mse '{"predictions":[1,2,3],"targets":[1,2]}'
  bad=$((bad + 1))
}
one_round
one_round

# counted COUNT SELECTOR
counted() { wait_for "$2 to reach $1" 20 holds "sum($2) >= $1"; }
counted "$good" 'lossd_evaluations_total{job="lossd", loss="mse"}'
counted $((good * 3)) 'lossd_elements_total{job="lossd", loss="mse"}'
counted $((good * 2)) 'lossd_rows_total{job="lossd", loss="l1"}'
counted $((good * 2)) 'lossd_http_requests_total{job="lossd", route="/loss/{name}", method="POST", status="200"}'
counted $((good * 2)) 'lossd_http_request_duration_seconds_count{job="lossd", route="/loss/{name}"}'
for stage in read decode wait evaluate encode; do
  counted $((good * 2)) "lossd_stage_duration_seconds_count{job=\"lossd\", stage=\"$stage\"}"
done
for reason in unknown-loss malformed-json shape-mismatch; do
  counted "$bad" "lossd_refusals_total{job=\"lossd\", reason=\"$reason\"}"
done
wait_for "a limit on the jobs" 5 holds 'lossd_jobs_limit{job="lossd"} > 0'
if holds 'sum(lossd_evaluations_total{loss="mse"}) > 1000000'; then fail "a comparison that cannot hold holds"; fi
say "the counters count: $good evaluations of mse, $bad refusals of each kind"

curl --silent --fail --max-time 5 "http://$server/metrics" >"$work/metrics" || fail "no /metrics"
quietly "promtool check metrics" promtool check metrics <"$work/metrics"

# ---- every query of the dashboard and of the alerts ----------------------------------------------

cat >"$work/queries.py" <<'PYTHON'
"""Runs each query of the dashboard and the alerts. Exit code 1: something is wrong with one of them.
Exit code 3: all is well, only no data has arrived yet for the queries that it prints."""
import json
import pathlib
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import yaml

deploy, prometheus, metrics = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
problems, empty = [], []

# What the server exposes: of each metric, the label sets of its series.
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
exposed = {}
for line in metrics.read_text().splitlines():
    if line and not line.startswith("#"):
        name, labels = re.match(r'([\w:]+)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? ', line).groups()
        exposed.setdefault(name, []).append(dict(LABEL.findall(labels or "")))

# What Prometheus adds itself.
OWN = {"up", "ALERTS"}
OWN_LABELS = {"job", "instance"}

WORDS = set("""and or unless bool offset inf nan atan2 sum min max avg group stddev stdvar count count_values
bottomk topk quantile""".split())
TOKEN = re.compile(r'''(?P<string>"(?:[^"\\]|\\.)*")
    | (?P<range>\[[^]]*\])
    | (?P<grouping>\b(?:by|without|on|ignoring|group_left|group_right)\b\s*\([^)]*\))
    | (?P<number>\b\d[\w.]*)
    | (?P<function>[a-zA-Z_]\w*(?=\s*\())
    | (?P<name>[a-zA-Z_:][\w:]*)\s*(?:\{(?P<matchers>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?''', re.X)
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')


def check_selectors(where, expression):
    """Only metrics that are exposed, and only labels that they have."""
    found = False
    for token in TOKEN.finditer(expression):
        name = token["name"]
        if not name or name in WORDS:
            continue
        found = True
        if name in OWN:
            continue
        if name not in exposed:
            problems.append(f"{where}: selects {name}, which /metrics does not have")
            continue
        for label, operator, value in MATCHER.findall(token["matchers"] or ""):
            if label in OWN_LABELS:
                continue
            values = {series[label] for series in exposed[name] if label in series}
            if not values:
                problems.append(f"{where}: {name} has no label {label}")
            elif operator == "=" and value not in values:
                problems.append(f"{where}: no series of {name} has {label}={value!r}, only {sorted(values)}")
    if not found:
        problems.append(f"{where}: selects nothing")


def ask(where, route, **form):
    request = urllib.request.Request(f"http://{prometheus}{route}", urllib.parse.urlencode(form).encode() or None)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        problems.append(f"{where}: {json.load(error).get('error')}")
        return None


def run(where, expression):
    answer = ask(where, "/api/v1/query", query=expression)
    return None if answer is None else answer["result"]


VARIABLES = {"$__rate_interval": "1m", "$instance": ".*"}


def filled_in(where, expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    if "$" in expression:
        problems.append(f"{where}: a variable that the dashboard does not define in {expression}")
    return expression


dashboard = json.loads((deploy / "grafana/dashboards/lossd.json").read_text())
variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
if set(variables) != {"datasource", "instance"}:
    problems.append(f"the dashboard's variables are {sorted(variables)}")
label_values = re.fullmatch(r"label_values\((.*), (\w+)\)", variables["instance"]["query"]["query"])
series = run("variable instance", label_values[1])
if series is not None and not any(label_values[2] in one["metric"] for one in series):
    empty.append("variable instance")

panels = dashboard["panels"]
if len({panel["id"] for panel in panels}) != len(panels):
    problems.append("two panels have the same id")
queries = 0
for panel in panels:
    if panel["type"] == "row":
        continue
    if not panel.get("targets"):
        problems.append(f"panel {panel['title']}: no query")
    for target in panel.get("targets", []):
        where = f"panel {panel['title']}, query {target['refId']}"
        queries += 1
        if target["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
            problems.append(f"{where}: does not ask the chosen data source")
        expression = filled_in(where, target["expr"])
        check_selectors(where, expression)
        result = run(where, expression)
        if result == []:
            empty.append(where)
        for label in re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]):
            if result and not any(label in one["metric"] for one in result):
                problems.append(f"{where}: the legend names {label}, which the result does not have")
for annotation in dashboard["annotations"]["list"]:
    where = f"annotation {annotation['name']}"
    check_selectors(where, annotation["target"]["expr"])
    run(where, annotation["target"]["expr"])

# The alerts: Prometheus evaluates the shipped file itself, and says so of each.
shipped = [rule for group in yaml.safe_load((deploy / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
for rule in shipped:
    check_selectors(f"alert {rule['alert']}", rule["expr"])
    run(f"alert {rule['alert']}", rule["expr"])
loaded = {rule["name"]: rule for group in ask("rules", "/api/v1/rules")["groups"] for rule in group["rules"]}
for rule in shipped:
    health = loaded.get(rule["alert"], {"health": "not loaded"})["health"]
    if health == "unknown":
        empty.append(f"alert {rule['alert']}: not evaluated yet")
    elif health != "ok":
        problems.append(f"alert {rule['alert']}: {health}")

if problems:
    print("\n".join(problems))
    sys.exit(1)
if empty:
    print("no data for:", *empty, sep="\n  ")
    sys.exit(3)
print(f"{queries} queries of the dashboard and {len(shipped)} alerts")
PYTHON

# Rates need several scrapes in which the counters move: the traffic goes on until each panel has data.
deadline=$((SECONDS + 60))
while :; do
  one_round
  curl --silent --fail --max-time 5 "http://$server/metrics" >"$work/metrics" || fail "no /metrics"
  rc=0
  timeout 60 "$python" "$work/queries.py" "$deploy" "$prometheus" "$work/metrics" >"$work/queries.log" 2>&1 || rc=$?
  case $rc in
    0) break ;;
    3) [ "$SECONDS" -lt "$deadline" ] || fail "after a minute some panels are still empty" ;;
    *) fail "a query of the dashboard or of the alerts is wrong" ;;
  esac
  sleep 1
done
say "$(cat "$work/queries.log"): each runs on what /metrics has"

for child in "${children[@]}"; do
  kill -0 "$child" 2>/dev/null || fail "a server ended before the test did"
done
say "monitoring: OK"
