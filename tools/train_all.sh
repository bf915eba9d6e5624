#!/usr/bin/env bash
# From nothing to a trained, evaluated tracker and a tracked video. Interrupted and started again, it goes on where it was.
#
#   tools/train_all.sh                                        profile smoke: ten minutes on two cores
#   tools/train_all.sh --video clip.mp4 --init 120,80,40,60   tracks your video (a file, a folder of images, an address)
#   tools/train_all.sh --profile debug                        the same steps in a minute; its tracker has learned nothing
#   tools/train_all.sh --output DIR                           default: runs/<profile>
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
here=$PWD
profile=smoke video='' init='' output=''

fail() {
    echo "tools/train_all.sh: $*" >&2
    exit 2
}
usage() {
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}
absolute() { # a path as seen from the folder the script was called in; camera numbers and addresses stay as they are
    case $1 in
        '' | /* | *://*) echo "$1" ;;
        *[!0-9]*) echo "$here/$1" ;;
        *) echo "$1" ;;
    esac
}

while (($#)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --profile | --video | --init | --output)
            (($# > 1)) || fail "$1 takes a value"
            printf -v "${1#--}" '%s' "$2"
            shift 2
            ;;
        *) fail "unknown option '$1' (known: --profile, --video, --init, --output, --help)" ;;
    esac
done
case $profile in
    smoke) recipe=tiny train=240 validation=20 unseen=20 frames=40 unseen_frames=60 ;;
    debug) recipe=debug train=2 validation=1 unseen=2 frames=20 unseen_frames=20 ;;
    *) fail "unknown profile '$profile' (known: smoke, debug)" ;;
esac
[[ -z $video || -n $init ]] || fail "--video needs --init x,y,w,h, the target's box in the first frame"
[[ -z $init || -n $video ]] || fail "--init goes with --video"
video=$(absolute "$video")
output=$(absolute "${output:-$root/runs/$profile}")

began=$SECONDS
step() {
    printf '\n== %s (%d:%02d)\n' "$*" $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60))
}

cd "$root"
step "setting up"
tools/bootstrap.sh
bin=$root/.venv/bin
began=$SECONDS

step "generating video"
generate() { # folder, split, sequences, frames, seed
    "$bin/trackdata" synth --output "$output/$1" --split "$2" --sequences "$3" --frames "$4" --seed "$5" --workers 2
}
generate video train "$train" "$frames" 0
generate video val "$validation" "$frames" 1
generate unseen val "$unseen" "$unseen_frames" 2

step "pre-training an encoder on frame pairs"
"$bin/dropmae-pretrain" train "$recipe" --root "$output/video" --output "$output/dropmae"
"$bin/dropmae-pretrain" visualize "$output/dropmae" "$output/unseen/val" --output "$output/pairs.png"
encoder=$output/dropmae/encoder.safetensors
[[ -e $encoder ]] || "$bin/dropmae-pretrain" convert "$output/dropmae/weights.safetensors" --to onestream --output "$encoder"

step "training the tracker from it: recipe droptrack/$recipe"
"$bin/onestream-track" train "droptrack/$recipe" --root "$output/video" --start-weights "$encoder" \
    --output "$output/$recipe"
weights=$output/$recipe/weights.safetensors

step "evaluating on unseen sequences, beside a box that never moves and OpenCV's MIL"
"$bin/onestream-track" evaluate --dataset got10k --root "$output/unseen" --split val --weights "$weights" \
    --name "$recipe" --compare static --compare opencv:mil --output "$output/results" --workers 2

step "tracking a video"
if [[ -z $video ]]; then
    video=$output/unseen/val/GOT-10k_Val_000001
    init=$(head -n 1 "$video/groundtruth.txt")
fi
"$bin/onestream-track" track "$video" --init "$init" --weights "$weights" \
    --output "$output/overlay.mp4" --save "$output/boxes.txt"

step "done"
grep -m 5 '^|' "$output/results/report/report.md" # two lines of heading, three trackers
echo
printf '%-9s %s\n' report "$output/results/report/report.html" overlay "$output/overlay.mp4" \
    boxes "$output/boxes.txt" weights "$weights"
