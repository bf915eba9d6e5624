#!/usr/bin/env bash
# Sets up .venv: the third-party versions of poetry.lock, and every package of this repository in editable mode.
# Needs Python 3.11 to 3.13 with pip, and nothing else. Does nothing when .venv is current.
#
#   tools/bootstrap.sh                        with the Python of .venv, else the first fitting one on PATH
#   PYTHON=python3.12 tools/bootstrap.sh      with this one; a .venv of another version is made anew
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
stamp=$venv/.bootstrap-stamp    # written last: fingerprint, then the path the environment was made for
log=$venv/bootstrap-pip.log
needed_gb=7                     # the environment with torch and its CUDA libraries, and the downloads on the way there

fail() {
    echo "tools/bootstrap.sh: $*" >&2
    exit 1
}

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo "not a working Python"; }

find_python() {
    local candidate
    if [[ -n ${PYTHON:-} ]]; then
        supported "$PYTHON" || fail "needs Python 3.11, 3.12 or 3.13, but PYTHON=$PYTHON is $(version_of "$PYTHON")"
        echo "$PYTHON"
        return
    fi
    for candidate in "$venv/bin/python" python3 python3.13 python3.12 python3.11 python; do
        if supported "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "needs Python 3.11, 3.12 or 3.13, but python3 is $(version_of python3); install one and name it: PYTHON=/path/to/python3.12 tools/bootstrap.sh"
}

# True when .venv runs, has the chosen Python's version and was not moved here from elsewhere.
usable() {
    supported "$venv/bin/python" || return 1
    [[ $(version_of "$venv/bin/python") == "$(version_of "$python")" ]] || return 1
    [[ ! -e $stamp || $(sed -n 2p "$stamp") == "$root" ]]
}

# Debian and Ubuntu split ensurepip off: there the system's pip installs the environment's.
make_environment() {
    local python_path
    python_path=$("$python" -c 'import sys; print(sys._base_executable or sys.executable)')
    rm -rf "$venv"
    if ! "$python_path" -m venv "$venv" >/dev/null 2>&1; then
        rm -rf "$venv"
        "$python_path" -m venv --without-pip "$venv" ||
            fail "$python_path cannot make a virtual environment (python -m venv); install its venv module"
        "$python_path" -m pip --python "$venv/bin/python" install --quiet pip ||
            fail "$python_path has neither ensurepip nor a pip of 22.3 or newer; install its pip"
    fi
}

# pip install with its output in the log; of it only the package names are shown, as a sign of life.
pip_install() {
    local what=$1
    shift
    echo "== pip install $*" >>"$log"
    if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps "$@" 2>&1 |
        tee -a "$log" |
        awk '/^ *Collecting / {print "  " $2; fflush()} /^Installing collected/ {print "  unpacking ..."; fflush()}'; then
        fail "$what failed: $(grep -E '^(ERROR|error)' "$log" | tail -n 1 || true) (pip's log: $log)"
    fi
}

python=$(find_python)
if usable; then
    fingerprint=$("$venv/bin/python" "$root/tools/locked_requirements.py" --fingerprint)
    if [[ -e $stamp && $(sed -n 1p "$stamp") == "$fingerprint" ]]; then
        exit 0
    fi
    echo "Bringing .venv up to date"
else
    echo "Making .venv with Python $(version_of "$python")"
    fresh=1
fi

if [[ -n ${fresh:-} ]] || ! compgen -G "$venv/lib/python*/site-packages/torch-*.dist-info" >/dev/null; then
    free_kb=$(df -Pk "$root" | awk 'NR == 2 {print $4}')
    if ((free_kb < needed_gb * 1024 * 1024)); then
        fail "needs about $needed_gb GB free on the disk of $root, which has $((free_kb / 1024 / 1024)) GB"
    fi
    echo "Installing PyTorch and the other locked packages: several GB to download, some minutes"
fi
if [[ -n ${fresh:-} ]]; then
    make_environment
fi

rm -f "$stamp"
: >"$log"
# pip's downloads go to the disk that was checked, not to a /tmp that may be small.
scratch=$venv/tmp
mkdir -p "$scratch"
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch

# An install that was cut off leaves metadata without its RECORD, which pip would take for an installed package.
for info in "$venv"/lib/python*/site-packages/*.dist-info; do
    [[ -e $info/RECORD || ! -d $info ]] || rm -rf "$info"
done

"$venv/bin/python" "$root/tools/locked_requirements.py" >"$scratch/requirements.txt"
pip_install "installing the locked packages" --require-hashes -r "$scratch/requirements.txt"

members=()
for metadata in "$root"/packages/*/pyproject.toml; do
    members+=(--editable "$(dirname "$metadata")")
done
# The build backend is in the lock, so pip needs no environment of its own to build in.
pip_install "installing the packages of this repository" --no-build-isolation "${members[@]}"

fingerprint=$("$venv/bin/python" "$root/tools/locked_requirements.py" --fingerprint)
printf '%s\n%s\n' "$fingerprint" "$root" >"$stamp.new"
mv "$stamp.new" "$stamp"
echo "Ready: .venv holds the locked versions and $((${#members[@]} / 2)) packages in editable mode"
