#!/bin/sh
# Builds the images of the examples and tests from Debian's packages; no registry is needed.
#
#   build.sh OUTPUT_DIR
#
# writes OUTPUT_DIR/pause.tar (wherry.local/pause:1) and OUTPUT_DIR/busybox-1.tar and busybox-2.tar
# (wherry.local/busybox:1 and :2: the same programs, /etc/version differs) as docker-archives. What is there
# already is left alone. The same packages give the same bytes, so that a rebuilt image is no new image.
# Needs the packages: busybox-static gcc libc6-dev skopeo umoci
set -eu

if [ $# -ne 1 ]; then
    echo "usage: build.sh OUTPUT_DIR" >&2
    exit 2
fi
for program in gcc skopeo umoci; do
    if ! command -v "$program" >/dev/null; then
        echo "build.sh: $program is missing; apt-get install busybox-static gcc libc6-dev skopeo umoci" >&2
        exit 1
    fi
done
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
output=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
epoch=1970-01-01T00:00:00Z

# image FILE REFERENCE FOLDER COMMAND: FOLDER becomes the only layer of an image that runs COMMAND.
image() {
    find "$3" -exec touch -h -d "$epoch" {} +
    layout="$work/layout-$1"
    umoci init --layout "$layout"
    umoci new --image "$layout:image"
    umoci insert --image "$layout:image" --history.created "$epoch" "$3" /
    umoci config --image "$layout:image" --no-history --created "$epoch" --config.cmd "$4" \
        --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    skopeo --insecure-policy copy --quiet "oci:$layout:image" "docker-archive:$work/$1:$2"
    mv "$work/$1" "$output/.$1.part"
    mv "$output/.$1.part" "$output/$1" # whole or not at all: the folder may be watched
    echo "built $output/$1 ($2)"
}

if [ ! -e "$output/pause.tar" ]; then
    mkdir -p "$work/pause"
    gcc -Os -static -s -Wl,--build-id=none -o "$work/pause/pause" "$here/pause.c"
    image pause.tar wherry.local/pause:1 "$work/pause" /pause
fi

for version in 1 2; do
    if [ -e "$output/busybox-$version.tar" ]; then continue; fi
    root="$work/busybox-$version"
    mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/home" "$root/www"
    chmod 1777 "$root/tmp"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
    echo "$version" >"$root/etc/version"
    echo "hello from busybox $version" >"$root/www/index.html"
    image "busybox-$version.tar" "wherry.local/busybox:$version" "$root" /bin/sh
done
