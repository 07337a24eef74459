#!/usr/bin/env bash
# The demo: examples/hello on this machine, on a containerd of its own. `--stop` removes all that it made.
#
#   demo.sh [--stop] FOLDER        FOLDER is made; WHERRY_DEMO_PORT is the API's port (default: 6443)
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

if [ "${1:-}" = --stop ]; then
  demo=$(realpath -m "${2:?folder}")
  if [ -d "$demo/data" ]; then wherry down --data "$demo/data"; fi
  rm -rf "$demo"
  echo "The demo is gone."
  exit 0
fi

demo=$(realpath -m "${1:?folder}")
if [ "$(id -u)" -ne 0 ]; then
  echo "Containers need root: run 'sudo make demo', or without root: .venv/bin/wherry up examples/hello --data .demo/data --simulate 3" >&2
  exit 1
fi
mkdir -p "$demo/data/images"
[ -d "$demo/manifests" ] || cp -r examples/hello "$demo/manifests"
echo "Building the images (no registry needed)"
examples/images/build.sh "$demo/data/images"
wherry up "$demo/manifests" --data "$demo/data" --detach ${WHERRY_DEMO_PORT:+--port "$WHERRY_DEMO_PORT"}

pods() { wherry get pods --data "$demo/data" -l app=web --output json; }
ready() { pods | python3 -c 'import json, sys
pods = json.load(sys.stdin)["items"]
ready = [p for p in pods for c in p.get("status", {}).get("conditions", []) if (c["type"], c["status"]) == ("Ready", "True")]
print(len(ready), len(pods))'; }
echo "Waiting for the pods"
last=
for _ in $(seq 240); do
  now=$(ready)
  [ "$now" = "$last" ] || { echo "  ready: ${now% *} of ${now#* }"; last=$now; }
  [ "${now#* }" -gt 0 ] && [ "${now% *}" = "${now#* }" ] && break
  sleep 0.5
done
echo
wherry get pods --data "$demo/data" -o wide
if [ "${now#* }" -eq 0 ] || [ "${now% *}" != "${now#* }" ]; then
  echo; echo "The pods are not ready after two minutes. What happened:"; wherry get events --data "$demo/data"; exit 1
fi
address=$(pods | python3 -c 'import json, sys; print(json.load(sys.stdin)["items"][0]["status"]["podIP"])')
echo
echo "\$ curl http://$address:8080/"
curl -sS --max-time 5 "http://$address:8080/"
cat <<END

It runs on, and restarts what dies. Ask for it with the real kubectl:
  $PWD/.venv/bin/kubectl --kubeconfig $demo/data/kubeconfig get pods
Edit one of these and save to see it change:
  $demo/manifests/web.yaml    replicas: 2  ->  3
  $demo/manifests/page.yaml   the page itself
'make demo-stop' removes it all.
END
