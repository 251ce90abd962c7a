#!/usr/bin/env bash
# Runs the tests again and again, each time on a machine that is busy in another way, and counts what failed.
#
#   tests/soak.sh [-t SECONDS] RUNS [PROGRAM...]      tests/soak.sh 20; tests/soak.sh 12 doctor lab
#
# Without programs, the first five runs are of all of them, each on another kind of machine, and the others of one in turn.
# A run not begun after so many seconds is not begun. It is to be run as root: some runs are an ordinary user's. The logs
# of what failed are kept. Exit code: 0 all green, 1 something failed, 2 wrong arguments.
set -euo pipefail
cd "$(dirname "$0")/.."

limit=0
if [[ ${1-} == -t ]]; then
  limit=${2-}
  shift 2
fi
runs=${1-}
shift || true
if ! [[ $runs =~ ^[1-9][0-9]*$ && $limit =~ ^[0-9]+$ ]]; then
  sed -n 's/^#   //p' "$0" >&2
  exit 2
fi
((EUID == 0)) || { echo "some of the runs are another user's: run it as root" >&2; exit 2; }

# Where the programs stand an ordinary user must be able to read, too.
if [[ -z ${CARGO_TARGET_DIR-} ]]; then
  CARGO_TARGET_DIR=$(mktemp -d /var/tmp/netdiag-soak.XXXXXX)
  chmod 755 "$CARGO_TARGET_DIR"
fi
export CARGO_TARGET_DIR RUST_BACKTRACE=0
mapfile -t all < <(cargo test --locked --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
((${#all[@]} >= 4)) || { echo "the tests cannot be built: cargo test --locked --no-run" >&2; exit 2; }

helpers=()
begun_program=
quiet_again() {
  [[ -z $begun_program ]] || kill "$begun_program" || true
  ((${#helpers[@]} == 0)) || kill "${helpers[@]}" 2>/dev/null || true
  helpers=()
  wait
}
trap quiet_again EXIT

busy() { # so many loops that never rest
  local _
  for _ in $(seq "$1"); do
    sh -c 'while :; do :; done' &
    helpers+=($!)
  done
}

neighbours() { # 200 network namespaces of somebody else, each with two neighbours
  local at
  for at in $(seq 200); do
    # shellcheck disable=SC2016 # the shell inside expands it
    unshare --net sh -c '
      ip link set lo up
      ip link add one type veth peer name two
      ip link set one up; ip link set two up
      ip address add 10.200.0.1/24 dev one
      ip neighbour add 10.200.0.2 lladdr 02:00:00:00:00:02 dev one nud reachable
      ip neighbour add 10.200.0.3 lladdr 02:00:00:00:00:03 dev one nud reachable
      exec sleep infinity' &
    helpers+=($!)
  done
}

kinds=(idle nobody busy-2 busy-4 namespaces one-core)
# So many runs are of all programs.
whole=5
logs=$(mktemp -d /var/tmp/netdiag-soak-logs.XXXXXX)
failed=0
begun=0
printf '%-4s %-11s %-8s %8s %7s %7s %8s\n' RUN MACHINE PROGRAM SECONDS PASSED FAILED IGNORED
for run in $(seq "$runs"); do
  ((limit == 0 || SECONDS < limit)) || break
  begun=$run
  kind=${kinds[(run - 1) % ${#kinds[@]}]}
  if (($#)); then
    names=("$@")
  elif ((run <= whole)); then
    names=(netdiag rules fuzz layers papers cli lab doctor)
  else
    one_each=(cli lab doctor)
    names=("${one_each[(run + (run - 1) / ${#kinds[@]}) % 3]}")
  fi
  as=()
  case $kind in
    nobody) as=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/) ;;
    busy-2) busy 2 ;;
    busy-4) busy 4 ;;
    one-core) as=(taskset --cpu-list 0) ;;
    namespaces) neighbours ;;
  esac
  for name in "${names[@]}"; do
    # The library's unit tests are called as the program's are, which has none.
    program=$(printf '%s\n' "${all[@]}" | grep -m 1 -E "/$name-[0-9a-f]+\$") || {
      echo "no test program is called $name" >&2
      exit 2
    }
    program=$(realpath "$program")
    # These read the sources, which may be root's alone.
    [[ $kind == nobody && $name =~ ^(layers|fuzz|rules|papers)$ ]] && continue
    log=$logs/$run-$kind-$name.log
    start=$SECONDS
    folder=.
    [[ $kind == nobody ]] && folder=/
    code=0
    (cd "$folder" && exec timeout --kill-after=10 1500 "${as[@]}" "$program" >"$log" 2>&1 </dev/null) &
    begun_program=$!
    wait $begun_program || code=$?
    begun_program=
    read -r passed wrong ignored < <(awk '
      /^test result: / { for (i = 2; i <= NF; i++) { sub(/;/, "", $i); if ($i == "passed") p += $(i - 1); if ($i == "failed") f += $(i - 1); if ($i == "ignored") g += $(i - 1) } }
      END { print p + 0, f + 0, g + 0 }' "$log")
    if ((code != 0)); then
      failed=1
      ((wrong > 0)) || wrong="code $code"
    fi
    printf '%-4s %-11s %-8s %8s %7s %7s %8s\n' "$run" "$kind" "$name" $((SECONDS - start)) "$passed" "$wrong" "$ignored"
    ((code != 0)) || rm "$log"
  done
  quiet_again
done
if ((failed)); then
  echo "something failed; the logs: $logs"
else
  rmdir "$logs"
  echo "$begun runs, all green"
fi
exit $failed
