#!/usr/bin/env bash
# Lint and tests, of everything or of one package; sets .venv up first where that is needed.
#
#   tools/test_all.sh                  everything
#   tools/test_all.sh trackcore        one package of packages/, or `tools`
#   TEST_SLOW=1 tools/test_all.sh      the slow tests too (TEST_SLOW=only: nothing but them, no lint)
#   TEST_WORKERS=4 tools/test_all.sh   processes to test with; default: one for each core, at most 8
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

fail() {
    echo "tools/test_all.sh: $*" >&2
    exit 2
}

packages=()
for metadata in packages/*/pyproject.toml; do
    packages+=("$(basename "$(dirname "$metadata")")")
done
(($# <= 1)) || fail "takes at most one package, got $*"
case ${1:-} in
    "") lint=(.) tests=() ;;
    tools) lint=(tools) tests=(tools/tests) ;;
    *)
        [[ -f packages/$1/pyproject.toml ]] || fail "no package '$1'; there are ${packages[*]} and tools"
        lint=("packages/$1") tests=("packages/$1/tests")
        ;;
esac
case ${TEST_SLOW:-0} in
    0) which=(-m "not slow") ;;
    1) which=() ;;
    only) which=(-m slow) ;;
    *) fail "TEST_SLOW is '$TEST_SLOW', expected 0, 1 or only" ;;
esac

tools/bootstrap.sh
cores=$(getconf _NPROCESSORS_ONLN)
workers=${TEST_WORKERS:-$((cores < 8 ? cores : 8))}

if [[ ${TEST_SLOW:-0} != only ]]; then
    .venv/bin/python -m ruff check "${lint[@]}"
    .venv/bin/python -m ruff format --check "${lint[@]}"
fi
# One thread in each process: the processes already fill the cores. Files stay whole, so that their fixtures are made once.
export OMP_NUM_THREADS=1
status=0
.venv/bin/python -m pytest --numprocesses "$workers" --dist loadfile \
    ${which[@]+"${which[@]}"} ${tests[@]+"${tests[@]}"} || status=$?
# 5: nothing collected, which is no fault where only slow tests were asked for.
if ((status == 5)) && [[ ${TEST_SLOW:-0} == only ]]; then
    status=0
fi
exit "$status"
