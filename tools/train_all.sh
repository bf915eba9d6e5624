#!/usr/bin/env bash
# From nothing to trained, evaluated models of every method and a tracked video. Interrupted and started again, it goes on where it was.
#
#   tools/train_all.sh                                        profile smoke: small models, for two cores
#   tools/train_all.sh --video clip.mp4 --init 120,80,40,60   tracks your video (a file, a folder of images, an address)
#   tools/train_all.sh --profile debug                        the same steps in two minutes; nothing is learned
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
    smoke)
        recipe=tiny refiner=small
        train=240 validation=20 masked=60 unseen=20 unseen_masked=12 frames=40 unseen_frames=60
        epochs_dropmae=2 epochs_onestream=10 epochs_sparse=5 epochs_refiner=3 epochs_dropseg=4
        ;;
    debug)
        recipe=debug refiner=debug
        train=2 validation=1 masked=2 unseen=2 unseen_masked=2 frames=20 unseen_frames=20
        epochs_dropmae=2 epochs_onestream=2 epochs_sparse=2 epochs_refiner=2 epochs_dropseg=2
        ;;
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
generate() { # layout, folder, split, sequences, frames, seed
    "$bin/trackdata" synth --layout "$1" --output "$output/$2" --split "$3" --sequences "$4" --frames "$5" --seed "$6" \
        --workers 2
}
generate got10k video train "$train" "$frames" 0
generate got10k video val "$validation" "$frames" 1
generate got10k unseen val "$unseen" "$unseen_frames" 2
generate davis2017 video/davis2017 train "$masked" "$frames" 3
generate davis2017 video/davis2017 val "$validation" "$frames" 4
generate davis2017 unseen/davis2017 val "$unseen_masked" "$unseen_frames" 5

step "pre-training an encoder on pairs of frames: dropmae-pretrain"
"$bin/dropmae-pretrain" train "$recipe" --root "$output/video" --output "$output/dropmae" --loop.epochs "$epochs_dropmae"
"$bin/dropmae-pretrain" visualize "$output/dropmae" "$output/unseen/val" --output "$output/pairs.png"

# Not from that encoder: after so few pairs it is worse than none, see benchmarks/pretraining.md.
step "training a tracker: onestream-track"
"$bin/onestream-track" train "$recipe" --root "$output/video" --output "$output/onestream" --loop.epochs "$epochs_onestream"
step "training a tracker with sparse attention: sparse-track"
"$bin/sparse-track" train "$recipe" --root "$output/video" --output "$output/sparse" --loop.epochs "$epochs_sparse"
step "training a refiner of boxes: alpha-refine"
"$bin/alpha-refine" train "$refiner" --root "$output/video" --output "$output/refiner" --loop.epochs "$epochs_refiner"
step "training video object segmentation: dropseg-vos"
"$bin/dropseg-vos" train "$recipe" --root "$output/video" --output "$output/dropseg" --loop.epochs "$epochs_dropseg"
weights() { echo "$output/$1/weights.safetensors"; }

step "tracking unseen sequences, also with OpenCV's MIL and with a box that never moves"
unseen_video=(--dataset got10k --root "$output/unseen" --split val --output "$output/results" --workers 2)
"$bin/sparse-track" evaluate "${unseen_video[@]}" --weights "$(weights sparse)"
refined=(--weights "$(weights refiner)" --no-feedback) # told its refined boxes, a base drifts with a refiner this young
"$bin/alpha-refine" evaluate "${unseen_video[@]}" "${refined[@]}" --base opencv:mil
"$bin/alpha-refine" evaluate "${unseen_video[@]}" "${refined[@]}" \
    --base onestream --base-option "weights=$(weights onestream)" --compare static
results=()
for tracker in onestream onestream+refined sparse opencv-mil opencv-mil+refined static; do
    results+=("$output/results/$tracker")
done
"$bin/trackdata" report "${results[@]}" --dataset got10k --root "$output/unseen" --split val --output "$output/report"

step "segmenting unseen video, also by copying the first mask and by warping it along optical flow"
"$bin/dropseg-vos" evaluate --dataset davis2017 --root "$output/unseen/davis2017" --split val --weights "$(weights dropseg)" \
    --output "$output/masks" --compare copy --compare flow --workers 2
masks=("$output"/unseen/davis2017/Annotations/480p/*) # a folder for each video
"$bin/dropseg-vos" segment "${masks[0]/Annotations/JPEGImages}" --mask "${masks[0]}/00000.png" \
    --weights "$(weights dropseg)" --output "$output/segmented" --overlay "$output/segmented.mp4"

step "tracking a video"
if [[ -z $video ]]; then
    video=$output/unseen/val/GOT-10k_Val_000001
    init=$(head -n 1 "$video/groundtruth.txt")
fi
"$bin/alpha-refine" track "$video" --init "$init" "${refined[@]}" \
    --base onestream --base-option "weights=$(weights onestream)" --output "$output/overlay.mp4" --save "$output/boxes.txt"

step "done"
grep '^|' "$output/report/report.md" | head -n $((2 + ${#results[@]})) # two lines of heading, the trackers
echo
printf '%-9s %s\n' report "$output/report/report.html" tracked "$output/overlay.mp4" boxes "$output/boxes.txt" \
    segmented "$output/segmented.mp4" masks "$output/masks" pairs "$output/pairs.png" \
    weights "$output/*/weights.safetensors"
